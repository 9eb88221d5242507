import type { Metadata, Route } from "next";
import { notFound } from "next/navigation";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { Badge, PageHeader } from "@/app/_ui/page";
import { type Column, Table } from "@/app/_ui/table";
import { Time } from "@/app/_ui/time";
import { can } from "@/lib/auth/roles";
import { plans } from "@/lib/billing/plans";
import { database } from "@/lib/db/client";
import { id as uuid } from "@/lib/fields";
import { type AdminMember, findTeamForAdmin } from "@/lib/teams/administration";
import { roleLabels } from "@/lib/teams/roles";
import { requireAdmin } from "@/lib/web/sudo";
import { urlFor } from "../../../search-params";
import { makeTeamOwner } from "./actions";
import { Billing } from "./billing";

export const metadata: Metadata = { title: "Team" };

const notices = {
  "owner-made": "The member is now an owner of the team, and is told by email.",
  confirmed: {
    info: "You have confirmed that it is you. Nothing has been done yet: press the button again.",
  },
  "has-owner": { info: "The team has an active owner. Nothing was changed." },
  gone: { info: "What you wanted to change no longer exists. Nothing was changed." },
  suspended: { info: "That user is suspended. Nothing was changed." },
  "plan-given": "The team has the plan now. Its owners are told by email.",
  "plan-taken-back": "The given plan is taken back.",
  "no-customer": { info: "The team has no customer at the payment provider. Nothing was changed." },
  synced: "The team's billing is up to date with the payment provider.",
  "not-allowed": { info: "You are not allowed to do this. Nothing was changed." },
};

export default async function AdminTeamPage({
  params,
  searchParams,
}: PageProps<"/admin/teams/[id]">) {
  const { id } = await params;
  const { notice } = await searchParams;
  const session = await requireAdmin(urlFor(`/admin/teams/${encodeURIComponent(id)}`, {}));
  const team = uuid.safeParse(id).success ? await findTeamForAdmin(database(), id) : null;
  if (!team) notFound();
  const hasOwner = team.people.some(({ role, status }) => role === "owner" && status === "active");
  const mayOwn = (member: AdminMember) =>
    !hasOwner && member.status === "active" && can(session.user, "make-team-owner", member);

  return (
    <>
      <PageHeader title={team.name}>
        /t/{team.handle}, plan {plans[team.plan].name}, created <Time at={team.createdAt} />
        {team.requiresStrong && ", requires a second factor"}
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      {!hasOwner && (
        <p className="card p-5 text-sm">
          All owners of this team are suspended, so no member can administer it. You can make
          another member an owner.
        </p>
      )}
      <Table
        columns={[
          ...columns,
          ...(hasOwner
            ? []
            : [
                {
                  label: "Action",
                  width: "w-36",
                  cell: (member: AdminMember) =>
                    mayOwn(member) && <MakeOwner team={team.id} member={member} />,
                },
              ]),
        ]}
        rows={team.people}
        rowKey={(member) => member.id}
      />
      {team.members > team.people.length && (
        <p className="text-sm text-muted">
          The first {team.people.length.toLocaleString("en")} of {team.members.toLocaleString("en")}{" "}
          members.
        </p>
      )}
      <Billing team={team.id} />
    </>
  );
}

function MakeOwner({ team, member }: { team: string; member: AdminMember }) {
  return (
    <Form action={makeTeamOwner}>
      <input type="hidden" name="id" value={team} />
      <input type="hidden" name="user" value={member.id} />
      <Submit className="button -my-1 min-h-9 px-3">
        Make owner<span className="sr-only">: {member.name}</span>
      </Submit>
    </Form>
  );
}

const columns: Column<AdminMember>[] = [
  {
    label: "Member",
    cell: ({ id, name, email }) => (
      <>
        <Link href={`/admin/users/${id}` as Route} className="link">
          {name}
        </Link>
        <p className="text-muted">{email}</p>
      </>
    ),
  },
  { label: "Role", width: "w-24", cell: ({ role }) => roleLabels[role] },
  {
    label: "Status",
    width: "w-28",
    cell: ({ status }) =>
      status === "suspended" ? <Badge tone="danger">Suspended</Badge> : "Active",
    hiddenInCard: ({ status }) => status === "active",
  },
];
