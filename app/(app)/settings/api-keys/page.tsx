import type { Metadata } from "next";
import Link from "next/link";
import { CheckboxGroup, Field, Select } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { Badge, PageHeader, Section } from "@/app/_ui/page";
import { Reveal } from "@/app/_ui/reveal";
import { Time } from "@/app/_ui/time";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { type ApiKey, listApiKeys, type Scope } from "@/lib/auth/tokens/api-keys";
import { database } from "@/lib/db/client";
import { draft } from "@/lib/web/drafts";
import { requireSession } from "@/lib/web/session";
import { createKey, revokeKey } from "./actions";

export const metadata: Metadata = { title: "API keys" };

const notices = {
  "key-revoked": "The key is revoked. It no longer works.",
  "key-gone": "That key was already revoked.",
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
    hint: "Add and change them, and delete them where you may.",
  },
};

const expiryLabels = {
  ...Object.fromEntries(apiKeyPolicy.lifetimes.map((days) => [`${days}`, `In ${days} days`])),
  none: "Never",
};

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

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
        <Form action={createKey} draft={await draft("create-key")} className="grid gap-4">
          <Reveal label="Your new key">
            Copy it now: it is not shown again. Keep it secret: it works without your password.
          </Reveal>
          <div className="grid max-w-md gap-4">
            <Field
              name="name"
              label="Name"
              hint="What will use the key, such as “Nightly backup”."
              autoComplete="off"
              maxLength={100}
            />
            <CheckboxGroup name="scopes" label="What it may do" options={scopeLabels} />
            <Select name="expires" label="Expires" options={expiryLabels} defaultValue="90" />
            <Submit className="button-primary justify-self-start">Create key</Submit>
          </div>
        </Form>
      </Section>
      {keys.length === 0 ? (
        <p className="text-sm text-muted">You have no keys yet.</p>
      ) : (
        <ul aria-label="Your keys" className="card divide-y divide-line">
          {keys.map((key) => (
            <KeyRow key={key.id} apiKey={key} />
          ))}
        </ul>
      )}
    </>
  );
}

function KeyRow({ apiKey }: { apiKey: ApiKey }) {
  const { id, name, prefix, scopes, createdAt, expiresAt, expired, lastUsedAt } = apiKey;
  return (
    <li className="grid grid-cols-[1fr_auto] items-start gap-x-4 gap-y-2 p-4 sm:p-5">
      <div className="grid min-w-0 gap-1">
        <h2 className="font-medium wrap-anywhere">{name}</h2>
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
          <code className="font-mono text-muted">{prefix}…</code>
          {expired && <Badge tone="danger">Expired</Badge>}
        </p>
      </div>
      <Form action={revokeKey}>
        <input type="hidden" name="id" value={id} />
        <Submit className="button -my-1 min-h-9 px-3">
          Revoke<span className="sr-only"> {name}</span>
        </Submit>
      </Form>
      <dl className="col-span-2 grid grid-cols-[6rem_1fr] gap-x-2 gap-y-0.5 text-sm lg:grid-cols-[6rem_1fr_6rem_1fr] [&>dt]:text-muted">
        <dt>Scopes</dt>
        <dd>{scopes.join(", ") || "None"}</dd>
        <dt>Last used</dt>
        <dd>{lastUsedAt ? <Time at={lastUsedAt} /> : "Never"}</dd>
        <dt>Created</dt>
        <dd>
          <Time at={createdAt} />
        </dd>
        <dt>Expires</dt>
        <dd>{expiresAt ? day.format(expiresAt) : "Never"}</dd>
      </dl>
    </li>
  );
}
