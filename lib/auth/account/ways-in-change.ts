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
 * The start of every change of the ways in which a user logs in. The security facts: the session must still be
 * live once its user is locked; and where the user has a strong way, a session that proved a password alone
 * adds none. Judged in statements of their own, since a join or subquery of the one that waits for the lock
 * sees what was before: a session that ended meanwhile, or no strong way yet. Lock order: users, sessions.
 */

/** "weak": the session must prove more first. "ended": it is not live any more, or has another token. */
export type ChangeRefused = { ok: false; reason: "weak" | "ended" };

export type Change = {
  /** The session's token, where it gets a new one. */
  presented: string | null;
  /** Refuses a weak session where one of these ways is strong. Null: taking access away needs no more. */
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
