import { eq, sql } from "drizzle-orm";
import { type IdentityOwner, touchIdentity } from "@/lib/auth/credentials/identities";
import type { CheckedPasskey } from "@/lib/auth/credentials/passkeys";
import { verifyPassword } from "@/lib/auth/credentials/passwords";
import type { Person } from "@/lib/auth/credentials/providers";
import { addMail } from "@/lib/auth/mails/jobs";
import type { SealingKeys } from "@/lib/auth/sealing";
import { createSession } from "@/lib/auth/sessions/create";
import { isStrong } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { providerIds } from "@/lib/provider-ids";
import type { BrowserAccount, KnownBrowser } from "./known-browsers";
import { acceptPasskey } from "./passkey-use";
import {
  consumePendingLogin,
  countPendingAttempt,
  createPendingLogin,
  lockPendingUser,
  type PendingLogin,
} from "./pending-logins";
import { checkSecondFactor, consumeSecondFactor } from "./second-factor";

/*
 * Logs users in. A proof of identity leads to a session, or to a pending login while the second
 * factor of a user with two-factor is missing. Every way to log in ends in `enter`, which decides
 * between the two. Security: the `auth_version` that is read together with the password hash must
 * still be current when the session is inserted, so a login that overlaps with "log out everywhere"
 * or a password change creates no session.
 */

/** The user that a login has identified, and by which methods (`amr`). */
export type Proof = {
  userId: string;
  authVersion: number;
  browserEpoch: number;
  email: string;
  amr: string[];
  twoFactor: boolean;
  /** The id of the passkey or connected account that was used. */
  begunWith?: string | null;
};

/** The browser that logs in. */
export type Browser = {
  persistent: boolean;
  /** The session token that the browser sent. `presentedPending` is its pending-login token. */
  presented: string | null;
  presentedPending?: string | null;
  /** Whether the account knows the browser (known-browsers.ts). If so, the owner gets no mail. */
  knownBrowser: boolean;
  client: Client;
};

export type LogIn =
  | { ok: true; token: string; account: BrowserAccount }
  | { ok: false; reason: "incorrect" | "suspended" }
  /** The first factor was right. `finishLogIn` completes this pending login. */
  | { ok: false; reason: "code-needed"; pending: string };

/** Logs in with email and password. Returns "suspended" only if the password is right. */
export async function logIn(
  db: Db,
  attempt: Browser & { email: string; password: string },
): Promise<LogIn> {
  const verified = await verifyPassword(db, attempt.email, attempt.password);
  if (!verified) return { ok: false, reason: "incorrect" };
  if (verified.suspended) return { ok: false, reason: "suspended" };
  const proof = { ...verified, email: attempt.email, amr: ["pwd"] };
  return db.transaction((tx) => enter(tx, proof, attempt));
}

export type LogInWithPasskey = LogIn | { ok: false; reason: "copied" };

/**
 * Logs in with a passkey, which counts as both factors. "incorrect": this answer was already used,
 * or the passkey was removed after it was checked.
 */
export function logInWithPasskey(
  db: Db,
  passkey: CheckedPasskey,
  browser: Browser,
): Promise<LogInWithPasskey> {
  return db.transaction(async (tx) => {
    const [user] = await tx
      .select({
        userId: users.id,
        authVersion: users.authVersion,
        browserEpoch: users.browserEpoch,
        email: users.email,
        status: users.status,
      })
      .from(users)
      .where(eq(users.id, passkey.userId))
      .for("no key update");
    if (!user) return { ok: false, reason: "incorrect" };
    if (user.status === "suspended") return { ok: false, reason: "suspended" };
    const used = await acceptPasskey(tx, passkey, browser.client);
    if (used === "copied") return { ok: false, reason: "copied" };
    if (used !== "used") return { ok: false, reason: "incorrect" };
    const proof = { ...user, amr: ["passkey"], twoFactor: false, begunWith: passkey.id };
    return enter(tx, proof, browser);
  });
}

/**
 * Logs in with an account at a provider. The provider has identified the account as `person`;
 * `owner` is the user that it is connected to.
 */
export async function logInWithIdentity(
  db: Db,
  owner: IdentityOwner,
  person: Person,
  browser: Browser,
): Promise<LogIn> {
  if (owner.suspended) return { ok: false, reason: "suspended" };
  return db.transaction(async (tx) => {
    await tx.execute(sql`select from ${users} where id = ${owner.userId} for no key update`);
    if (!(await touchIdentity(tx, owner, person.label))) return { ok: false, reason: "incorrect" };
    const proof = { ...owner, amr: [person.provider], begunWith: owner.identityId };
    return enter(tx, proof, browser);
  });
}

/**
 * Creates a session if the proof is complete, else a pending login. "incorrect": a concurrent
 * change to the user made the proof invalid.
 */
async function enter(tx: Db, proof: Proof, browser: Browser): Promise<LogIn> {
  if (proof.twoFactor && !isStrong(proof.amr)) {
    const { persistent, presentedPending = null } = browser;
    const login = { ...proof, persistent, presented: presentedPending };
    const pending = await createPendingLogin(tx, login);
    return pending
      ? { ok: false, reason: "code-needed", pending }
      : { ok: false, reason: "incorrect" };
  }
  const session = await createSession(tx, { ...browser, ...proof });
  if (!session) return { ok: false, reason: "incorrect" };
  if (!browser.knownBrowser)
    await addMail(tx, "new-device", {
      userId: proof.userId,
      to: proof.email,
      client: browser.client,
      at: new Date().toISOString(),
      event: session.event,
      by: (["passkey", ...providerIds] as const).find((id) => proof.amr.includes(id)),
    });
  const { userId, browserEpoch } = proof;
  return { ok: true, token: session.token, account: { userId, browserEpoch } };
}

export type FinishLogIn =
  | {
      ok: true;
      token: string;
      persistent: boolean;
      account: BrowserAccount;
      amr: "otp" | "recovery";
    }
  | { ok: false; reason: "incorrect" | "ended" }
  | { ok: false; reason: "limited"; retryAfter: number };

/**
 * Completes a pending login with its second factor: a code of the app or a recovery code. "ended":
 * the pending login was used, has expired or was tried too often, or its user has changed since.
 */
export async function finishLogIn(
  db: Db,
  pending: PendingLogin,
  code: string,
  browser: Omit<Browser, "persistent" | "presentedPending" | "knownBrowser"> & {
    known: KnownBrowser | null;
    keys: SealingKeys;
  },
): Promise<FinishLogIn> {
  const count = () => countPendingAttempt(db, pending.token);
  const source = browser.known?.strong ? browser.known.id : null;
  const checked = await checkSecondFactor(db, pending, code, { ...browser, source, count });
  if (!checked.ok) return checked;
  const { factor } = checked;
  return db.transaction(async (tx) => {
    const user = await lockPendingUser(tx, pending.token);
    if (!user) return { ok: false, reason: "ended" };
    if (!(await consumeSecondFactor(tx, user, factor, browser.client)))
      return { ok: false, reason: "incorrect" };
    const begun = await consumePendingLogin(tx, pending.token);
    if (!begun) throw new Error("finishLogIn: a pending login ended while its user was locked.");
    const { persistent, begunWith } = begun;
    const proof = { ...user, twoFactor: true, begunWith, amr: [...begun.amr, factor.amr] };
    const knownBrowser = browser.known !== null;
    const entered = await enter(tx, proof, { ...browser, persistent, knownBrowser });
    if (!entered.ok) throw new Error("finishLogIn: a complete proof was refused under the lock.");
    return { ...entered, persistent, amr: factor.amr };
  });
}
