import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { verifyPassword } from "@/lib/auth/credentials/passwords";
import { checkSecondFactor, consumeSecondFactor, type Owner } from "@/lib/auth/login/second-factor";
import { addMail } from "@/lib/auth/mails/jobs";
import type { SealingKeys } from "@/lib/auth/sealing";
import { createAppSession } from "@/lib/auth/sessions/create";
import { live, proved } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { type AppSession, createRefreshToken, type RefreshToken } from "./refresh";

/*
 * Owns the login of apps, and their later proof of identity. The security fact: it is the login of
 * pages (lib/auth/login/log-in.ts) with another kind of session at its end: the same proof, the same version that
 * must still stand, the same cap.
 */

export type LogInApp =
  | { ok: true; session: AppSession; refresh: RefreshToken }
  | { ok: false; reason: "incorrect" | "suspended" | SecondFactorRefusal }
  | Limited;

/** The password was right. "code-needed": the account has two-factor, and no code was sent. */
type SecondFactorRefusal = "code-needed" | "code-incorrect";
type Limited = { ok: false; reason: "limited"; retryAfter: number };

/** What an app sends of the second factor, if anything. */
type Otp = { otp?: string; keys?: SealingKeys };

/** An app cannot show that it has been here before, so its user is told each time. */
export async function logInApp(
  db: Db,
  attempt: Otp & { email: string; password: string; deviceName: string | null; client: Client },
): Promise<LogInApp> {
  const proof = await verifyPassword(db, attempt.email, attempt.password);
  if (!proof) return { ok: false, reason: "incorrect" };
  if (proof.suspended) return { ok: false, reason: "suspended" };
  const owner = { userId: proof.userId, email: attempt.email };
  const second = await checkOtp(db, proof.twoFactor, owner, { ...attempt, source: null });
  if (!second.ok) return second;
  const amr = ["pwd", ...second.amr];
  return db.transaction(async (tx) => {
    if (!(await second.use(tx))) return { ok: false, reason: "code-incorrect" };
    const session = await createAppSession(tx, { ...attempt, ...proof, amr });
    if (!session) return { ok: false, reason: "incorrect" };
    const refresh = await createRefreshToken(tx, session.id);
    await addMail(tx, "new-device", {
      ...{ userId: proof.userId, to: attempt.email },
      ...{ client: attempt.client, at: new Date().toISOString(), event: session.event },
    });
    const user = { id: proof.userId, role: proof.role };
    return {
      ok: true,
      session: { id: session.id, user, amr, authenticatedAt: new Date() },
      refresh,
    };
  });
}

type CheckedOtp =
  | { ok: true; amr: string[]; use(tx: Db): Promise<boolean> }
  | { ok: false; reason: SecondFactorRefusal }
  | Limited;

/** `use` locks the user and uses the code up, in the transaction that the code lets through. */
async function checkOtp(
  db: Db,
  twoFactor: boolean,
  owner: Owner,
  { otp, keys = [], source, client }: Otp & { source: string | null; client: Client },
): Promise<CheckedOtp> {
  if (!twoFactor) return { ok: true, amr: [], use: async () => true };
  if (!otp) return { ok: false, reason: "code-needed" };
  const checked = await checkSecondFactor(db, owner, otp, { source, client, keys });
  if (!checked.ok)
    return checked.reason === "limited" ? checked : { ok: false, reason: "code-incorrect" };
  const { factor } = checked;
  return {
    ok: true,
    amr: [factor.amr],
    async use(tx) {
      await tx.execute(sql`select from ${users} where id = ${owner.userId} for no key update`);
      return consumeSecondFactor(tx, owner, factor, client);
    },
  };
}

export type ConfirmApp =
  | { ok: true }
  | { ok: false; reason: "incorrect" | "session-ended" | SecondFactorRefusal }
  | Limited;

/**
 * Renews the proof of identity (`authenticated_at`) of an app's session, by what a login asks.
 * Rotates nothing: an app has no session token, and each refresh token is used once anyway. An access
 * token copied before the call therefore shares the new proof until it expires, `tokenPolicy.accessToken`
 * after it was issued; the only step that asks for a proof is ending other sessions.
 *
 * The statement repeats `live`, so that a session that ended during the hash is not confirmed, and one
 * that is idle for too long is not revived by the new `last_seen_at`. It locks the user first, and
 * not only the user's key: a deletion waits for the key while it holds the session.
 */
export async function confirmApp(
  db: Db,
  app: { sessionId: string; user: { id: string; email: string } },
  { password, client, ...sent }: Otp & { password: string; client: Client },
): Promise<ConfirmApp> {
  const proof = await verifyPassword(db, app.user.email, password);
  if (proof?.userId !== app.user.id) return { ok: false, reason: "incorrect" };
  const owner = { userId: app.user.id, email: app.user.email };
  const by = { ...sent, source: app.sessionId, client };
  const second = await checkOtp(db, proof.twoFactor, owner, by);
  if (!second.ok) return second;
  return db.transaction(async (tx) => {
    if (!(await second.use(tx))) return { ok: false, reason: "code-incorrect" };
    const confirmed = await tx.execute(sql`
      with owner as (select id from ${users} where id = ${app.user.id} for no key update),
      confirmed as (
        update ${sessions} set ${proved(["pwd", ...second.amr])}
        from owner join ${users} on ${users.id} = owner.id
        where ${sessions.id} = ${app.sessionId} and ${sessions.userId} = owner.id
          and ${sessions.kind} = 'app' and ${live}
        returning ${sessions.id} as session_id, ${sessions.userId} as user_id),
      recorded as (${recordEach("confirmed", "session-confirmed", client)})
      select session_id from confirmed`);
    return confirmed.length === 1 ? { ok: true } : { ok: false, reason: "session-ended" };
  });
}
