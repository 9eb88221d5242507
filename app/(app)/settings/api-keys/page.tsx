import type { Metadata } from "next";
import Link from "next/link";
import { CheckboxGroup, Field, Form, Reveal, Select, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { Time } from "@/app/_ui/time";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { type ApiKey, listApiKeys, type Scope } from "@/lib/auth/tokens/api-keys";
import { database } from "@/lib/db/client";
import { requireSession } from "@/lib/web/session";
import { draft } from "@/lib/web/sudo";
import { createKey, revokeKey } from "./actions";

export const metadata: Metadata = { title: "API keys" };

const notices = {
  "key-revoked": "That key is revoked. Nothing accepts it any more.",
  "key-gone": "That key was revoked already.",
};

const scopeWords: Record<Scope, { label: string; hint: string }> = {
  "profile:read": { label: "profile:read", hint: "Read your name, address and role." },
  "sessions:read": { label: "sessions:read", hint: "See where you are logged in." },
  "sessions:write": {
    label: "sessions:write",
    hint: "Log you out of any device, and of all of them, without your password.",
  },
};

const expiryWords = {
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
      <div>
        <h1 className="text-2xl font-semibold tracking-tight">API keys</h1>
        <p className="mt-1 text-muted">
          For servers and scripts that act in your name.{" "}
          <Link href="/docs/api" className="link">
            How to use one
          </Link>
        </p>
      </div>
      <Notice notice={notice} sentences={notices} />
      <section className="card p-5 sm:p-6">
        <h2 className="mb-4 font-medium">New key</h2>
        <Form action={createKey} draft={await draft("create-key")} className="grid gap-4">
          <Reveal label="Your new key">
            Copy it now: it is not shown again. Whoever has it can use it.
          </Reveal>
          <div className="grid max-w-md gap-4">
            <Field
              name="name"
              label="Name"
              hint="What will use it, like “Nightly backup”."
              autoComplete="off"
              maxLength={100}
            />
            <CheckboxGroup name="scopes" label="What it may do" options={scopeWords} />
            <Select name="expires" label="Expires" options={expiryWords} defaultValue="90" />
            <Submit className="button-primary justify-self-start">Create key</Submit>
          </div>
        </Form>
      </section>
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
          {expired && (
            <span className="rounded-full bg-danger-soft px-2.5 py-0.5 text-xs text-danger">
              Expired
            </span>
          )}
        </p>
      </div>
      <Form action={revokeKey}>
        <input type="hidden" name="id" value={id} />
        <Submit className="button -my-1 min-h-9 px-3">
          Revoke<span className="sr-only"> {name}</span>
        </Submit>
      </Form>
      <dl className="col-span-2 grid grid-cols-[6rem_1fr] gap-x-2 gap-y-0.5 text-sm lg:grid-cols-[6rem_1fr_6rem_1fr] [&>dt]:text-muted">
        <dt>May</dt>
        <dd>{scopes.join(", ") || "Nothing"}</dd>
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
