import type { Metadata } from "next";
import { ApiKeyRow, NewApiKey, Revoke } from "@/app/_ui/api-keys";
import { Form } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { PageHeader, Section } from "@/app/_ui/page";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { listApiKeys, type Scope } from "@/lib/auth/tokens/api-keys";
import { database } from "@/lib/db/client";
import { draft } from "@/lib/web/drafts";
import { requireSession } from "@/lib/web/session";
import { createKey, revokeKey } from "./actions";

export const metadata: Metadata = { title: "API keys" };

const notices = {
  "key-revoked": "The key is revoked. It no longer works.",
  "key-gone": { info: "That key was already revoked." },
};

const scopeLabels: Record<Scope, { label: string; hint: string }> = {
  "profile:read": { label: "profile:read", hint: "Read your name, email and role." },
  "sessions:read": { label: "sessions:read", hint: "See the devices where you are logged in." },
  "sessions:write": {
    label: "sessions:write",
    hint: "Log you out of any device, and of all of them, without your password.",
  },
  "teams:read": { label: "teams:read", hint: "See your teams, and your role in each." },
  "projects:read": { label: "projects:read", hint: "Read the projects and notes of your teams." },
  "projects:write": {
    label: "projects:write",
    hint: "Add and change them, and delete them where your role allows it.",
  },
};

export default async function ApiKeysPage({ searchParams }: PageProps<"/settings/api-keys">) {
  const session = await requireSession("/settings/api-keys");
  const keys = await listApiKeys(database(), session);
  const { notice } = await searchParams;

  return (
    <>
      <PageHeader title="API keys">
        For servers and scripts that act on your behalf.{" "}
        <Link href="/docs/api" className="link">
          How to use an API key
        </Link>
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      <Section title="New key">
        <NewApiKey
          action={createKey}
          draft={await draft("create-key")}
          warning="it works without your password."
          scopes={scopeLabels}
          lifetimes={apiKeyPolicy.lifetimes}
        />
      </Section>
      {keys.length === 0 ? (
        <p className="text-sm text-muted">You have no keys yet.</p>
      ) : (
        <ul aria-label="Your keys" className="card divide-y divide-line">
          {keys.map((key) => (
            <ApiKeyRow key={key.id} {...key}>
              <Form action={revokeKey}>
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
