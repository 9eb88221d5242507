import type { Metadata } from "next";
import { ApiKeyRow, NewApiKey, Revoke } from "@/app/_ui/api-keys";
import { Form } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { EmptyState, PageHeader, Section } from "@/app/_ui/page";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { listTeamKeys, type TeamKey, type TeamKeyScope } from "@/lib/teams/keys";
import { draft } from "@/lib/web/drafts";
import { requireTeam } from "@/lib/web/team";
import { createKeyOfTeam, revokeKeyOfTeam } from "./actions";

export const metadata: Metadata = { title: "API keys of the team" };

const notices = {
  "key-revoked": "The key is revoked. It no longer works.",
  "key-gone": { info: "That key was already revoked." },
};

const scopeLabels: Record<TeamKeyScope, { label: string; hint: string }> = {
  "projects:read": { label: "projects:read", hint: "Read the team's projects and notes." },
  "projects:write": {
    label: "projects:write",
    hint: "Add and change projects and notes, as a member may.",
  },
};

export default async function TeamKeysPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/settings/api-keys">) {
  const scope = await requireTeam((await params).team, "/settings/api-keys", "manage-keys");
  const keys = await listTeamKeys(database(), scope);
  const { notice } = await searchParams;

  return (
    <>
      <PageHeader title="API keys">
        For servers and scripts that work for the team. A key belongs to the team: it keeps working
        when the member who made it leaves.{" "}
        <Link href="/docs/api" className="link">
          How to use an API key
        </Link>
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      <Section
        title="New key"
        description={
          <>
            It opens <code className="font-mono">/api/v1/teams/{scope.handle}/projects</code> and
            what is below.
          </>
        }
      >
        <NewApiKey
          action={createKeyOfTeam}
          draft={await draft(`create-key-of-team ${scope.handle}`)}
          team={scope.handle}
          warning="it opens the team's projects without a password."
          scopes={scopeLabels}
          lifetimes={apiKeyPolicy.lifetimes}
        />
      </Section>
      {keys.length === 0 ? (
        <EmptyState>The team has no keys yet.</EmptyState>
      ) : (
        <ul aria-label="Keys of the team" className="card divide-y divide-line">
          {keys.map((key) => (
            <ApiKeyRow key={key.id} {...key} createdBy={makerOf(key)}>
              <Form action={revokeKeyOfTeam}>
                <input type="hidden" name="team" value={scope.handle} />
                <input type="hidden" name="id" value={key.id} />
                <Revoke name={key.name} />
              </Form>
            </ApiKeyRow>
          ))}
        </ul>
      )}
    </>
  );
}

/** Returns who created the key. A former member may still have a copy of it. */
function makerOf({ createdBy, byMember }: TeamKey): string {
  if (createdBy === null) return "a deleted account";
  return byMember ? createdBy : `${createdBy}, who is no longer a member`;
}
