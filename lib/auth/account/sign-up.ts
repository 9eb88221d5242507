import { type SQL, sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { passkeyRow, spendChallenge } from "@/lib/auth/credentials/passkeys";
import { hashPassword, type PasswordFault, passwordFault } from "@/lib/auth/credentials/passwords";
import type { Person } from "@/lib/auth/credentials/providers";
import {
  type Asked,
  handleOfSignUp,
  type NewPasskey,
  type PasskeySite,
  readRegistration,
} from "@/lib/auth/credentials/webauthn";
import type { BrowserAccount } from "@/lib/auth/login/known-browsers";
import { hashToken } from "@/lib/auth/secrets";
import { createSession } from "@/lib/auth/sessions/create";
import { findSignUp, isOfBrowser } from "@/lib/auth/sign-up-links";
import type { Db } from "@/lib/db/client";
import { unlessTaken } from "@/lib/db/errors";
import { identities } from "@/lib/db/schema/identities";
import { passkeys } from "@/lib/db/schema/passkeys";
import { passwords } from "@/lib/db/schema/passwords";
import { pendingSignUps } from "@/lib/db/schema/pending-sign-ups";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";

/*
 * Turns an email into a user. Security: name and password, or passkey, are chosen behind the mailed
 * link, so an attacker cannot plant one on another user's email, and no account is unverified. The
 * same holds for an account at a provider: a mailed link connects it only in the browser that began
 * the sign-up, and only a provider that assigns the email itself replaces the link.
 */

/** A new, logged-in user: the session's token, and the account for the known-browser cookie. */
export type SignedUp = { ok: true; token: string; account: BrowserAccount };

export type RedeemSignUp =
  | SignedUp
  /** "taken": the account at the provider now belongs to another user. */
  | { ok: false; reason: "dead-link" | "taken" }
  | { ok: false; reason: "password"; fault: PasswordFault };

/**
 * Creates the user of a link and logs them in. Works once, under any number of concurrent calls:
 * the statement that inserts the user deletes the link. A refused password leaves the link
 * unchanged. Without a password, it works only in the browser that began the sign-up with an
 * account at a provider, which is then connected.
 */
export async function redeemSignUp(
  db: Db,
  token: string,
  { name, password }: { name: string; password?: string },
  visit: Visit,
): Promise<RedeemSignUp> {
  const pending = await findSignUp(db, token, visit.browser);
  if (!pending || (password === undefined && !pending.account))
    return { ok: false, reason: "dead-link" };
  const fault =
    password === undefined ? null : await passwordFault(password, [pending.email, name]);
  if (fault) return { ok: false, reason: "password", fault };
  const hash = password === undefined ? null : await hashPassword(password);

  return unlessTaken(db, async (tx) => {
    const link = usedSignUp(token, visit.browser, { ownOnly: hash === null });
    const signedUp = await insertAndLogIn(tx, link, { name, hash }, visit);
    return signedUp ?? { ok: false, reason: "dead-link" };
  });
}

/** Returns the purpose and context of the challenge for a sign-up with a passkey. */
export function signingUpWithPasskey(token: string): Asked {
  return { purpose: "sign-up", context: token };
}

export type RedeemSignUpWithPasskey =
  | SignedUp
  | { ok: false; reason: "dead-link" | "incorrect" | "expired" | "taken" };

/**
 * Like `redeemSignUp`, with a passkey instead of the password. "taken": another user has the
 * passkey, or the account at the provider.
 */
export async function redeemSignUpWithPasskey(
  db: Db,
  token: string,
  chosen: { name: string; answer: string; site: PasskeySite },
  visit: Visit,
): Promise<RedeemSignUpWithPasskey> {
  if (!(await findSignUp(db, token))) return { ok: false, reason: "dead-link" };
  const { name, answer, site } = chosen;
  const read = await readRegistration(site, answer, signingUpWithPasskey(token));
  if (!read.ok) return read;
  return unlessTaken(db, async (tx) => {
    if (!(await spendChallenge(tx, read.challenge))) return { ok: false, reason: "incorrect" };
    const handle = handleOfSignUp(site.secret, token);
    const link = usedSignUp(token, visit.browser);
    const user = { name, passkey: read.passkey, rpId: site.rpId, handle };
    const signedUp = await insertAndLogIn(tx, link, user, visit);
    return signedUp ?? { ok: false, reason: "dead-link" };
  });
}

export type SignUpWithIdentity =
  | SignedUp
  /** Another user has the email, or the account at the provider. */
  | { ok: false; reason: "taken" };

/**
 * Creates a user without a password from what a provider reports, if the provider assigns the email
 * itself: then the account there proves the email as a mailed link would.
 */
export async function signUpWithIdentity(
  db: Db,
  person: Person & { email: string },
  visit: Visit & { persistent: boolean },
): Promise<SignUpWithIdentity> {
  if (!person.authoritative)
    throw new Error("signUpWithIdentity: the provider does not assign this email.");
  const name = person.name ?? person.email.split("@")[0]?.slice(0, 100) ?? "";
  const said = sql`select ${person.email}::text as email, ${person.issuer}::text as issuer,
    ${person.subject}::text as subject, ${person.provider}::text as provider,
    left(${person.label}::text, 254) as label, true as own`;
  return unlessTaken<SignUpWithIdentity>(db, async (tx) => {
    const signedUp = await insertAndLogIn(tx, said, { name, hash: null }, visit);
    return signedUp ?? { ok: false, reason: "taken" };
  });
}

/**
 * Creates a user whose mailbox another mailed link has proved (lib/teams/joining.ts), in the
 * transaction that uses up that link. Returns null if the email has an account. Throws if another
 * account has the passkey.
 */
export function createProvenUser(
  tx: Db,
  email: string,
  chosen: NewUser,
  visit: Visit,
): Promise<SignedUp | null> {
  const proved = sql`select ${email}::text as email, null::text as issuer, null::text as subject,
    null::text as provider, null::text as label, false as own`;
  return insertAndLogIn(tx, proved, chosen, visit);
}

/** How a new user logs in. `hash` is null if the link carries an account at a provider instead. */
export type NewUser = { name: string } & (
  | { hash: string | null }
  | { passkey: NewPasskey; rpId: string; handle: Buffer }
);

export type Visit = {
  presented: string | null;
  /** The browser's cookie for sign-ups that begin at a provider: see `isOfBrowser`. */
  browser?: string | null;
  client: Client;
};

/**
 * Returns SQL that deletes the link and returns what it carries. `ownOnly`: only if that includes
 * an account at a provider that this browser brought.
 */
function usedSignUp(token: string, browser: string | null = null, { ownOnly = false } = {}): SQL {
  return sql`delete from ${pendingSignUps}
    where token_hash = ${hashToken(token)} and expires_at > now()
      ${ownOnly ? sql`and ${isOfBrowser(browser)}` : sql``}
    returning email, issuer, subject, provider, label, ${isOfBrowser(browser)} as own`;
}

/** `link` selects the email, and the account at a provider that is connected if `own` is true. */
async function insertAndLogIn(
  tx: Db,
  link: SQL,
  chosen: NewUser,
  visit: Visit & { persistent?: boolean },
): Promise<SignedUp | null> {
  const user = await insertUser(tx, link, chosen, visit.client);
  if (!user) return null;
  if (!("passkey" in chosen))
    return logIn(tx, user, chosen.hash === null ? byIdentity(user) : { amr: ["pwd"] }, visit);
  // No `on conflict`: if another account has the passkey, the link stays and no user is created.
  const [passkey] = await tx
    .insert(passkeys)
    .values(passkeyRow(user.user_id, chosen.passkey, chosen.rpId))
    .returning({ id: passkeys.id });
  return logIn(tx, user, { amr: ["passkey"], begunWith: passkey?.id }, visit);
}

async function insertUser(
  tx: Db,
  link: SQL,
  chosen: NewUser,
  client: Client,
): Promise<Created | undefined> {
  const { name } = chosen;
  const [hash, handle] = "passkey" in chosen ? [null, chosen.handle] : [chosen.hash, undefined];
  const [user] = await tx.execute<Created>(sql`
    with link as (${link}),
    created as (
      insert into ${users} (email, name ${handle ? sql`, passkey_handle` : sql``})
      select email, ${name}::text ${handle ? sql`, ${handle}::bytea` : sql``} from link
      on conflict (email) where email is not null do nothing
      returning id as user_id, null::uuid as session_id, auth_version, device_epoch),
    secured as (
      insert into ${passwords} (user_id, hash) select user_id, ${hash}::text from created
      where ${hash}::text is not null),
    connected as (
      insert into ${identities} (user_id, issuer, subject, provider, label, last_used_at)
      select user_id, issuer, subject, provider, label, now() from created, link where link.own
      returning id, provider),
    recorded as (${recordEach("created", "signed-up", client)})
    select user_id, auth_version, device_epoch, connected.id as identity_id, connected.provider
    from created left join connected on true`);
  return user;
}

type Proof = { amr: string[]; begunWith?: string };

function byIdentity({ provider, identity_id }: Created): Proof {
  if (!provider || !identity_id) throw new Error("byIdentity: no account was connected.");
  return { amr: [provider], begunWith: identity_id };
}

async function logIn(
  tx: Db,
  user: Created,
  proof: Proof,
  visit: Visit & { persistent?: boolean },
): Promise<SignedUp> {
  const { user_id: userId, auth_version: authVersion, device_epoch: browserEpoch } = user;
  const { presented, client, persistent = true } = visit;
  const session = await createSession(tx, {
    ...{ userId, authVersion, persistent, presented, client },
    ...proof,
  });
  if (!session) throw new Error("logIn: a user made in this transaction cannot be refused.");
  return { ok: true, token: session.token, account: { userId, browserEpoch } };
}

type Created = {
  user_id: string;
  auth_version: number;
  device_epoch: number;
  identity_id: string | null;
  provider: string | null;
};
