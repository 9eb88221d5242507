import { beforeAll, describe, expect, it } from "vitest";
import {
  changeRole,
  logOutDevice,
  logOutEverywhere,
  reinstate,
  removePasskeys,
  suspend,
  turnOffTwoFactor as turnOffTwoFactorOf,
} from "@/lib/admin/actions";
import { unknownClient } from "@/lib/audit";
import { connectIdentity, disconnectIdentity } from "@/lib/auth/account/connected-accounts";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailChange, redeemEmailRestore } from "@/lib/auth/account/email-change";
import { addingPasskey, addPasskey, removePasskey } from "@/lib/auth/account/passkey-change";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import { removePassword, setPassword } from "@/lib/auth/account/password-presence";
import { changeName } from "@/lib/auth/account/profile";
import {
  confirmTwoFactor,
  renewRecoveryCodes,
  startTwoFactor,
  turnOffTwoFactor,
} from "@/lib/auth/account/two-factor-change";
import { checkPasskey } from "@/lib/auth/credentials/passkeys";
import { findStartedApp } from "@/lib/auth/credentials/two-factor";
import { createLink, findLink, type LinkPurpose } from "@/lib/auth/links";
import { findKnownBrowser, rememberAccount } from "@/lib/auth/login/known-browsers";
import { finishLogIn, logInWithPasskey } from "@/lib/auth/login/log-in";
import { createPendingLogin, findPendingLogin } from "@/lib/auth/login/pending-logins";
import { twoFactorPolicy } from "@/lib/auth/policy";
import {
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import { db, sql } from "@/tests/support/database";
import { addIdentity, issuer, person, waysWith } from "@/tests/support/identities";
import { addSoftPasskey, type SoftPasskey, site, softPasskey } from "@/tests/support/passkeys";
import { addApiKey, hasApiKey, userRow } from "@/tests/support/rows";
import { addTwoFactor, authenticator, keys } from "@/tests/support/two-factor";
import {
  createLogin,
  createUser,
  opensWith,
  password,
  type TestUser,
  withPassword,
} from "@/tests/support/users";

const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0";

/*
 * What ends what: a test for each cell of the matrix in lib/auth/README.md. The app's session has
 * no token here, so the test checks its row as `live` does. Checks only read, so the cells of one
 * event share its world.
 */

type World = {
  user: TestUser;
  here: { session: Session; token: string };
  there: { session: Session; token: string };
  app: string;
  links: Record<LinkPurpose, string>;
  /** The cookie of a browser that has logged in before. */
  browser: string;
  pending: string;
  passkey: SoftPasskey & { id: string };
  /** A session begun with the passkey. */
  begun: { session: Session; token: string };
  /** An account at a provider, connected before all events, and a session begun with it. */
  identity: string;
  identityBegun: { session: Session; token: string };
};

type Event = {
  happens(world: World): Promise<unknown>;
  /** Whether each still works afterwards. `here` is the acting session; `links` give access. */
  here: boolean;
  there: boolean;
  app: boolean;
  links: boolean;
  /** The links that undo an attack. */
  undoing: boolean;
  /** The API keys, the unchanged password, and whether the account still knows its browsers. */
  keys: boolean;
  password: boolean;
  browser: boolean;
  /** A login that awaits its second factor. */
  pending: boolean;
  /** The passkey, which is older than the links, and a session begun with it. */
  passkey: boolean;
  begun: boolean;
  /** The connected account, which is older too, and a session begun with it. */
  identity: boolean;
  identityBegun: boolean;
};

type Stands = Omit<Event, "happens">;

const account = { keys: true, password: true, browser: true, passkey: true, identity: true };
const everything: Stands = {
  here: true,
  there: true,
  app: true,
  links: true,
  undoing: true,
  ...{ pending: true, begun: true, identityBegun: true },
  ...account,
};
/** Ends what depends on sessions and mailboxes. Keys, the password and known browsers stay. */
const access: Stands = {
  ...{ here: false, there: false, app: false, links: false, undoing: false, pending: false },
  ...{ begun: false, identityBegun: false },
  ...account,
};
const nothing = { ...access, keys: false, password: false, browser: false };

const events: Record<string, Event> = {
  "log out": {
    ...{ ...everything, here: false },
    happens: ({ here }) => invalidateSession(db, here.session, here.session.id),
  },
  "log out a device": {
    ...{ ...everything, there: false },
    happens: ({ here, there }) => invalidateSession(db, here.session, there.session.id),
  },
  "log out an app": {
    ...{ ...everything, app: false },
    happens: ({ here, app }) => invalidateSession(db, here.session, app),
  },
  "log out other devices": {
    ...{ ...everything, there: false, app: false, begun: false, identityBegun: false },
    happens: ({ here }) => invalidateOtherSessions(db, here.session),
  },
  "log out everywhere": {
    ...{ ...access, links: true, undoing: true },
    happens: ({ user }) => invalidateAllUserSessions(db, user.id),
  },
  "password change": {
    ...{ ...access, here: true, undoing: true, password: false, browser: false },
    async happens({ here }) {
      const change = { presented: here.token, current: password, next: "kelp otter zinc" };
      const answer = await changePassword(db, here.session, change);
      expect(await getSession(db, here.token)).toBeNull();
      if (answer.ok) here.token = answer.token;
    },
  },
  "password reset": {
    ...{ ...access, undoing: true, password: false, browser: false },
    happens: ({ links }) =>
      redeemPasswordReset(
        db,
        links["password-reset"],
        withPassword("kelp otter zinc"),
        unknownClient,
      ),
  },
  "password reset, with all API keys": {
    ...{ ...nothing, undoing: true },
    happens: ({ links }) =>
      redeemPasswordReset(
        db,
        links["password-reset"],
        { password: "kelp otter zinc", revokeApiKeys: true },
        unknownClient,
      ),
  },
  "password reset, since somebody else may have got in": {
    ...{ ...access, undoing: true, password: false, browser: false },
    ...{ passkey: false, identity: false },
    happens: ({ links }) =>
      redeemPasswordReset(
        db,
        links["password-reset"],
        { ...withPassword("kelp otter zinc"), attacked: true },
        unknownClient,
      ),
  },
  "account connected": {
    ...everything,
    async happens({ here }) {
      const who = person({ issuer: "https://other.example" });
      const connected = await connectIdentity(db, here.session, here.token, who);
      expect(await getSession(db, here.token)).toBeNull();
      if (connected.ok) here.token = connected.token;
    },
  },
  "account disconnected": {
    ...{ ...everything, identity: false, identityBegun: false },
    happens: ({ here, identity }) =>
      disconnectIdentity(db, here.session, identity, waysWith(issuer)),
  },
  "e-mail change": {
    ...{ ...access, here: true, undoing: true, keys: false },
    happens: ({ here, links }) =>
      redeemEmailChange(db, links["email-change"], {
        ...{ session: here.session, client: unknownClient },
      }),
  },
  "e-mail change, confirmed in another browser": {
    ...{ ...access, undoing: true, keys: false },
    happens: ({ links }) =>
      redeemEmailChange(db, links["email-change"], { session: null, client: unknownClient }),
  },
  "e-mail change taken back": {
    ...nothing,
    happens: ({ links }) => redeemEmailRestore(db, links["email-restore"], unknownClient),
  },
  "this was not me": {
    ...{ ...nothing, undoing: true },
    happens: ({ links }) => redeemDisownLink(db, links["not-me"], unknownClient),
  },
  suspension: {
    ...{ ...access, keys: false },
    async happens({ user }) {
      expect(await suspend(db, await anAdmin(), user.id, "Spam.")).toEqual({ ok: true });
    },
  },
  "suspension, and then reinstatement": {
    ...{ ...access, keys: false },
    async happens({ user }) {
      await suspend(db, await anAdmin(), user.id, "Spam.");
      expect(await reinstate(db, await anAdmin(), user.id)).toEqual({ ok: true });
    },
  },
  "suspension by hand, in SQL, and then reinstatement": {
    ...{ ...access, links: true, undoing: true },
    async happens({ user }) {
      await sql`update users set status = 'suspended' where id = ${user.id}`;
      await reinstate(db, await anAdmin(), user.id);
    },
  },
  "log out a device, by an administrator": {
    ...{ ...everything, there: false },
    happens: async ({ user, there }) =>
      logOutDevice(db, await anAdmin(), user.id, there.session.id),
  },
  "log out everywhere, by an administrator": {
    ...{ ...access, links: true, undoing: true },
    happens: async ({ user }) => logOutEverywhere(db, await anAdmin(), user.id),
  },
  deletion: {
    ...{ ...nothing, passkey: false, identity: false },
    happens: ({ here }) => deleteAccount(db, here.session),
  },
  "role change": {
    ...everything,
    async happens({ user, here }) {
      expect(await changeRole(db, await anAdmin(), user.id, "admin")).toEqual({ ok: true });
      expect((await getSession(db, here.token))?.user.role).toBe("admin");
    },
  },
  "name change": {
    ...everything,
    happens: ({ here }) => changeName(db, here.session, "Grace Walker"),
  },
  "two-factor on": {
    ...{ ...access, here: true, undoing: true },
    async happens({ here }) {
      await prove(here);
      await startTwoFactor(db, here.session, keys, site);
      await confirmApp(here);
    },
  },
  "two-factor moved": {
    ...{ ...access, here: true, undoing: true },
    async happens({ user, here }) {
      await addTwoFactor(db, user);
      await prove(here);
      await startTwoFactor(db, here.session, keys, site);
      await confirmApp(here);
    },
  },
  "two-factor off": {
    ...{ ...access, here: true, undoing: true },
    async happens({ user, here }) {
      await addTwoFactor(db, user);
      await prove(here);
      const off = await turnOffTwoFactor(db, here.session, here.token, site);
      if (!off.ok) throw new Error(off.reason);
      here.token = off.token;
    },
  },
  "two-factor off, by an administrator": {
    ...{ ...access, undoing: true },
    async happens({ user }) {
      await addTwoFactor(db, user);
      const off = await turnOffTwoFactorOf(db, await anAdmin(), user.id);
      expect(off).toEqual({ ok: true });
    },
  },
  "new recovery codes": {
    ...everything,
    async happens({ user, here }) {
      await addTwoFactor(db, user);
      await prove(here);
      expect((await renewRecoveryCodes(db, here.session, site)).ok).toBe(true);
    },
  },
  "a login with a recovery code": {
    ...everything,
    async happens({ user }) {
      const { recoveryCodes } = await addTwoFactor(db, user);
      expect((await enterCode(user, `${recoveryCodes[0]}`)).ok).toBe(true);
    },
  },
  "the 20th wrong code in a row": {
    ...{ ...everything, password: false, pending: false },
    async happens({ user }) {
      const app = await addTwoFactor(db, user);
      const failures = twoFactorPolicy.failures.retireAt - 1;
      await sql`update totp_secrets set failures = ${failures} where user_id = ${user.id}`;
      expect(await enterCode(user, app.wrong())).toEqual({ ok: false, reason: "incorrect" });
    },
  },
  "passkey added": {
    ...everything,
    async happens({ here }) {
      await prove(here);
      const answer = softPasskey().made(addingPasskey(here.session));
      const given = { presented: here.token, answer, site };
      const added = await addPasskey(db, here.session, given);
      if (!added.ok) throw new Error(added.reason);
      here.token = added.token;
    },
  },
  "passkey removed": {
    ...{ ...everything, begun: false, passkey: false },
    happens: ({ here, passkey }) => removePasskey(db, here.session, passkey.id, site),
  },
  "passkey copied": {
    ...{ ...everything, begun: false },
    async happens({ passkey }) {
      await sql`update passkeys set sign_count = 7 where id = ${passkey.id}`;
      const asked = { purpose: "log-in", context: "" } as const;
      const answer = passkey.used(asked, { signCount: 7 });
      const checked = await checkPasskey(db, site, answer, asked);
      if (!checked.ok) throw new Error(checked.reason);
      const browser = { persistent: true, presented: null, knownBrowser: true };
      await logInWithPasskey(db, checked.passkey, { ...browser, client: unknownClient });
    },
  },
  "passkeys removed, by an administrator": {
    ...{ ...access, undoing: true, passkey: false },
    async happens({ user }) {
      const removed = await removePasskeys(db, await anAdmin(), user.id);
      expect(removed).toEqual({ ok: true });
    },
  },
  "password removed": {
    ...{ ...everything, there: false, app: false, pending: false, password: false },
    async happens({ here, links }) {
      const removed = await removePassword(db, here.session, here.token, site);
      if (!removed.ok) throw new Error(removed.reason);
      here.token = removed.token;
      const reset = await findLink(db, links["password-reset"], "password-reset");
      expect(reset).toBeNull();
    },
  },
  "password set, where there was none": {
    ...{ ...everything, password: false },
    async happens({ user, here }) {
      await sql`delete from passwords where user_id = ${user.id}`;
      const given = { presented: here.token, next: "kelp otter zinc" };
      const set = await setPassword(db, here.session, given);
      if (!set.ok) throw new Error(set.reason);
      here.token = set.token;
    },
  },
  rotation: {
    ...everything,
    async happens({ here }) {
      const rotated = await rotateSession(db, here.token, ["pwd"]);
      expect(await getSession(db, here.token)).toBeNull();
      if (rotated) here.token = rotated.token;
    },
  },
};

/** Enters a code in another browser than those of the world. */
async function enterCode(user: TestUser, code: string): ReturnType<typeof finishLogIn> {
  const token = await createPendingLogin(db, {
    ...{ userId: user.id, authVersion: 1, amr: ["pwd"], persistent: true, presented: null },
  });
  const pending = { token: `${token}`, userId: user.id, email: user.email };
  const browser = { presented: null, known: null, client: unknownClient, keys };
  return finishLogIn(db, pending, code, browser);
}

/** Sets the session's last proof to one with a code. */
async function prove({ session }: World["here"]): Promise<void> {
  await sql`update sessions set last_proof = '{pwd,otp}' where id = ${session.id}`;
}

async function confirmApp(here: World["here"]): Promise<void> {
  const secret = await findStartedApp(db, here.session, keys);
  const code = secret ? authenticator(secret).code() : "";
  const given = { presented: here.token, code, keys, here: site };
  const on = await confirmTwoFactor(db, here.session, given);
  if (!on.ok) throw new Error(on.reason);
  here.token = on.token;
}

async function anAdmin(): Promise<Session> {
  const { session } = await createLogin(db, await createUser(db, { role: "admin" }));
  return session;
}

async function createWorld(): Promise<World> {
  const user = await createUser(db);
  const [app] = await sql<{ id: string }[]>`
    insert into sessions (user_id, kind, auth_version, amr, expires_at)
    values (${user.id}, 'app', 1, '{pwd}', now() + interval '90 days') returning id`;
  const link = (purpose: LinkPurpose, sentTo = user.email) =>
    createLink(db, { userId: user.id, purpose, sentTo });
  await addApiKey(user);
  const passkey = await addSoftPasskey(db, user);
  const begun = await createLogin(db, user, { amr: ["passkey"] });
  await sql`update sessions set begun_with = ${passkey.id} where id = ${begun.session.id}`;
  const identity = await addIdentity(db, user);
  const identityBegun = await createLogin(db, user, { amr: ["oidc"] });
  await sql`update sessions set begun_with = ${identity} where id = ${identityBegun.session.id}`;
  return {
    ...{ user, passkey, begun, identity, identityBegun },
    here: await createLogin(db, user),
    browser: rememberAccount("", { userId: user.id, browserEpoch: 1 }, secret),
    there: await createLogin(db, user),
    pending: `${await createPendingLogin(db, {
      ...{ userId: user.id, authVersion: 1, amr: ["pwd"], persistent: true, presented: null },
    })}`,
    app: `${app?.id}`,
    links: {
      "password-reset": await link("password-reset"),
      "confirm-browser": await link("confirm-browser"),
      "email-change": await link("email-change", `moved-${user.email}`),
      "email-restore": await link("email-restore"),
      "not-me": await link("not-me"),
    },
  };
}

async function isLive(id: string): Promise<boolean> {
  const rows = await sql`
    select from sessions join users on users.id = user_id
    where sessions.id = ${id} and sessions.auth_version = users.auth_version
      and status = 'active'`;
  return rows.length === 1;
}

const is: Record<keyof Stands, (world: World) => Promise<boolean>> = {
  here: async ({ here }) => (await getSession(db, here.token))?.id === here.session.id,
  there: async ({ there }) => (await getSession(db, there.token)) !== null,
  app: ({ app }) => isLive(app),
  links: ({ links }) => anyOf(links, ["password-reset", "confirm-browser", "email-change"]),
  undoing: ({ links }) => anyOf(links, ["email-restore", "not-me"]),
  keys: ({ user }) => hasApiKey(user),
  // Checks the stored hash: a suspended user's password is right but gives no access.
  password: async ({ user }) => (await opensWith(db, await emailed(user), password)) === true,
  pending: async ({ pending }) => (await findPendingLogin(db, pending)) !== null,
  passkey: async ({ passkey }) =>
    (await sql`select from passkeys where id = ${passkey.id}`).length === 1,
  identity: async ({ identity }) =>
    (await sql`select from identities where id = ${identity}`).length === 1,
  begun: async ({ begun }) => (await getSession(db, begun.token)) !== null,
  identityBegun: async ({ identityBegun }) => (await getSession(db, identityBegun.token)) !== null,
  browser: async ({ user, browser }) =>
    (await findKnownBrowser(db, browser, (await emailed(user)).email, secret)) !== null,
};

async function judge(world: World): Promise<Partial<Stands>> {
  const stands: Partial<Stands> = {};
  for (const what of keysOf(is)) stands[what] = await is[what](world);
  return stands;
}

/** Returns the user with their current email. */
async function emailed(user: TestUser): Promise<TestUser> {
  return { ...user, email: (await userRow(user))?.email ?? user.email };
}

async function anyOf(links: World["links"], purposes: LinkPurpose[]): Promise<boolean> {
  const found = await Promise.all(purposes.map((each) => findLink(db, links[each], each)));
  return found.some((link) => link !== null);
}

const keysOf = <K extends string>(record: Record<K, unknown>) => Object.keys(record) as K[];

const names = {
  here: "this session",
  there: "the other web session",
  app: "the app's session",
  links: "the links that give access",
  undoing: "the links that undo an attack",
  keys: "the API keys",
  password: "the password",
  pending: "the pending login",
  passkey: "the passkey",
  begun: "the session that the passkey began",
  identity: "the connected account",
  identityBegun: "the session that the account began",
  browser: "the account's knowledge of its browsers",
};

describe.each(Object.entries(events))("%s", (_, { happens, ...stands }) => {
  const cells = keysOf(names).map((what) => ({
    ...{ what, name: names[what], verb: stands[what] ? "leaves" : "ends", left: stands[what] },
  }));

  let [before, after, ofBystander]: Partial<Stands>[] = [];
  beforeAll(async () => {
    const [world, bystander] = [await createWorld(), await createWorld()];
    before = await judge(world);
    await happens(world);
    [after, ofBystander] = [await judge(world), await judge(bystander)];
  });

  it.each(cells)("$verb $name", ({ what, left }) => {
    expect(before?.[what]).toBe(true);
    expect(after?.[what]).toBe(left);
    expect(ofBystander?.[what]).toBe(true);
  });
});
