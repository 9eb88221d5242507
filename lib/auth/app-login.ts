import type { Client } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { addJob } from "@/lib/jobs";
import { verifyPassword } from "./passwords";
import { type AppSession, createRefreshToken, type RefreshToken } from "./refresh";
import { createAppSession } from "./sessions";

/*
 * Owns the login of apps. The security fact: it is the login of pages (login.ts) with another kind of
 * session at its end: the same proof, the same version that must still stand, the same cap.
 */

export type LogInApp =
  | { ok: true; session: AppSession; refresh: RefreshToken }
  | { ok: false; reason: "incorrect" | "suspended" };

/** An app cannot show that it has been here before, so its user is told each time. */
export async function logInApp(
  db: Db,
  attempt: { email: string; password: string; deviceName: string | null; client: Client },
): Promise<LogInApp> {
  const proof = await verifyPassword(db, attempt.email, attempt.password);
  if (!proof) return { ok: false, reason: "incorrect" };
  if (proof.suspended) return { ok: false, reason: "suspended" };
  const amr = ["pwd"];
  return db.transaction(async (tx) => {
    const session = await createAppSession(tx, { ...attempt, ...proof, amr });
    if (!session) return { ok: false, reason: "incorrect" };
    const refresh = await createRefreshToken(tx, session.id);
    await addJob(tx, "mail", {
      ...{ mail: "new-device", userId: proof.userId, to: attempt.email },
      ...{ client: attempt.client, at: new Date().toISOString() },
    });
    const user = { id: proof.userId, role: proof.role };
    return {
      ok: true,
      session: { id: session.id, user, amr, authenticatedAt: new Date() },
      refresh,
    };
  });
}
