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
 * Logs in apps, and renews their proof of identity later. Security: this is the login of pages
 * (lib/auth/login/log-in.ts) with another kind of session at its end: the same proof, the same
 * check that `auth_version` has not changed, the same cap.
 */

export type LogInApp =
  | { ok: true; session: AppSession; refresh: RefreshToken }
  | { ok: false; reason: "incorrect" | "suspended" | SecondFactorRefusal }
  | Limited;

/** The password was right. "code-needed": the account has two-factor, and the app sent no code. */
type SecondFactorRefusal = "code-needed" | "code-incorrect";
type Limited = { ok: false; reason: "limited"; retryAfter: number };

/** The second factor that an app sends, if any. */
type Otp = { otp?: string; keys?: SealingKeys };

/** Logs in an app. Mails the user each time, as an app cannot show that it has logged in before. */
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

/**
 * Checks the second factor, if the account has one. `use` locks the user and uses up the code, in
 * the transaction that the code authorizes.
 */
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
 * Renews the proof of identity (`authenticated_at`) of an app's session, with the same proof as a
 * login. Rotates nothing: an app has no session token, and each refresh token is used once anyway.
 * An access token copied before the call therefore shares the new proof until it expires,
 * `tokenPolicy.accessToken` after it was issued. A recent proof is required only to end other
 * sessions; a strong one also opens teams that require it.
 *
 * The statement repeats `live`, so that a session that ended while the password was hashed is not
 * confirmed, and one that was idle too long is not revived by the new `last_seen_at`. It locks the
 * user first, and not only with `for key share`: a deletion holds the session while it waits for
 * the user's key, so the two could then deadlock.
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
