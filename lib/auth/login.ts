import type { Client } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { verifyPassword } from "./passwords";
import { createSession } from "./sessions";

/*
 * Owns the login: proof, then session. The security fact: the version read together with the
 * password hash must still stand when the session is inserted, so a login that overlaps with "log
 * out everywhere" or a password change logs nobody in. A second factor will stand between the two.
 */

export type LogIn = { ok: true; token: string } | { ok: false; reason: "incorrect" | "suspended" };

/** The reason "suspended" is given to those alone who know the password. */
export async function logIn(
  db: Db,
  attempt: {
    email: string;
    password: string;
    persistent: boolean;
    presented: string | null;
    client: Client;
  },
): Promise<LogIn> {
  const proof = await verifyPassword(db, attempt.email, attempt.password);
  if (!proof) return { ok: false, reason: "incorrect" };
  if (proof.suspended) return { ok: false, reason: "suspended" };
  const session = await createSession(db, { ...attempt, ...proof, amr: ["pwd"] });
  return session ? { ok: true, token: session.token } : { ok: false, reason: "incorrect" };
}
