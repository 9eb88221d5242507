import { sql } from "drizzle-orm";
import { hasStrongWay, type StrongWaysHere } from "@/lib/auth/credentials/last-way-in";
import type { Role } from "@/lib/auth/roles";
import { hashToken } from "@/lib/auth/secrets";
import { live, strong } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";

/*
 * Starts every change of the ways in which a user logs in. Security: the session must still be live
 * once its user is locked; and if the user has a strong way, a session that proved only a password
 * cannot add another. Both are checked by separate statements after the lock, because a join or
 * subquery of the statement that waits for the lock reads the older snapshot: with a session that
 * has ended since, or without the strong way. Lock order: users, sessions.
 */

/** "weak": the session needs a stronger proof. "ended": it is not live, or has another token. */
export type ChangeRefused = { ok: false; reason: "weak" | "ended" };

export type Change = {
  /** The session's token, if the change replaces it. */
  presented: string | null;
  /**
   * Refuses a weak session if the user has a strong way here. Null: no such check, because the
   * change takes access away or adds no strong way.
   */
  strongWhere: StrongWaysHere | null;
};

export function changeWaysIn<T>(
  db: Db,
  session: Session,
  { presented, strongWhere }: Change,
  work: (tx: Db, role: Role) => Promise<T>,
): Promise<T | ChangeRefused> {
  return db.transaction(async (tx) => {
    const [user] = await tx.execute<{ role: Role }>(sql`
      select role from ${users} where id = ${session.userId} for no key update`);
    const holds = presented ? sql`${sessions.tokenHash} = ${hashToken(presented)}` : sql`true`;
    const [acting] = await tx.execute<{ strong: boolean }>(sql`
      select ${strong} as strong
      from ${sessions} join ${users} on ${users.id} = ${sessions.userId}
      where ${sessions.id} = ${session.id} and ${users.id} = ${session.userId} and ${live}
        and ${holds}
      for update of ${sessions}`);
    if (!user || !acting) return { ok: false, reason: "ended" };
    if (strongWhere && !acting.strong && (await hasStrongWay(tx, session.userId, strongWhere)))
      return { ok: false, reason: "weak" };
    return work(tx, user.role);
  });
}
