import { randomUUID } from "node:crypto";
import type { WaysHere } from "@/lib/auth/credentials/last-way-in";
import type { Person, Provider } from "@/lib/auth/credentials/providers";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { sql } from "./database";
import { site } from "./passkeys";

/* Users as a provider describes them, and their provider accounts as table rows. */

export const issuer = "https://id.example.com";

/** Returns the ways to log in if these providers are configured. */
export const waysWith = (...issuers: string[]): WaysHere => ({ rpId: site.rpId, issuers });

/** A provider that tests refer to but never call. */
export const provider: Provider = {
  ...{ id: "oidc", name: "Example", issuer, clientId: "client", clientSecret: "secret" },
  domains: ["example.com"],
};

/** A new account at the provider, whose email the provider assigns. */
export function person(given: Partial<Person> = {}): Person & { email: string } {
  const subject = given.subject ?? randomUUID();
  const email = `${subject.slice(0, 40)}@example.com`;
  return {
    ...{ issuer, subject, provider: "oidc", label: email, name: "Ada Example" },
    ...{ authoritative: true, authenticatedAt: null },
    ...given,
    email: given.email ?? email,
  };
}

/** Inserts an identity that was connected this long ago. Returns the row's id. */
export async function addIdentity(
  db: Db,
  user: { id: string },
  { issuer, subject, provider, label }: Person = person(),
  { age = "1 day" }: { age?: string } = {},
): Promise<string> {
  const [row] = await db
    .insert(identities)
    .values({ userId: user.id, issuer, subject, provider, label })
    .returning({ id: identities.id });
  if (!row) throw new Error("addIdentity: the insert returned no row.");
  await sql`update identities set created_at = now() - ${age}::interval where id = ${row.id}`;
  return row.id;
}

export async function removePassword(user: { id: string }): Promise<void> {
  await sql`delete from passwords where user_id = ${user.id}`;
}

/** Returns the labels of a user's identities. */
export async function identityLabels(user: { id: string }): Promise<string[]> {
  const rows = await sql<{ label: string }[]>`
    select label from identities where user_id = ${user.id} order by label`;
  return rows.map(({ label }) => label);
}
