import { and, asc, eq, sql } from "drizzle-orm";
import { hasTwoFactor } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { users } from "@/lib/db/schema/users";
import type { ProviderId } from "@/lib/provider-ids";
import type { Person } from "./providers";

/*
 * Reads and writes the rows of accounts at providers. Security: an account is found by issuer and
 * subject alone, never by an email. Call functions that change rows with the user locked: a removal
 * locks the user too, so a row that is found after the lock stays until the end of the transaction.
 */

/** An account at a provider as its user sees it. */
export type Identity = {
  id: string;
  provider: ProviderId;
  issuer: string;
  label: string;
  createdAt: Date;
  lastUsedAt: Date | null;
};

export async function listIdentities(db: Db, userId: string): Promise<Identity[]> {
  return db
    .select({
      id: identities.id,
      provider: identities.provider,
      issuer: identities.issuer,
      label: identities.label,
      createdAt: identities.createdAt,
      lastUsedAt: identities.lastUsedAt,
    })
    .from(identities)
    .where(eq(identities.userId, userId))
    .orderBy(asc(identities.createdAt), identities.id);
}

/** The user of an account at a provider, with the version that `createSession` requires. */
export type IdentityOwner = {
  identityId: string;
  userId: string;
  authVersion: number;
  browserEpoch: number;
  email: string;
  suspended: boolean;
  twoFactor: boolean;
};

export async function findIdentityOwner(
  db: Db,
  { issuer, subject }: { issuer: string; subject: string },
): Promise<IdentityOwner | null> {
  const [row] = await db
    .select({
      identityId: identities.id,
      userId: users.id,
      authVersion: users.authVersion,
      browserEpoch: users.browserEpoch,
      email: users.email,
      status: users.status,
      twoFactor: hasTwoFactor(users.id),
    })
    .from(identities)
    .innerJoin(users, eq(users.id, identities.userId))
    .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject)));
  if (!row) return null;
  const { status, ...owner } = row;
  return { ...owner, suspended: status === "suspended" };
}

/**
 * Records that the account was used, and its current label. Returns false if it was removed
 * meanwhile: call it with the user locked, in a statement after the lock.
 */
export async function touchIdentity(
  tx: Db,
  { identityId, userId }: { identityId: string; userId: string },
  label: string,
): Promise<boolean> {
  const used = await tx
    .update(identities)
    .set({ lastUsedAt: sql`now()`, label: label.slice(0, 254) })
    .where(and(eq(identities.id, identityId), eq(identities.userId, userId)))
    .returning({ id: identities.id });
  return used.length === 1;
}

/**
 * Inserts an account and returns the id of the row, or null if another user has the account, or
 * this user has another account of the same issuer.
 */
export async function insertIdentity(
  tx: Db,
  userId: string,
  person: Pick<Person, "issuer" | "subject" | "provider" | "label">,
): Promise<string | null> {
  const [row] = await tx
    .insert(identities)
    .values({
      ...{ userId, issuer: person.issuer, subject: person.subject, provider: person.provider },
      label: person.label.slice(0, 254),
    })
    .onConflictDoNothing()
    .returning({ id: identities.id });
  return row?.id ?? null;
}
