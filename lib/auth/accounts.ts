import { desc, eq, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { auditEvents, users } from "@/lib/db/schema";
import { addJob } from "@/lib/jobs";
import { verifyPassword } from "./passwords";
import { type Device, listSessions, type Session } from "./sessions";

/*
 * Owns leaving: taking one's data along, and deleting the account. The security fact: deletion is
 * one transaction that ends everything by cascade and leaves audit rows that name nobody.
 */

export type DeleteAccount = { ok: true } | { ok: false; reason: "incorrect" };

/** Deletes the acting user, who proves it with the password. Nothing brings the account back. */
export async function deleteAccount(
  db: Db,
  session: Session,
  password: string,
): Promise<DeleteAccount> {
  const { email, name } = session.user;
  const proof = await verifyPassword(db, email, password);
  if (proof?.userId !== session.userId) return { ok: false, reason: "incorrect" };

  return db.transaction(async (tx) => {
    await tx.execute(sql`
      with changed as (
        select id as user_id, null::uuid as session_id from ${users} where id = ${session.userId}
        for update)
      ${recordEach("changed", "account-deleted", { ip: null, userAgent: null })}`);
    // The trail stays, for the statistics of an operator; what points at a person goes.
    await tx.execute(sql`
      update ${auditEvents} set ip = null, user_agent = null, session_id = null, detail = '{}'
      where user_id = ${session.userId}`);
    await tx.delete(users).where(eq(users.id, session.userId));
    await addJob(tx, "mail", { mail: "farewell", to: email, name });
    return { ok: true };
  });
}

export type AccountExport = {
  profile: { id: string; email: string; name: string; role: string; createdAt: Date };
  sessions: Device[];
  activity: { at: Date; kind: string; ip: string | null; userAgent: string | null }[];
};

/** Everything the product keeps about the acting user, without secrets. Add your own tables here. */
export async function exportAccount(db: Db, session: Session): Promise<AccountExport> {
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
  if (!profile) throw new Error("exportAccount: this session's user is gone.");
  const activity = await db
    .select({
      at: auditEvents.at,
      kind: auditEvents.kind,
      ip: auditEvents.ip,
      userAgent: auditEvents.userAgent,
    })
    .from(auditEvents)
    .where(eq(auditEvents.userId, session.userId))
    .orderBy(desc(auditEvents.id));
  return { profile, sessions: await listSessions(db, session), activity };
}
