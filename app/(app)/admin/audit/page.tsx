import type { Metadata } from "next";
import { Field, Select } from "@/app/_ui/field";
import { EmptyState, PageHeader } from "@/app/_ui/page";
import { Pager } from "@/app/_ui/pager";
import { findUser, findUserId } from "@/lib/admin/users";
import { type AuditKind, listAllEvents } from "@/lib/audit";
import { database } from "@/lib/db/client";
import { email, id } from "@/lib/fields";
import { requireAdmin } from "@/lib/web/sudo";
import { enumParam, stringParam, urlFor } from "../../search-params";
import { AuditRow, eventLabels } from "../audit-row";

export const metadata: Metadata = { title: "Audit log" };

const perPage = 50;
const kinds = Object.keys(eventLabels) as AuditKind[]; // a Record with every kind

export default async function AuditPage({ searchParams }: PageProps<"/admin/audit">) {
  const query = await searchParams;
  const user = stringParam(query, "user");
  const kind = enumParam(query, "kind", kinds);
  const before = positiveInteger(stringParam(query, "before"));
  const path = (before?: number) =>
    urlFor("/admin/audit", { user, kind, before: before?.toString() });
  await requireAdmin(path(before));

  const account = user ? await findAccount(user) : undefined;
  const page = { userId: account?.id, kind, before, limit: perPage + 1 };
  const found = account === null ? [] : await listAllEvents(database(), page);
  const shown = found.slice(0, perPage);
  const older = found.length > perPage ? shown.at(-1)?.id : undefined;

  return (
    <>
      <PageHeader title="Audit log">
        What happened to accounts in the last year, and who did it, newest first.
      </PageHeader>
      <form
        method="get"
        action="/admin/audit"
        className="grid items-end gap-3 sm:grid-cols-[1fr_1fr_auto]"
      >
        <Field
          name="user"
          label="User"
          required={false}
          defaultValue={account?.email ?? user}
          maxLength={254}
        />
        <Select
          name="kind"
          label="Event"
          options={{ "": "All events", ...eventLabels }}
          defaultValue={kind ?? ""}
        />
        <button type="submit" className="button">
          Filter
        </button>
      </form>
      {shown.length > 0 ? (
        <ol className="card divide-y divide-line">
          {shown.map((entry) => (
            <AuditRow key={entry.id} entry={entry} />
          ))}
        </ol>
      ) : (
        <EmptyState>
          {account === null ? "No user has this email or ID." : "No events match."}
        </EmptyState>
      )}
      <Pager
        newest={before ? path() : undefined}
        older={older ? path(older) : undefined}
        clear={user || kind ? "/admin/audit" : undefined}
      />
    </>
  );
}

/**
 * Returns the account by email, as administrators type it, or by id, as pages link here. Null if
 * there is no such user.
 */
async function findAccount(text: string): Promise<{ id: string; email: string } | null> {
  const [byId, byEmail] = [id.safeParse(text), email.safeParse(text)];
  const found = byEmail.success ? await findUserId(database(), byEmail.data) : null;
  const wanted = byId.success ? byId.data : found;
  return wanted === null ? null : findUser(database(), wanted);
}

function positiveInteger(text: string): number | undefined {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}
