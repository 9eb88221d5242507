import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import {
  redeemSignUp,
  redeemSignUpWithPasskey,
  signingUpWithPasskey,
  signUpWithIdentity,
} from "@/lib/auth/account/sign-up";
import { handleOfSignUp } from "@/lib/auth/credentials/webauthn";
import { renderMail } from "@/lib/auth/mails/jobs";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { getSession } from "@/lib/auth/sessions/lookup";
import { createSignUp, findSignUp, type SignUpIdentity } from "@/lib/auth/sign-up-links";
import { db, racingConnections, sql } from "@/tests/support/database";
import { addIdentity, identityLabels, person } from "@/tests/support/identities";
import { site, softPasskey } from "@/tests/support/passkeys";
import { times } from "@/tests/support/races";
import { eventKinds } from "@/tests/support/rows";
import { createUser, opensWith, password } from "@/tests/support/users";

const visit = { presented: null, persistent: true, client: unknownClient };

const usersOf = (email: string) => sql<{ id: string; name: string }[]>`
  select id, name from users where email = ${email}`;

describe("signUpWithIdentity", () => {
  it("creates a user without a password, logged in with the account", async () => {
    const who = person({ name: "Ada Example" });
    const result = await signUpWithIdentity(db, who, visit);
    if (!result.ok) throw new Error(result.reason);
    const [user] = await usersOf(who.email);
    if (!user) throw new Error("There is no user.");
    expect(user.name).toBe("Ada Example");
    expect(await identityLabels(user)).toEqual([who.label]);
    expect(await sql`select from passwords where user_id = ${user.id}`).toHaveLength(0);
    expect((await getSession(db, result.token))?.user.email).toBe(who.email);
    expect(await eventKinds(user)).toEqual(["signed-up", "logged-in"]);
    const [row] = await sql`
      select amr, begun_with = identities.id as own from sessions
      join identities using (user_id) where user_id = ${user.id}`;
    expect(row).toMatchObject({ amr: ["oidc"], own: true });
  });

  it("never connects to an existing user by email, and changes nothing", async () => {
    const user = await createUser(db);
    const who = person({ email: user.email });
    expect(await signUpWithIdentity(db, who, visit)).toEqual({ ok: false, reason: "taken" });
    expect(await identityLabels(user)).toEqual([]);
    expect(await opensWith(db, user, password)).toBe(true);
  });

  it("creates no second user for one account, even if its email has changed", async () => {
    const who = person();
    await addIdentity(db, await createUser(db), who);
    const moved = { ...who, email: `moved-${who.email}` };
    expect(await signUpWithIdentity(db, moved, visit)).toEqual({ ok: false, reason: "taken" });
    expect(await usersOf(moved.email)).toHaveLength(0);
  });

  it("refuses a provider that does not assign the email", async () => {
    const who = person({ authoritative: false });
    await expect(signUpWithIdentity(db, who, visit)).rejects.toThrow("does not assign");
  });

  it("makes one user of thirty first logins", async () => {
    const who = person();
    const racing = racingConnections(30);
    const answers = await Promise.all(times(30, () => signUpWithIdentity(racing.db, who, visit)));
    await racing.sql.end();
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(answers.filter((answer) => !answer.ok && answer.reason === "taken")).toHaveLength(29);
    expect(await usersOf(who.email)).toHaveLength(1);
  });
});

/** Creates a link like the mail of a sign-up that began with an account at a provider. */
async function invite(who = person({ authoritative: false })) {
  const browser = newToken();
  const { issuer, subject, provider, label, email } = who;
  const identity: SignUpIdentity = {
    ...{ issuer, subject, provider, label, name: "Ada" },
    browserHash: hashToken(browser).toString("base64url"),
  };
  const token = await createSignUp(db, email, identity);
  if (!token) throw new Error("The email has an account.");
  return { who, browser, token, identity };
}

const chosen = { name: "Ada Example" };
const redeem = (token: string, browser: string | null, password?: string) =>
  redeemSignUp(db, token, { ...chosen, password }, { ...visit, browser });

describe("a mailed link that carries an account", () => {
  it("connects the account in the browser that began the sign-up, without a password", async () => {
    const { who, browser, token } = await invite();
    const found = await findSignUp(db, token, browser);
    expect(found?.account).toEqual({ provider: "oidc", label: who.label, name: "Ada" });
    const result = await redeem(token, browser);
    expect(result.ok).toBe(true);
    const [user] = await usersOf(who.email);
    expect(user && (await identityLabels(user))).toEqual([who.label]);
    expect(await redeem(token, browser)).toEqual({ ok: false, reason: "dead-link" });
  });

  it("is a plain sign-up in every other browser: the account may be an attacker's", async () => {
    const { who, token } = await invite();
    for (const other of [null, newToken()]) {
      expect(await findSignUp(db, token, other)).toEqual({ email: who.email });
      expect(await redeem(token, other)).toEqual({ ok: false, reason: "dead-link" });
    }
    expect((await redeem(token, newToken(), password)).ok).toBe(true);
    const [user] = await usersOf(who.email);
    expect(user && (await identityLabels(user))).toEqual([]);
    expect(user && (await opensWith(db, { ...user, email: who.email }, password))).toBe(true);
  });

  it("connects the account in a sign-up with a passkey, but in no other browser", async () => {
    for (const own of [true, false]) {
      const { who, browser, token } = await invite();
      const answer = softPasskey(site, Buffer.from(handleOfSignUp(site.secret, token))).made(
        signingUpWithPasskey(token),
      );
      const given = { ...visit, browser: own ? browser : newToken() };
      const result = await redeemSignUpWithPasskey(db, token, { ...chosen, answer, site }, given);
      expect(result.ok).toBe(true);
      const [user] = await usersOf(who.email);
      expect(user && (await identityLabels(user))).toEqual(own ? [who.label] : []);
      const [row] = await sql`
        select amr, begun_with = passkeys.id as own from sessions
        join passkeys using (user_id) where user_id = ${`${user?.id}`}`;
      expect(row).toMatchObject({ amr: ["passkey"], own: true });
    }
  });

  it("is replaced by a newer link, which carries no account", async () => {
    const { who, browser, token } = await invite();
    const newer = await createSignUp(db, who.email);
    expect(await findSignUp(db, token, browser)).toBeNull();
    expect(await findSignUp(db, `${newer}`, browser)).toEqual({ email: who.email });
  });

  it("creates no user if another user has the account by now", async () => {
    const { who, browser, token } = await invite();
    await addIdentity(db, await createUser(db), who);
    expect(await redeem(token, browser)).toEqual({ ok: false, reason: "taken" });
    expect(await usersOf(who.email)).toHaveLength(0);
  });

  it("works once of thirty uses", async () => {
    const { who, browser, token } = await invite();
    const racing = racingConnections(30);
    const answers = await Promise.all(
      times(30, () => redeemSignUp(racing.db, token, chosen, { ...visit, browser })),
    );
    await racing.sql.end();
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await usersOf(who.email)).toHaveLength(1);
  });
});

describe("the mail", () => {
  it("alone reveals whether the email has an account, and explains how to connect it", async () => {
    const { identity, who } = await invite();
    const render = (to: string) =>
      renderMail(db, { mail: "sign-up", to, identity }, "https://app.example");
    expect((await render(who.email))?.text).toMatch(/need no password[\s\S]*\/signup\//);
    const user = await createUser(db);
    const known = await render(user.email);
    expect(known?.text).toContain("Settings → Connected accounts");
    expect(known?.text).not.toContain("/signup/");
  });
});
