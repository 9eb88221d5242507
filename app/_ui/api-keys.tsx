import type { ReactNode } from "react";
import type { Draft, FormState } from "@/lib/form";
import { CheckboxGroup, Field, Select } from "./field";
import { Form, Submit } from "./form";
import { Badge } from "./page";
import { Reveal } from "./reveal";
import { Time } from "./time";

/* The form and the list of API keys, shared by the pages of a user's keys and a team's keys. */

/** Creates a key and shows it once. */
export function NewApiKey({
  action,
  draft,
  team,
  warning,
  scopes,
  lifetimes,
}: {
  action: (previous: FormState, form: FormData) => Promise<FormState>;
  draft?: Draft;
  /** The team's handle, for a key of a team. */
  team?: string;
  /** Completes the sentence "Keep it secret: …": why the key alone is enough to get in. */
  warning: string;
  /** What a key may do, by scope name. */
  scopes: Record<string, { label: string; hint: string }>;
  /** The lifetimes to choose from, in days. */
  lifetimes: readonly number[];
}) {
  const ends = Object.fromEntries(lifetimes.map((days) => [`${days}`, `In ${days} days`]));
  return (
    <Form action={action} draft={draft} className="grid gap-4">
      {team && <input type="hidden" name="team" value={team} />}
      <Reveal label="Your new key">
        Copy it now: it is not shown again. Keep it secret: {warning}
      </Reveal>
      <div className="grid max-w-md gap-4">
        <Field
          name="name"
          label="Name"
          hint="What will use the key, such as “Nightly backup”."
          autoComplete="off"
          maxLength={100}
        />
        <CheckboxGroup name="scopes" label="What it may do" options={scopes} />
        <Select
          name="expires"
          label="Expires"
          options={{ ...ends, none: "Never" }}
          defaultValue="90"
        />
        <Submit className="button-primary justify-self-start">Create key</Submit>
      </div>
    </Form>
  );
}

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

/** One row of the list of keys. `children` is the form that revokes the key. */
export function ApiKeyRow({
  name,
  prefix,
  scopes,
  createdBy,
  createdAt,
  expiresAt,
  expired,
  lastUsedAt,
  children,
}: {
  name: string;
  prefix: string;
  scopes: string[];
  /** Who created the key, for a key of a team. */
  createdBy?: string;
  createdAt: Date;
  expiresAt: Date | null;
  expired: boolean;
  lastUsedAt: Date | null;
  children: ReactNode;
}) {
  return (
    <li className="grid grid-cols-[1fr_auto] items-start gap-x-4 gap-y-2 p-4 sm:p-5">
      <div className="grid min-w-0 gap-1">
        <h2 className="font-medium wrap-anywhere">{name}</h2>
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm">
          <code className="font-mono text-muted">{prefix}…</code>
          {expired && <Badge tone="danger">Expired</Badge>}
        </p>
      </div>
      {children}
      <dl className="col-span-2 grid grid-cols-[6rem_1fr] gap-x-2 gap-y-0.5 text-sm lg:grid-cols-[6rem_1fr_6rem_1fr] [&>dd]:min-w-0 [&>dd]:wrap-anywhere [&>dt]:text-muted">
        <dt>Scopes</dt>
        <dd>{scopes.join(", ") || "None"}</dd>
        <dt>Last used</dt>
        <dd>{lastUsedAt ? <Time at={lastUsedAt} /> : "Never"}</dd>
        <dt>Created</dt>
        <dd>
          <Time at={createdAt} />
          {createdBy && ` by ${createdBy}`}
        </dd>
        <dt>Expires</dt>
        <dd>{expiresAt ? day.format(expiresAt) : "Never"}</dd>
      </dl>
    </li>
  );
}

/** The button of the form that revokes the key of this name. */
export function Revoke({ name }: { name: string }) {
  return (
    <Submit className="button -my-1 min-h-9 px-3">
      Revoke<span className="sr-only"> {name}</span>
    </Submit>
  );
}
