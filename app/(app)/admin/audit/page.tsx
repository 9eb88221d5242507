import type { Metadata } from "next";
import Link from "next/link";
import { Field, Select } from "@/app/_ui/form";
import { findUser, findUserId } from "@/lib/admin/users";
import { type AuditKind, listAllEvents } from "@/lib/audit";
import { database } from "@/lib/db/client";
import { email, id } from "@/lib/fields";
import { requireAdmin } from "@/lib/web/sudo";
import { Entry, words } from "../entry";
import { address, asked, askedAmong } from "../query";

export const metadata: Metadata = { title: "Audit" };

const perPage = 50;
const kinds = Object.keys(words) as AuditKind[]; // the keys of a Record of them

export default async function AuditPage({ searchParams }: PageProps<"/admin/audit">) {
  const query = await searchParams;
  const user = asked(query, "user");
  const kind = askedAmong(query, "kind", kinds);
  const before = positiveInteger(asked(query, "before"));
  const path = (before?: number) =>
    address("/admin/audit", { user, kind, before: before?.toString() });
  await requireAdmin(path(before));

  const who = user ? await findPerson(user) : undefined;
  const page = { userId: who?.id, kind, before, limit: perPage + 1 };
  const found = who === null ? [] : await listAllEvents(database(), page);
  const shown = found.slice(0, perPage);
  const older = found.length > perPage ? shown.at(-1)?.id : undefined;

  return (
    <>
      <div>
        <h1 className="text-2xl font-semibold tracking-tight">Audit</h1>
        <p className="mt-1 text-muted">
          What happened to accounts in the last year, and who did it, newest first.
        </p>
      </div>
      <form
        method="get"
        action="/admin/audit"
        className="grid items-end gap-3 sm:grid-cols-[1fr_1fr_auto]"
      >
        <Field
          name="user"
          label="User"
          required={false}
          defaultValue={who?.email ?? user}
          maxLength={254}
        />
        <Select
          name="kind"
          label="What"
          options={{ "": "Anything", ...words }}
          defaultValue={kind ?? ""}
        />
        <button type="submit" className="button">
          Filter
        </button>
      </form>
      {shown.length > 0 ? (
        <ol className="card divide-y divide-line">
          {shown.map((entry) => (
            <Entry key={entry.id} entry={entry} />
          ))}
        </ol>
      ) : (
        <p className="rounded-lg border border-dashed border-line-strong p-8 text-center text-muted">
          {who === null ? "There is no user with this address." : "Nothing here."}
        </p>
      )}
      <div className="flex flex-wrap gap-3">
        {before && (
          <Link href={path()} className="button">
            Newest
          </Link>
        )}
        {older && (
          <Link href={path(older)} className="button">
            Older
          </Link>
        )}
        {(user || kind) && (
          <Link href="/admin/audit" className="button border-transparent text-muted">
            Show everything
          </Link>
        )}
      </div>
    </>
  );
}

/** By address, as it is typed, or by id, as pages link here. Null where there is nobody. */
async function findPerson(asked: string): Promise<{ id: string; email: string } | null> {
  const [byId, byEmail] = [id.safeParse(asked), email.safeParse(asked)];
  const found = byEmail.success ? await findUserId(database(), byEmail.data) : null;
  const wanted = byId.success ? byId.data : found;
  return wanted === null ? null : findUser(database(), wanted);
}

function positiveInteger(text: string): number | undefined {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}
