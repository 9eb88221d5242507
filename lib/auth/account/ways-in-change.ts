import { sql } from "drizzle-orm";
import { hasStrongWay, type WaysHere } from "@/lib/auth/credentials/last-way-in";
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
 * adds none. Judged in two statements, since a subquery of the one that waits for the lock would see what was
 * before.
 */

/** "weak": the session must prove more first. "ended": it is not live any more, or has another token. */
export type ChangeRefused = { ok: false; reason: "weak" | "ended" };

export type Change = {
  /** The session's token, where it gets a new one. */
  presented: string | null;
  /** Refuses a weak session where one of these ways is strong. Null: taking access away needs no more. */
  strongWhere: WaysHere | null;
};

export function changeWaysIn<T>(
  db: Db,
  session: Session,
  { presented, strongWhere }: Change,
  work: (tx: Db, role: Role) => Promise<T>,
): Promise<T | ChangeRefused> {
  return db.transaction(async (tx) => {
    const holds = presented ? sql`${sessions.tokenHash} = ${hashToken(presented)}` : sql`true`;
    const [acting] = await tx.execute<{ role: Role; strong: boolean }>(sql`
      select ${users.role}, ${strong} as strong
      from ${users} join ${sessions} on ${sessions.userId} = ${users.id}
      where ${users.id} = ${session.userId} and ${sessions.id} = ${session.id} and ${live}
        and ${holds}
      for no key update of ${users}`);
    if (!acting) return { ok: false, reason: "ended" };
    if (strongWhere && !acting.strong && (await hasStrongWay(tx, session.userId, strongWhere)))
      return { ok: false, reason: "weak" };
    return work(tx, acting.role);
  });
}
