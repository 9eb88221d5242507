import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { CheckboxGroup } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { PageHeader, Section } from "@/app/_ui/page";
import { relative } from "@/app/_ui/time";
import { database } from "@/lib/db/client";
import { id as uuid } from "@/lib/fields";
import { findMember, listKeysMadeBy, type MadeKey } from "@/lib/teams/members";
import { can } from "@/lib/teams/roles";
import { draft } from "@/lib/web/drafts";
import { requireTeam, teamPath } from "@/lib/web/team";
import { removeMember } from "./actions";

export const metadata: Metadata = { title: "Remove a member" };

export default async function RemoveMemberPage({
  params,
}: PageProps<"/t/[team]/settings/members/[id]/remove">) {
  const { team, id } = await params;
  const below = `/settings/members/${encodeURIComponent(id)}/remove`;
  const scope = await requireTeam(team, below, "remove");
  const member = uuid.safeParse(id).success ? await findMember(database(), scope, id) : null;
  const isSelf = member?.userId === scope.session.userId;
  if (!member || isSelf || !can(scope.role, "remove", { target: member.role })) notFound();
  const keys = await listKeysMadeBy(database(), scope, member.userId);
  return (
    <>
      <div>
        <Link href={teamPath(scope.handle, "/settings/members")} className="link text-sm">
          Members
        </Link>
        <div className="mt-2">
          <PageHeader title={`Remove ${member.name}`}>{member.email}</PageHeader>
        </div>
      </div>
      <Section tone="danger">
        <Form
          action={removeMember}
          draft={await draft(`remove ${scope.handle} ${member.userId}`)}
          className="grid gap-5"
        >
          <input type="hidden" name="team" value={scope.handle} />
          <input type="hidden" name="user" value={member.userId} />
          <ul className="grid max-w-prose list-disc gap-1.5 pl-5 text-sm">
            <li>They lose access to {scope.name} at once, and are told by email.</li>
            <li>The invitations that they sent stop working.</li>
            <li>What they wrote stays with the team.</li>
            {keys.length === 0 ? (
              <li>They made no API keys for the team.</li>
            ) : (
              <li>
                The API keys that they made belong to the team, and they may have a copy. Those that
                you leave unticked keep working. A key that they make after this page was shown is
                revoked too.
              </li>
            )}
          </ul>
          {keys.length > 0 && (
            <CheckboxGroup name="keys" label="API keys to revoke" options={optionsOf(keys)} />
          )}
          {keys.map(({ id }) => (
            <input key={id} type="hidden" name={`shown-${id}`} value="on" />
          ))}
          <div className="flex flex-wrap gap-3">
            <Submit className="button-danger whitespace-normal">Remove {member.name}</Submit>
            <Link href={teamPath(scope.handle, "/settings/members")} className="button">
              Cancel
            </Link>
          </div>
        </Form>
      </Section>
    </>
  );
}

/** Returns a ticked checkbox for each key. */
function optionsOf(keys: MadeKey[]) {
  return Object.fromEntries(
    keys.map(({ id, name, prefix, lastUsedAt }) => [
      `key-${id}`,
      {
        label: name,
        hint: `${prefix}…, ${lastUsedAt ? `last used ${relative(lastUsedAt)}` : "never used"}`,
        defaultChecked: true,
      },
    ]),
  );
}
