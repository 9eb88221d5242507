import type { Metadata } from "next";
import { Checkbox, Field, Select } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { PageHeader, Section } from "@/app/_ui/page";
import { database } from "@/lib/db/client";
import type { Draft } from "@/lib/form";
import { listMembers } from "@/lib/teams/members";
import { teamPolicy } from "@/lib/teams/policy";
import { can } from "@/lib/teams/roles";
import type { MemberScope } from "@/lib/teams/scope";
import { draft } from "@/lib/web/drafts";
import { requireTeam, teamPath } from "@/lib/web/team";
import { deleteTeam, leaveTeam, renameTeam, requireStrong, transferOwnership } from "./actions";

export const metadata: Metadata = { title: "Team" };

const notices = {
  renamed: "The team is renamed.",
  "strong-required": "Members need two-factor or a passkey from their next request.",
  "strong-optional": "A password alone is enough for the team again.",
  transferred: "The ownership is transferred. You are an admin now.",
  confirmed: {
    info: "You have confirmed that it is you. Continue where you were: nothing has been done yet.",
  },
};

export default async function TeamPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/settings/team">) {
  const scope = await requireTeam((await params).team, "/settings/team");
  const { notice } = await searchParams;
  const may = (action: Parameters<typeof can>[1]) => can(scope.role, action);
  return (
    <>
      <PageHeader title="Team" />
      <Notice notice={notice} sentences={notices} />
      {may("rename") && (
        <Section title="Name" description="Members and invited users see it.">
          <Form action={renameTeam} className="grid max-w-md gap-4">
            <TeamField scope={scope} />
            <Field
              name="name"
              label="Name"
              autoComplete="organization"
              maxLength={teamPolicy.nameLength}
              defaultValue={scope.name}
            />
            <Submit className="button-primary justify-self-start">Rename</Submit>
          </Form>
        </Section>
      )}
      {may("require-strong") && <StrongSection scope={scope} />}
      {may("export") && (
        <Section
          title="The team's data"
          description="Members, invitations, API keys without their secrets, and what the team has written, as a JSON file."
        >
          {/* Not a server action: only a route handler can respond with a file. */}
          <form method="post" action={teamPath(scope.handle, "/settings/team/data")}>
            <button type="submit" className="button whitespace-normal">
              Download the team's data
            </button>
          </form>
        </Section>
      )}
      {may("transfer") && <TransferSection scope={scope} />}
      <Section
        tone="danger"
        title="Leave team"
        description="You lose access at once, and the invitations that you sent stop working. API keys that you made stay with the team."
      >
        <Form action={leaveTeam} className="grid gap-4">
          <TeamField scope={scope} />
          <Submit className="button-danger justify-self-start">Leave team</Submit>
        </Form>
      </Section>
      {may("delete") && (
        <Section
          tone="danger"
          title="Delete team"
          description={`Deletes ${scope.name} with all its data at once, for all members. They are told by email. Nothing brings it back.`}
        >
          <Form
            action={deleteTeam}
            draft={await draftFor(scope, "delete-team")}
            className="grid max-w-md gap-4"
          >
            <TeamField scope={scope} />
            <Field
              name="confirmation"
              label="Type the team's name to confirm"
              autoComplete="off"
              maxLength={teamPolicy.nameLength}
            />
            <Submit className="button-danger justify-self-start">Delete team</Submit>
          </Form>
        </Section>
      )}
    </>
  );
}

function TeamField({ scope }: { scope: MemberScope }) {
  return <input type="hidden" name="team" value={scope.handle} />;
}

async function StrongSection({ scope }: { scope: MemberScope }) {
  return (
    <Section
      title="Security"
      description="Members who log in with a password alone see nothing of the team until they set up two-factor or a passkey. The team's API keys keep working. You must have one of the two yourself: otherwise you would lock yourself out."
    >
      <Form
        action={requireStrong}
        draft={await draftFor(scope, "require-strong")}
        className="grid gap-4"
      >
        <TeamField scope={scope} />
        <Checkbox
          name="required"
          label="Require two-factor or a passkey"
          defaultChecked={scope.requiresStrong}
        />
        <Submit className="button justify-self-start">Save</Submit>
      </Form>
    </Section>
  );
}

async function TransferSection({ scope }: { scope: MemberScope }) {
  const others = (await listMembers(database(), scope)).filter(
    ({ userId }) => userId !== scope.session.userId,
  );
  const options = others.map(({ userId, name, email }) => [userId, `${name} (${email})`]);
  return (
    <Section
      tone="danger"
      title="Transfer ownership"
      description="Another member becomes an owner, and you become an admin. Both of you are told by email. To share the ownership, change the member's role instead."
    >
      {others.length === 0 ? (
        <p className="text-sm">The team has no other member.</p>
      ) : (
        <Form
          action={transferOwnership}
          draft={await draftFor(scope, "transfer")}
          className="grid max-w-md gap-4"
        >
          <TeamField scope={scope} />
          <Select
            name="user"
            label="New owner"
            options={{ "": "Choose a member", ...Object.fromEntries(options) }}
            defaultValue=""
          />
          <Submit className="button-danger justify-self-start">Transfer ownership</Submit>
        </Form>
      )}
    </Section>
  );
}

/** Returns the draft of this form if it was typed on this team's page, not on another team's. */
async function draftFor(scope: MemberScope, form: string): Promise<Draft | undefined> {
  const kept = await draft(form);
  return kept?.values.team === scope.handle ? kept : undefined;
}
