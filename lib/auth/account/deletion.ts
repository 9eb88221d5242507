import { eq, sql } from "drizzle-orm";
import { recordEach, unknownClient } from "@/lib/audit";
import { isLastAdmin, lockWithAdmins } from "@/lib/auth/last-admin";
import { resetLogInAttempts } from "@/lib/auth/login/attempts";
import { addMail } from "@/lib/auth/mails/jobs";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { deleteJobsAbout } from "@/lib/jobs";

/*
 * Deletes an account. Security: the deletion is one transaction, which ends all access by cascade.
 * The audit rows and jobs that stay identify no user, except the job of the farewell mail, whose
 * row is deleted when the mail is sent or given up (lib/clean-up.ts).
 */

export type DeleteAccount =
  | { ok: true }
  | { ok: false; reason: "ended" | "last-admin" }
  | Exclude<Settled, { ok: true }>;

/** How a deletion treats what the user shares with others. */
export type Settlement = {
  /** Returns other users whose rows the settlement changes, so that they are locked first. */
  involvedUsers(tx: Db, session: Session): Promise<string[]>;
  /** Runs in the transaction of the deletion. Returns a refusal to forbid it. */
  settle(tx: Db, session: Session): Promise<Settled>;
};

/** `teams`: their names. */
export type Settled =
  | { ok: true }
  | { ok: false; reason: "needed-by-teams" | "guarded-teams"; teams: string[] };

const nothingShared: Settlement = {
  involvedUsers: async () => [],
  settle: async () => ({ ok: true }),
};

/**
 * Deletes the acting user, who has just proved their identity (the caller must check sudo). The
 * account cannot be restored. "ended": the session has ended since it was looked up. "last-admin":
 * no active admin would be left. "needed-by-teams" and "guarded-teams" come from `shared`, which is
 * `settleTeams` of lib/teams/account-end.ts.
 */
export async function deleteAccount(
  db: Db,
  session: Session,
  shared: Settlement = nothingShared,
): Promise<DeleteAccount> {
  const { email, name } = session.user;

  return db.transaction(async (tx) => {
    const involved = await shared.involvedUsers(tx, session);
    const locked = await lockWithAdmins(tx, [session.userId, ...involved]);
    // The same lock as a login takes, and no stronger: a concurrent transaction that ends one of
    // the sessions still has to insert its audit event, and the DELETE waits for it.
    const [user] = await tx.execute(sql`
      select from ${users} join ${sessions} on ${sessions.userId} = ${users.id}
      where ${sessions.id} = ${session.id} and ${users.id} = ${session.userId}
        and ${sessions.authVersion} = ${users.authVersion} and ${users.status} = 'active'
      for no key update of ${users}`);
    if (!user) return { ok: false, reason: "ended" };
    if (isLastAdmin(locked, session.userId)) return { ok: false, reason: "last-admin" };
    const settled = await shared.settle(tx, session);
    if (!settled.ok) return settled;
    await tx.delete(sessions).where(eq(sessions.userId, session.userId));
    await tx.execute(sql`
      with changed as (
        select id as user_id, null::uuid as session_id from ${users} where id = ${session.userId})
      ${recordEach("changed", "account-deleted", unknownClient)}`);
    // The audit events stay for an operator's statistics; data that points at a person is erased.
    await tx.execute(sql`
      update ${auditEvents} set ip = null, user_agent = null, session_id = null, detail = '{}'
      where user_id = ${session.userId}`);
    await tx.execute(sql`
      update ${auditEvents} set ip = null, user_agent = null where actor_id = ${session.userId}`);
    await tx.delete(users).where(eq(users.id, session.userId));
    await deleteJobsAbout(tx, { id: session.userId, email });
    await resetLogInAttempts(tx, email); // its key is a hash of the email
    await addMail(tx, "farewell", { to: email, name });
    return { ok: true };
  });
}
