import type { Metadata } from "next";
import { Select } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { Badge, PageHeader } from "@/app/_ui/page";
import { database } from "@/lib/db/client";
import { type ListedMember, listMembers } from "@/lib/teams/members";
import { can, roleLabels, type TeamRole, teamRoles } from "@/lib/teams/roles";
import type { MemberScope } from "@/lib/teams/scope";
import { draft } from "@/lib/web/drafts";
import { requireTeam, teamPath } from "@/lib/web/team";
import { changeMemberRole } from "./actions";
import { Invitations, invitationNotices } from "./invitations";

export const metadata: Metadata = { title: "Members" };

const notices = {
  ...invitationNotices,
  "role-changed": "The role is changed. It applies from the member's next request.",
  removed: "The member is removed, and told by email.",
  unchanged: { info: "The member has this role already. Nothing was changed." },
  gone: { info: "This user is no longer a member. Nothing was changed." },
  "last-owner": {
    info: "The team needs an owner. Make another member an owner first. Nothing was changed.",
  },
  "not-allowed": { info: "You are not allowed to do this. Nothing was changed." },
};

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

export default async function MembersPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/settings/members">) {
  const scope = await requireTeam((await params).team, "/settings/members");
  const { notice } = await searchParams;
  const members = await listMembers(database(), scope);
  return (
    <>
      <PageHeader title="Members">
        {members.length === 1 ? "1 member" : `${members.length} members`} of {scope.name}.
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      <ul aria-label="Members" className="card divide-y divide-line">
        {members.map((member) => (
          <MemberRow key={member.userId} scope={scope} member={member} />
        ))}
      </ul>
      <Invitations scope={scope} />
    </>
  );
}

function MemberRow({ scope, member }: { scope: MemberScope; member: ListedMember }) {
  const { userId, name, email, role, joinedAt, lastActiveOn } = member;
  const isSelf = userId === scope.session.userId;
  return (
    <li className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3 p-4 sm:p-5">
      <div className="min-w-0 flex-1 basis-60">
        <h2 className="flex flex-wrap items-center gap-x-2.5 gap-y-1 font-medium wrap-anywhere">
          {name}
          {isSelf && <Badge>You</Badge>}
        </h2>
        <p className="text-sm wrap-anywhere text-muted">{email}</p>
        <p className="mt-1 text-sm text-muted">
          Joined {day.format(joinedAt)} ·{" "}
          {lastActiveOn ? `last active ${day.format(new Date(lastActiveOn))}` : "logged out"}
        </p>
      </div>
      <div className="flex flex-wrap items-center gap-3">
        <Role scope={scope} member={member} />
        {!isSelf && can(scope.role, "remove", { target: role }) && (
          <Link
            href={teamPath(scope.handle, `/settings/members/${userId}/remove`)}
            className="button"
          >
            Remove<span className="sr-only"> {name}</span>
          </Link>
        )}
      </div>
    </li>
  );
}

/** A form with the roles that the acting member may assign, or only the role as text. */
async function Role({
  scope,
  member: { userId, name, role },
}: {
  scope: MemberScope;
  member: ListedMember;
}) {
  const mayGive = (to: TeamRole) => can(scope.role, "change-role", { target: role, to });
  const options = Object.fromEntries(teamRoles.filter(mayGive).map((to) => [to, roleLabels[to]]));
  if (Object.keys(options).length === 0) return <p className="py-2 text-sm">{roleLabels[role]}</p>;
  return (
    <Form
      action={changeMemberRole}
      draft={await draft(`change-role ${scope.handle} ${userId}`)}
      className="grid gap-2"
    >
      <input type="hidden" name="team" value={scope.handle} />
      <input type="hidden" name="user" value={userId} />
      <div className="flex gap-2">
        <Select
          name="role"
          label={`Role of ${name}`}
          labelHidden
          options={options}
          defaultValue={role}
        />
        <Submit className="button">
          Save<span className="sr-only"> the role of {name}</span>
        </Submit>
      </div>
    </Form>
  );
}
