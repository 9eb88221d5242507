import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type AdminActor,
  type AdminResult,
  changeRole,
  logOutDevice,
  logOutEverywhere,
  operator,
  reinstate,
  removePasskeys,
  sendReset,
  suspend,
  turnOffTwoFactor,
} from "@/lib/admin/actions";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { createLink } from "@/lib/auth/links";
import { logIn } from "@/lib/auth/login/log-in";
import { createSession } from "@/lib/auth/sessions/create";
import {
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { db, sql } from "@/tests/support/database";
import { addSoftPasskey } from "@/tests/support/passkeys";
import { collide } from "@/tests/support/races";
import { eventRows, jobRows, linkRows, mailKinds, sessionRows } from "@/tests/support/rows";
import { addTwoFactor } from "@/tests/support/two-factor";
import {
  createLogin,
  createUser,
  newPassword,
  password,
  type TestUser,
  withPassword,
} from "@/tests/support/users";

const client = { ip: "203.0.113.50", userAgent: "Admin's Browser" };
const notAllowed = { ok: false, reason: "not-allowed" };
const gone = { ok: false, reason: "gone" };
const lastAdmin = { ok: false, reason: "last-admin" };
const unchanged = { ok: false, reason: "unchanged" };

type Admin = { user: TestUser; session: Session; token: string };

async function anAdmin(): Promise<Admin> {
  const user = await createUser(db, { role: "admin" });
  const { session, token } = await createLogin(db, user);
  return { user, token, session: { ...session, client } };
}

/** Creates a user with a browser session, an app, a key and links of both kinds. */
async function aUser() {
  const user = await createUser(db);
  const login = await createLogin(db, user);
  await sql`
    insert into sessions (user_id, kind, auth_version, amr, expires_at)
    values (${user.id}, 'app', 1, '{pwd}', now() + interval '90 days')`;
  await sql`
    insert into api_keys (user_id, name, prefix, key_hash, scopes)
    values (${user.id}, 'Deploy', 'lk_live_abcd', sha256(${randomUUID()}::bytea), '{profile:read}')`;
  for (const purpose of ["password-reset", "not-me"])
    await sql`
      insert into links (token_hash, user_id, purpose, sent_to, expires_at)
      values (sha256(${randomUUID()}::bytea), ${user.id}, ${purpose}, ${user.email}, now() + interval '1 day')`;
  return { user, ...login };
}

/** Returns everything that an act could change about a user. */
async function everythingOf({ id, email }: TestUser) {
  return {
    user: await sql`select * from users where id = ${id}`,
    passwords: await sql`select * from passwords where user_id = ${id}`,
    keys: await sql`select * from api_keys where user_id = ${id}`,
    sessions: await sessionRows({ id }),
    links: await linkRows({ id }),
    secrets: await sql`select * from totp_secrets where user_id = ${id}`,
    passkeys: await sql`select * from passkeys where user_id = ${id}`,
    events: await eventRows({ id }),
    jobs: await jobRows({ id, email }),
  };
}

type Target = Awaited<ReturnType<typeof aUser>>;

const acts: Record<string, (db: Db, actor: AdminActor, target: Target) => Promise<AdminResult>> = {
  changeRole: (db, actor, { user }) => changeRole(db, actor, user.id, "admin"),
  suspend: (db, actor, { user }) => suspend(db, actor, user.id, "Spam."),
  reinstate: (db, actor, { user }) => reinstate(db, actor, user.id),
  logOutDevice: (db, actor, { user, session }) => logOutDevice(db, actor, user.id, session.id),
  logOutEverywhere: (db, actor, { user }) => logOutEverywhere(db, actor, user.id),
  sendReset: (db, actor, { user }) => sendReset(db, actor, user.id),
  turnOffTwoFactor: (db, actor, { user }) => turnOffTwoFactor(db, actor, user.id),
  removePasskeys: (db, actor, { user }) => removePasskeys(db, actor, user.id),
};

/** Creates a target for the act: only a suspended user can be reinstated, for example. */
async function targetFor(name: string): Promise<Target> {
  const target = await aUser();
  if (name === "turnOffTwoFactor") await addTwoFactor(db, target.user);
  if (name === "removePasskeys") await addSoftPasskey(db, target.user);
  if (name === "reinstate")
    await sql`update users set status = 'suspended' where id = ${target.user.id}`;
  return target;
}

/** Actors whose act is refused, by what happened to them after their session was looked up. */
const actors: Record<string, () => Promise<Session>> = {
  "a user": async () => (await createLogin(db, await createUser(db))).session,
  "an admin whose last proof was a password alone": async () => {
    const { session } = await anAdmin();
    await sql`update sessions set last_proof = '{pwd}' where id = ${session.id}`;
    return session;
  },
  "an admin who was demoted a moment ago": () => was("role = 'user'"),
  "an admin who was suspended a moment ago": () => was("status = 'suspended'"),
  "an admin who was logged out everywhere a moment ago": () =>
    was("auth_version = auth_version + 1"),
  "an admin whose session was ended a moment ago": async () => {
    const { session } = await anAdmin();
    await invalidateSession(db, session, session.id);
    return session;
  },
  "an admin whose session ran out a moment ago": async () => {
    const { session } = await anAdmin();
    await sql`update sessions set expires_at = now() where id = ${session.id}`;
    return session;
  },
  "an admin whose account is gone": async () => {
    const { session, user } = await anAdmin();
    await sql`delete from users where id = ${user.id}`;
    return session;
  },
  "an admin with another user's session": async () => {
    const [{ session }, other] = [await anAdmin(), await anAdmin()];
    return { ...session, id: other.session.id };
  },
};

async function was(change: string): Promise<Session> {
  const { user, session } = await anAdmin();
  await sql.unsafe(`update users set ${change} where id = '${user.id}'`);
  return session;
}

describe.each(Object.entries(acts))("%s", (name, act) => {
  it("by an admin writes one event that names both users, and mails the target", async () => {
    const [admin, target] = [await anAdmin(), await targetFor(name)];
    expect(await act(db, admin.session, target)).toEqual({ ok: true });
    const [event, ...more] = await sql`
      select user_id, actor_id, host(ip) as ip, user_agent, detail->>'by' as by
      from audit_events where actor_id = ${admin.user.id} and user_id = ${target.user.id}`;
    expect(more).toEqual([]);
    expect(event).toMatchObject({ ip: client.ip, user_agent: client.userAgent });
    expect(event?.by).toBe("administrator");
    expect(await mailKinds({ email: target.user.email })).toHaveLength(1);
  });

  it("changes nothing of the admin or of other users", async () => {
    const [admin, target, bystander] = [await anAdmin(), await targetFor(name), await aUser()];
    const before = [await everythingOf(bystander.user), await everythingOf(admin.user)];
    expect(await act(db, admin.session, target)).toEqual({ ok: true });
    expect([await everythingOf(bystander.user), await everythingOf(admin.user)]).toEqual(before);
  });

  it.each(Object.entries(actors))("is refused to %s", async (_, actor) => {
    const [session, target] = [await actor(), await targetFor(name)];
    const before = await everythingOf(target.user);
    expect(await act(db, session, target)).toEqual(notAllowed);
    expect(await everythingOf(target.user)).toEqual(before);
  });

  it("reveals only to an admin that the target is gone", async () => {
    const missing = { ...(await aUser()), user: { id: randomUUID(), email: "", name: "" } };
    expect(await act(db, (await anAdmin()).session, missing)).toEqual(gone);
    const { session } = await createLogin(db, await createUser(db));
    expect(await act(db, session, missing)).toEqual(notAllowed);
  });

  it("changes nothing if its transaction fails", async () => {
    const [admin, target] = [await anAdmin(), await targetFor(name)];
    const before = await everythingOf(target.user);
    const from = { ...admin.session, client: { ip: "not an address", userAgent: null } };
    await expect(act(db, from, target)).rejects.toThrow();
    expect(await everythingOf(target.user)).toEqual(before);
  });

  it("can be run from the command line, with an event without an actor", async () => {
    const target = await targetFor(name);
    expect(await act(db, operator, target)).toEqual({ ok: true });
    const event = (await eventRows(target.user)).at(-1);
    expect(event).toMatchObject({ ip: null, user_agent: null, detail: { by: "operator" } });
  });
});

describe.each(Object.entries(acts).filter(([name]) => name !== "sendReset"))(
  "%s, of oneself",
  (_, act) => {
    it.each(["as it is", "in capitals"])("is refused, the id written %s", async (how) => {
      const admin = await anAdmin();
      const id = how === "in capitals" ? admin.user.id.toUpperCase() : admin.user.id;
      const before = await everythingOf(admin.user);
      expect(await act(db, admin.session, { ...admin, user: { ...admin.user, id } })).toEqual(
        notAllowed,
      );
      expect(await everythingOf(admin.user)).toEqual(before);
    });
  },
);

/** Takes an admin's right to act on another connection; `other` is the admin on another device. */
type End = (db: Db, admin: Admin, other: { session: Session; token: string }) => Promise<unknown>;

const ends: Record<string, End> = {
  "is demoted": (db, { user }) => changeRole(db, operator, user.id, "user"),
  "is suspended": (db, { user }) => suspend(db, operator, user.id, "Test."),
  "is logged out by another admin": (db, { user, session }) =>
    logOutDevice(db, operator, user.id, session.id),
  "is logged out everywhere": (db, { user }) => invalidateAllUserSessions(db, user.id),
  "logs the device out on another": (db, { session }, other) =>
    invalidateSession(db, other.session, session.id),
  "logs all others out on another device": (db, _, other) =>
    invalidateOtherSessions(db, other.session),
  "changes the password on another device": (db, _, { session, token }) =>
    changePassword(db, session, { presented: token, current: password, next: newPassword }),
  "resets the password": async (db, { user }) => {
    const link = { userId: user.id, purpose: "password-reset", sentTo: user.email } as const;
    return redeemPasswordReset(db, await createLink(db, link), withPassword(newPassword), client);
  },
  "deletes the account on another device": (db, _, other) => deleteAccount(db, other.session),
};

/** Starts the act while the end is uncommitted: it waits for locks and goes on after the commit. */
async function raceWith(end: End, name: string, act: (typeof acts)[string]) {
  const [admin, target] = [await anAdmin(), await targetFor(name)];
  await anAdmin(); // the last admin could not be demoted, suspended or deleted
  const other = await createLogin(db, admin.user);
  const before = await everythingOf(target.user);
  const [answer] = await collide(
    1,
    (tx) => end(tx, admin, other),
    (db) => act(db, admin.session, target),
  );
  return { answer, before, after: await everythingOf(target.user) };
}

describe.each(Object.entries(ends))("an act of an admin who %s at the same moment", (_, end) => {
  it.each(Object.entries(acts))("%s changes nothing once the end is committed", async (...act) => {
    const { answer, before, after } = await raceWith(end, ...act);
    expect(answer).toEqual(notAllowed);
    expect(after).toEqual(before);
  });

  // A naive variant: it checks the right first, and does not check again after taking the locks.
  it("would be done if the right were checked before the transaction", async () => {
    const { answer, after } = await raceWith(end, "suspend", async (db, actor, target) => {
      const judged = actor !== operator && (await isAdminWithSession(db, actor));
      if (!judged) return { ok: false, reason: "not-allowed" };
      return db.transaction(async (tx) => {
        await tx.execute(query`select from users where id = ${actor.userId} for no key update`);
        await tx.execute(query`select from sessions where id = ${actor.id} for key share`);
        return suspend(tx, operator, target.user.id, "Spam.");
      });
    });
    expect(answer).toEqual({ ok: true });
    expect(after.user[0]?.status).toBe("suspended");
  });

  it("makes the end wait for its commit if it is first", async () => {
    expect(
      await isDoneWhenEnded(end, (tx, { session }, target) => suspend(tx, session, target, "")),
    ).toBe(true);
  });
});

describe("an act that does not lock the actor's session", () => {
  it("would be committed after the session has ended", async () => {
    const end = ends["logs the device out on another"] as End; // it is listed above
    const naive = (tx: Db, _: Admin, target: string) => suspend(tx, operator, target, "");
    expect(await isDoneWhenEnded(end, naive)).toBe(false);
  });
});

/** Returns whether an act that began before the end is committed by the time the end is. */
async function isDoneWhenEnded(
  end: End,
  act: (tx: Db, admin: Admin, target: string) => Promise<AdminResult>,
): Promise<boolean> {
  const [admin, target] = [await anAdmin(), await aUser()];
  await anAdmin();
  const other = await createLogin(db, admin.user);
  const [done] = await collide(
    1,
    async (tx) => expect(await act(tx, admin, target.user.id)).toEqual({ ok: true }),
    async (db) => {
      await end(db, admin, other);
      return db.execute(
        query`select from users where id = ${target.user.id} and status = 'suspended'`,
      );
    },
  );
  return done?.length === 1;
}

async function isAdminWithSession(db: Db, { id, userId }: Session): Promise<boolean> {
  const rows = await db.execute(query`
    select from users join sessions on user_id = users.id
    where users.id = ${userId} and role = 'admin' and status = 'active' and sessions.id = ${id}`);
  return rows.length === 1;
}

describe("changeRole", () => {
  it("takes effect at the next request, and ends no session", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    await changeRole(db, admin.session, target.user.id, "admin");
    expect((await getSession(db, target.token))?.user.role).toBe("admin");
    await changeRole(db, admin.session, target.user.id, "user");
    expect((await getSession(db, target.token))?.user.role).toBe("user");
  });

  it("ends sudo of sessions confirmed before a promotion, and keeps it at a demotion", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    expect(target.session.sudo).toBe("full");
    await changeRole(db, admin.session, target.user.id, "admin");
    expect((await getSession(db, target.token))?.sudo).toBe("expired");
    const demoted = await createUser(db, { role: "admin" });
    const { token } = await createLogin(db, demoted);
    await changeRole(db, admin.session, demoted.id, "user");
    expect((await getSession(db, token))?.sudo).toBe("full");
  });

  it("changes nothing if the user already has the role", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    const before = await everythingOf(target.user);
    expect(await changeRole(db, admin.session, target.user.id, "user")).toEqual(unchanged);
    expect(await everythingOf(target.user)).toEqual(before);
  });
});

describe("suspend", () => {
  it("ends everything at once, keeps the reason, and refuses the target's log-in", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    const { user } = target;
    await suspend(db, admin.session, user.id, "Sent spam.");
    const after = await everythingOf(user);
    expect(after.user[0]).toMatchObject({ status: "suspended", suspension_reason: "Sent spam." });
    expect([after.sessions, [...after.keys], after.links]).toEqual([[], [], []]);
    expect(after.events.at(-1)).toMatchObject({
      kind: "suspended",
      detail: { reason: "Sent spam." },
    });
    expect(await getSession(db, target.token)).toBeNull();
    const attempt = { email: user.email, persistent: true, presented: null, knownBrowser: true };
    const suspended = await logIn(db, { ...attempt, client, password });
    expect(suspended).toEqual({ ok: false, reason: "suspended" });
    const wrong = await logIn(db, { ...attempt, client, password: "not the password" });
    expect(wrong).toEqual({ ok: false, reason: "incorrect" });
  });

  it("changes nothing if already suspended: the first reason stays", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    await suspend(db, admin.session, target.user.id, "First.");
    const before = await everythingOf(target.user);
    expect(await suspend(db, admin.session, target.user.id, "Second.")).toEqual(unchanged);
    expect(await everythingOf(target.user)).toEqual(before);
  });

  // If suspend did not raise auth_version, this login would be live after a reinstatement.
  it("refuses a login in progress, even if the user is soon reinstated", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    const { id } = target.user;
    const logins = await collide(
      10,
      async (tx) => {
        await suspend(tx, admin.session, id, "Spam.");
        await reinstate(tx, admin.session, id);
      },
      (db) =>
        createSession(db, {
          ...{ userId: id, authVersion: 1, amr: ["pwd"], persistent: true },
          ...{ presented: null, client },
        }),
    );
    expect(logins).toEqual(Array(10).fill(null));
    expect(await sessionRows(target.user)).toEqual([]);
  });

  it("suspends once if several admins act at the same moment", async () => {
    const target = await aUser();
    const admins = await Promise.all(Array.from({ length: 5 }, anAdmin));
    const answers = await collide(
      5,
      (tx) => tx.execute(query`select from users where id = ${target.user.id} for update`),
      (db, index) => suspend(db, admins[index]?.session ?? operator, target.user.id, `${index}`),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await mailKinds({ email: target.user.email })).toEqual(["suspended"]);
  });
});

describe("reinstate", () => {
  it("lets the user log in again, and restores no session", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    await suspend(db, admin.session, target.user.id, "Spam.");
    await reinstate(db, admin.session, target.user.id);
    expect(await getSession(db, target.token)).toBeNull();
    const [row] = await sql`select suspension_reason from users where id = ${target.user.id}`;
    expect(row).toEqual({ suspension_reason: null });
    expect(await createLogin(db, target.user)).toBeTruthy();
  });

  it("changes nothing if the user is not suspended", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    expect(await reinstate(db, admin.session, target.user.id)).toEqual(unchanged);
    expect(await getSession(db, target.token)).not.toBeNull();
  });
});

describe("logOutDevice", () => {
  it("ends the user's session, and refuses one of another user", async () => {
    const [admin, target, other] = [await anAdmin(), await aUser(), await aUser()];
    const ended = await logOutDevice(db, admin.session, target.user.id, other.session.id);
    expect(ended).toEqual(gone);
    expect(await getSession(db, other.token)).not.toBeNull();
    await logOutDevice(db, admin.session, target.user.id, target.session.id);
    expect(await getSession(db, target.token)).toBeNull();
    expect(await sessionRows(target.user)).toHaveLength(1);
  });
});

describe("sendReset", () => {
  it("queues a mail to the owner, without a token that opens the account", async () => {
    const [admin, target] = [await anAdmin(), await aUser()];
    const { passwords, links } = await everythingOf(target.user);
    await sendReset(db, admin.session, target.user.id);
    const [job] = await jobRows({ email: target.user.email });
    expect(job?.payload).toEqual({
      ...{ mail: "password-reset", to: target.user.email, by: "administrator" },
    });
    expect(await everythingOf(target.user)).toMatchObject({ passwords, links });
  });

  it("is refused for a suspended user", async () => {
    const [admin, target] = [await anAdmin(), await targetFor("reinstate")];
    const before = await everythingOf(target.user);
    expect(await sendReset(db, admin.session, target.user.id)).toEqual({
      ...{ ok: false, reason: "suspended" },
    });
    expect(await everythingOf(target.user)).toEqual(before);
  });
});

describe("turnOffTwoFactor", () => {
  it("ends everything of the target, whose login then needs no code", async () => {
    const { session: actor } = await anAdmin();
    const { user, token } = await aUser();
    await addTwoFactor(db, user);
    expect(await turnOffTwoFactor(db, actor, user.id)).toEqual({ ok: true });
    expect(await getSession(db, token)).toBeNull();
    expect(await mailKinds(user)).toContain("two-factor-removed");
    expect((await eventRows(user)).at(-1)).toMatchObject({
      ...{ kind: "two-factor-off", detail: { by: "administrator" } },
    });
    const browser = { persistent: true, presented: null, knownBrowser: true, client };
    expect(await logIn(db, { email: user.email, password, ...browser })).toMatchObject({
      ok: true,
    });
    expect(await turnOffTwoFactor(db, operator, user.id)).toEqual(unchanged);
  });
});

describe("removePasskeys", () => {
  it("removes all passkeys and ends everything, even if no way to log in is left", async () => {
    const { session: actor } = await anAdmin();
    const [{ user, token }, other] = [await aUser(), await aUser()];
    await sql`delete from passwords where user_id = ${user.id}`;
    for (const owner of [user, user, other.user]) await addSoftPasskey(db, owner);
    expect(await removePasskeys(db, actor, user.id)).toEqual({ ok: true });
    expect(await listPasskeys(db, { userId: user.id })).toEqual([]);
    expect(await listPasskeys(db, { userId: other.user.id })).toHaveLength(1);
    expect(await getSession(db, token)).toBeNull();
    expect(await mailKinds(user)).toContain("passkeys-removed");
    expect((await eventRows(user)).at(-1)).toMatchObject({
      ...{ kind: "passkeys-removed", detail: { by: "administrator" } },
    });
    expect(await removePasskeys(db, operator, user.id)).toEqual(unchanged);
  });
});

describe("the last admin", () => {
  beforeEach(async () => {
    await sql`update users set role = 'user'`;
  });

  const activeAdmins = async () =>
    (await sql`select from users where role = 'admin' and status = 'active'`).length;

  it.each([
    ["demoted", (id: string) => changeRole(db, operator, id, "user")],
    ["suspended", (id: string) => suspend(db, operator, id, "Test.")],
  ])("is not %s, also not from the command line", async (_, act) => {
    const { user } = await anAdmin();
    const before = await everythingOf(user);
    expect(await act(user.id)).toEqual(lastAdmin);
    expect(await everythingOf(user)).toEqual(before);
    const second = await anAdmin();
    await sql`update users set status = 'suspended' where id = ${second.user.id}`;
    expect(await act(user.id)).toEqual(lastAdmin); // a suspended admin cannot administer
    await anAdmin();
    expect(await act(user.id)).toEqual({ ok: true });
  });

  it("cannot delete their own account, while one of two admins can", async () => {
    const [first, second] = [await anAdmin(), await anAdmin()];
    expect(await deleteAccount(db, first.session)).toEqual({ ok: true });
    const before = await everythingOf(second.user);
    expect(await deleteAccount(db, second.session)).toEqual(lastAdmin);
    expect(await everythingOf(second.user)).toEqual(before);
  });

  it("lets every other user delete their account", async () => {
    await anAdmin();
    const { session } = await aUser();
    expect(await deleteAccount(db, session)).toEqual({ ok: true });
  });

  /** Two admins do this to each other, or to themselves, at the same moment. */
  const races: Record<string, (db: Db, me: Admin, other: Admin) => Promise<{ ok: boolean }>> = {
    "two who demote each other": (db, me, other) =>
      changeRole(db, me.session, other.user.id, "user"),
    "two who suspend each other": (db, me, other) =>
      suspend(db, me.session, other.user.id, "Test."),
    "two who delete their own accounts": (db, me) => deleteAccount(db, me.session),
    "two demoted from the command line": (db, me) => changeRole(db, operator, me.user.id, "user"),
  };

  const race = async (act: (db: Db, me: Admin, other: Admin) => Promise<{ ok: boolean }>) => {
    const admins = [await anAdmin(), await anAdmin()] as const;
    const answers = await collide(
      2,
      (tx) => tx.execute(query`select from users where role = 'admin' for update`),
      (db, index) => act(db, admins[index === 0 ? 0 : 1], admins[index === 0 ? 1 : 0]),
    );
    return answers.filter(({ ok }) => ok).length;
  };

  it.each(Object.entries(races))("%s: one of them wins, and one admin stays", async (_, act) => {
    expect(await race(act)).toBe(1);
    expect(await activeAdmins()).toBe(1);
  });

  // A naive variant: it counts the other admins without locks, so each still counts the other.
  it("no admin would stay if the admins were counted without locks", async () => {
    const naive = async (db: Db, me: Admin) => {
      const demoted = await db.execute(query`
        update users set role = 'user' where id = ${me.user.id} and exists (
          select from users where role = 'admin' and status = 'active' and id <> ${me.user.id})
        returning id`);
      return { ok: demoted.length === 1 };
    };
    expect(await race(naive)).toBe(2);
    expect(await activeAdmins()).toBe(0);
  });
});
