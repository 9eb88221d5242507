import { eq, sql } from "drizzle-orm";
import { listEvents, recordEach } from "@/lib/audit";
import { type Identity, listIdentities } from "@/lib/auth/credentials/identities";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { findTwoFactor } from "@/lib/auth/credentials/two-factor";
import { type Device, listSessions } from "@/lib/auth/sessions/list";
import type { Session } from "@/lib/auth/sessions/lookup";
import { type ApiKey, listApiKeys } from "@/lib/auth/tokens/api-keys";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";

/*
 * Exports a user's data. Security: the export holds only rows of the acting user, without secrets
 * and hashes. Every table with a `user_id` is either read here or listed in
 * tests/lib/auth/account/export.test.ts with the reason why not.
 */

export type AccountExport = {
  profile: { id: string; email: string; name: string; role: string; createdAt: Date };
  sessions: Device[];
  apiKeys: ApiKey[];
  passkeys: { name: string; createdAt: Date; lastUsedAt: Date | null }[];
  twoFactor: { since: Date; recoveryCodes: number } | null;
  connectedAccounts: Identity[];
  activity: {
    at: Date;
    kind: string;
    ip: string | null;
    userAgent: string | null;
    count: number | null;
    byAdministrator: boolean;
  }[];
};

/**
 * Returns everything the product keeps about the acting user, and records an audit event of the
 * export. The caller must check sudo.
 */
export async function exportAccount(db: Db, session: Session): Promise<AccountExport> {
  await db.execute(sql`
    with changed as (
      select id as user_id, ${session.id}::uuid as session_id from ${users}
      where id = ${session.userId})
    ${recordEach("changed", "data-exported", session.client)}`);
  const [profile] = await db
    .select({
      id: users.id,
      email: users.email,
      name: users.name,
      role: users.role,
      createdAt: users.createdAt,
    })
    .from(users)
    .where(eq(users.id, session.userId));
  if (!profile) throw new Error("exportAccount: the session's user does not exist.");
  const events = await listEvents(db, session.userId, { limit: Number.MAX_SAFE_INTEGER });
  const activity = events.map(({ at, kind, ip, userAgent, count, byAdmin }) => ({
    ...{ at, kind, ip, userAgent, count },
    byAdministrator: byAdmin,
  }));
  const passkeys = await listPasskeys(db, session);
  return {
    profile,
    sessions: await listSessions(db, session),
    apiKeys: await listApiKeys(db, session),
    passkeys: passkeys.map(({ name, createdAt, lastUsedAt }) => ({ name, createdAt, lastUsedAt })),
    twoFactor: await findTwoFactor(db, session.userId),
    connectedAccounts: await listIdentities(db, session.userId),
    activity,
  };
}
