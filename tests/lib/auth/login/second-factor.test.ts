import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import {
  consumeRecoveryCode,
  countRecoveryCodes,
  isRecoveryCode,
} from "@/lib/auth/credentials/recovery-codes";
import { findStep } from "@/lib/auth/credentials/two-factor";
import { confirmSession } from "@/lib/auth/login/confirm";
import { type KnownBrowser, knownBrowser, rememberAccount } from "@/lib/auth/login/known-browsers";
import { finishLogIn, logIn } from "@/lib/auth/login/log-in";
import {
  consumePendingLogin,
  findPendingLogin,
  type PendingLogin,
} from "@/lib/auth/login/pending-logins";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import { getSession } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { countedConnection, db, racingConnections, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import { eventKinds, mailKinds, sessionRows } from "@/tests/support/rows";
import { addTwoFactor, keys } from "@/tests/support/two-factor";
import { createLogin, createUser, opensWith, password, type TestUser } from "@/tests/support/users";

const browser = { presented: null, known: null, client: unknownClient, keys };
const strongBrowser = (id: string) => ({ id, strong: true });
const incorrect = { ok: false, reason: "incorrect" };
const ended = { ok: false, reason: "ended" };

async function createTwoFactorUser() {
  const user = await createUser(db);
  return { user, app: await addTwoFactor(db, user) };
}

async function beginLogIn(user: TestUser, presentedPending?: string): Promise<PendingLogin> {
  const begun = await logIn(db, {
    ...{ email: user.email, password, persistent: true, presentedPending },
    ...{ presented: null, knownBrowser: true, client: unknownClient },
  });
  if (begun.ok || begun.reason !== "code-needed") throw new Error("No code was asked for.");
  const pending = await findPendingLogin(db, begun.pending);
  if (!pending) throw new Error("The pending login is not open.");
  return pending;
}

const failures = async (user: TestUser) =>
  (await sql`select failures from totp_secrets where user_id = ${user.id}`)[0]?.failures;

describe("logIn with two-factor", () => {
  it("creates no session and no event, and its pending login opens nothing", async () => {
    const { user } = await createTwoFactorUser();
    const { token } = await beginLogIn(user);
    expect(await sessionRows(user)).toEqual([]);
    expect(await eventKinds(user)).toEqual([]);
    expect(await mailKinds(user)).toEqual([]);
    expect(await getSession(db, token)).toBeNull();
  });

  // A naive variant without the check after the lock makes a pending login for a retired password.
  it("creates no pending login if the compared password was retired meanwhile", async () => {
    const { user } = await createTwoFactorUser();
    const visit = { persistent: true, presented: null, knownBrowser: true, client: unknownClient };
    const [answer] = await collide(
      1,
      async (tx) => {
        await tx.execute(query`select from users where id = ${user.id} for update`);
        await tx.execute(query`delete from passwords where user_id = ${user.id}`);
      },
      (db) => logIn(db, { email: user.email, password, ...visit }),
    );
    expect(answer).toEqual(incorrect);
  });

  it("replaces the pending login of the same browser, and keeps the 10 newest", async () => {
    const { user } = await createTwoFactorUser();
    const first = await beginLogIn(user);
    await beginLogIn(user, first.token);
    expect(await findPendingLogin(db, first.token)).toBeNull();
    for (const _ of times(12, () => 0)) await beginLogIn(user);
    const [row] = await sql`
      select count(*)::int as n from pending_logins where user_id = ${user.id}`;
    expect(row?.n).toBe(twoFactorPolicy.pendingLoginsPerUser);
  });
});

describe("the statements of a login with two-factor", () => {
  it("are no more than it needs, for the pending login and for the code", async () => {
    const { user, app } = await createTwoFactorUser();
    const counted = await countedConnection();
    const begun = await logIn(counted.db, {
      ...{ email: user.email, password, persistent: true, presented: null },
      ...{ knownBrowser: true, client: unknownClient },
    });
    expect(counted.take()).toEqual(["select", "begin", "select", "with", "commit"]);
    if (begun.ok || begun.reason !== "code-needed") throw new Error("No code was asked for.");
    const pending = { token: begun.pending, userId: user.id, email: user.email };
    const finished = await finishLogIn(counted.db, pending, app.code(), {
      ...browser,
      known: strongBrowser("browser"),
    });
    expect(finished.ok).toBe(true);
    // Two limits, the count of the pending login and the comparison; then the lock, the code, the
    // pending login and the session.
    expect(counted.take()).toEqual([
      ...["insert", "insert", "update", "select"],
      ...["begin", "select", "select", "update", "delete"],
      ...["savepoint", "select", "with", "commit"],
    ]);
  });
});

describe("finishLogIn", () => {
  it("logs in with a code, makes the session strong, and uses up the pending login", async () => {
    const { user, app } = await createTwoFactorUser();
    const pending = await beginLogIn(user);
    const answer = await finishLogIn(
      db,
      pending,
      ` ${app.code().slice(0, 3)} ${app.code().slice(3)}`,
      browser,
    );
    if (!answer.ok) throw new Error(answer.reason);
    expect(await getSession(db, answer.token)).toMatchObject({ strong: true, persistent: true });
    expect(answer.amr).toBe("otp");
    expect(await finishLogIn(db, pending, app.code(1), browser)).toEqual(ended);
    expect(await mailKinds(user)).toEqual(["new-device"]);
  });

  it("logs in with a recovery code as typed, once, and mails how many are left", async () => {
    const { user, app } = await createTwoFactorUser();
    const typed = ` ${app.recoveryCodes[0]?.toLowerCase().replaceAll("-", " ").replaceAll("0", "o").replaceAll("1", "l")}`;
    const answer = await finishLogIn(db, await beginLogIn(user), typed, browser);
    expect(answer).toMatchObject({ ok: true, amr: "recovery" });
    expect(await countRecoveryCodes(db, user.id)).toBe(7);
    expect(await mailKinds(user)).toContain("two-factor-changed");
    expect(await finishLogIn(db, await beginLogIn(user), typed, browser)).toEqual(incorrect);
  });

  it("refuses another user's codes", async () => {
    const [a, b] = [await createTwoFactorUser(), await createTwoFactorUser()];
    for (const code of [b.app.code(), `${b.app.recoveryCodes[0]}`])
      expect(await finishLogIn(db, await beginLogIn(a.user), code, browser)).toEqual(incorrect);
    expect(await sessionRows(a.user)).toEqual([]);
    expect(await countRecoveryCodes(db, b.user.id)).toBe(8);
  });

  it("refuses a code of the step that was used, and of the one before", async () => {
    const { user, app } = await createTwoFactorUser();
    const [before, used] = [app.code(), app.code(1)];
    expect((await finishLogIn(db, await beginLogIn(user), used, browser)).ok).toBe(true);
    for (const code of [used, before])
      expect(await finishLogIn(db, await beginLogIn(user), code, browser)).toEqual(incorrect);
  });

  it.each([
    ["logged out everywhere", (user: TestUser) => invalidateAllUserSessions(db, user.id)],
    [
      "suspended",
      (user: TestUser) => sql`update users set status = 'suspended' where id = ${user.id}`,
    ],
    [
      "too late",
      (user: TestUser) =>
        sql`update pending_logins set expires_at = now() where user_id = ${user.id}`,
    ],
  ])("is refused for a user who is %s meanwhile", async (_, change) => {
    const { user, app } = await createTwoFactorUser();
    const pending = await beginLogIn(user);
    await change(user);
    expect(await findPendingLogin(db, pending.token)).toBeNull();
    const code = `${app.recoveryCodes[0]}`;
    expect(await finishLogIn(db, pending, code, browser)).toEqual(ended);
    expect(await sessionRows(user)).toEqual([]);
    expect(await countRecoveryCodes(db, user.id)).toBe(8);
  });

  it("refuses a code whose key is lost, and accepts recovery codes", async () => {
    const { user, app } = await createTwoFactorUser();
    const lost = { ...browser, keys: [] };
    expect(await finishLogIn(db, await beginLogIn(user), app.code(), lost)).toEqual(incorrect);
    const code = `${app.recoveryCodes[0]}`;
    expect(await finishLogIn(db, await beginLogIn(user), code, lost)).toMatchObject({ ok: true });
  });
});

describe("wrong codes", () => {
  const guess = async (user: TestUser, code: string, known: KnownBrowser | null = null) =>
    finishLogIn(db, await beginLogIn(user), code, { ...browser, known });

  it("end the pending login after five", async () => {
    const { user, app } = await createTwoFactorUser();
    const pending = await beginLogIn(user);
    const wrong = `${app.recoveryCodes[0]}0`; // not counted per user
    for (const _ of times(5, () => 0))
      expect(await finishLogIn(db, pending, wrong, browser)).toEqual(incorrect);
    expect(await finishLogIn(db, pending, app.code(), browser)).toEqual(ended);
    expect(await findPendingLogin(db, pending.token)).toBeNull();
  });

  it("are limited over all pending logins, with a separate count for the owner's known browser", async () => {
    const { user, app } = await createTwoFactorUser();
    for (const _ of times(5, () => 0)) expect(await guess(user, app.wrong())).toEqual(incorrect);
    expect(await guess(user, app.code())).toMatchObject({ ok: false, reason: "limited" });
    expect(await guess(user, `${app.recoveryCodes[0]}`)).toMatchObject({ ok: true });
    expect(await guess(user, app.code(), strongBrowser("browser"))).toMatchObject({ ok: true });
  });

  it("share the user's count in each browser that a mailed link made known", async () => {
    const { user, app } = await createTwoFactorUser();
    const account = { userId: user.id, browserEpoch: 1 };
    const linked = () => knownBrowser(rememberAccount("", account, "secret"), account, "secret");
    for (const _ of times(5, () => 0))
      expect(await guess(user, app.wrong(), linked())).toEqual(incorrect);
    const limited = { ok: false, reason: "limited" };
    expect(await guess(user, app.code(), linked())).toMatchObject(limited);
    expect(await guess(user, app.code())).toMatchObject(limited);
  });

  it("have a separate count in a browser after a login with a code", async () => {
    const { user, app } = await createTwoFactorUser();
    const done = await finishLogIn(db, await beginLogIn(user), app.code(), browser);
    if (!done.ok) throw new Error(done.reason);
    const cookie = rememberAccount("", done.account, "secret", true);
    const known = knownBrowser(cookie, done.account, "secret");
    for (const _ of times(4, () => 0)) await guess(user, app.wrong());
    expect(await guess(user, app.code(1))).toMatchObject({ ok: false, reason: "limited" });
    expect(await guess(user, app.code(1), known)).toMatchObject({ ok: true });
  });

  it("warn the owner at the fifth in a row, and are reset by a right one", async () => {
    const { user, app } = await createTwoFactorUser();
    for (const n of times(4, (n) => n)) await guess(user, app.wrong(), strongBrowser(`${n}`));
    expect(await mailKinds(user)).toEqual([]);
    await guess(user, app.wrong());
    expect(await mailKinds(user)).toEqual(["wrong-codes"]);
    expect(await failures(user)).toBe(5);
    await guess(user, app.code(), strongBrowser("browser"));
    expect(await failures(user)).toBe(0);
    expect(await eventKinds(user)).toEqual([
      ...times(5, () => "second-factor-failed"),
      "logged-in",
    ]);
  });

  it("retire the password at the twentieth in a row, and keep the sessions", async () => {
    const { user, app } = await createTwoFactorUser();
    const { token } = await createLogin(db, user, { amr: ["pwd", "otp"] });
    await sql`update totp_secrets set failures = 19 where user_id = ${user.id}`;
    const waiting = await beginLogIn(user);
    await guess(user, app.wrong());
    expect(await opensWith(db, user, password)).toBe(false);
    expect(await findPendingLogin(db, waiting.token)).toBeNull();
    expect(await getSession(db, token)).not.toBeNull();
    expect(await mailKinds({ email: user.email })).toContain("password-reset");
    expect(await eventKinds(user)).toContain("password-retired");
    expect(await failures(user)).toBe(0);
  });

  it("warn the owner of an account without a password at the twentieth too", async () => {
    const { user, app } = await createTwoFactorUser();
    const waiting = await beginLogIn(user);
    await sql`update totp_secrets set failures = 19 where user_id = ${user.id}`;
    await sql`delete from passwords where user_id = ${user.id}`;
    expect(await finishLogIn(db, waiting, app.wrong(), browser)).toEqual(incorrect);
    expect(await mailKinds({ email: user.email })).toEqual(["wrong-codes"]);
    expect(await eventKinds(user)).not.toContain("password-retired");
  });
});

describe("two hundred guesses at once with five left", () => {
  it("compare only five", async () => {
    const { user, app } = await createTwoFactorUser();
    const pending = await beginLogIn(user);
    const racing = racingConnections(30);
    const wrong = app.wrong();
    const answers = await Promise.all(
      times(200, () => finishLogIn(racing.db, pending, wrong, browser)),
    );
    await racing.sql.end();
    expect(answers.filter(({ ok }) => ok)).toEqual([]);
    expect(await failures(user)).toBe(5);
  });

  // Proves that the test above can fail: reads the count, compares, then writes it.
  it("would compare more if the count were read first and written later", async () => {
    const { user } = await createTwoFactorUser();
    const { token } = await beginLogIn(user);
    const compared = await collide(
      30,
      (tx) => tx.execute(query`select from pending_logins where user_id = ${user.id} for update`),
      async (db) => {
        const [row] = await db.execute<{ attempts: number }>(query`
          select attempts from pending_logins where user_id = ${user.id}`);
        await db.execute(query`
          update pending_logins set attempts = ${(row?.attempts ?? 0) + 1}
          where user_id = ${user.id}`);
        return (row?.attempts ?? 0) < 5;
      },
    );
    expect(compared.filter(Boolean)).toHaveLength(30);
    expect(await findPendingLogin(db, token)).not.toBeNull();
  });
});

describe("one code, thirty pending logins at once", () => {
  const lockUser = (user: TestUser) => (tx: Db) =>
    tx.execute(query`select from users where id = ${user.id} for update`);

  it.each(["otp", "recovery"])("makes one session by %s", async (way) => {
    const { user, app } = await createTwoFactorUser();
    const pending: PendingLogin[] = [];
    for (const _ of times(10, () => 0)) pending.push(await beginLogIn(user));
    const code = way === "otp" ? app.code() : `${app.recoveryCodes[0]}`;
    const answers = await collide(30, lockUser(user), (db, index) => {
      const one = pending[index % 10];
      if (!one) throw new Error("Too few pending logins.");
      return finishLogIn(db, one, code, { ...browser, known: strongBrowser(`${index}`) });
    });
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await sessionRows(user)).toHaveLength(1);
  });

  // Proves that the tests above can fail: reads the step before the lock, and writes it after.
  it("would make thirty if the step were not compared and consumed by one statement", async () => {
    const { user, app } = await createTwoFactorUser();
    const code = app.code();
    const accepted = await collide(30, lockUser(user), async (db) => {
      const step = await findStep(db, user.id, code, keys);
      await db.execute(query`
        with owner as (select id from users where id = ${user.id} for no key update)
        update totp_secrets set last_step = ${step} from owner where user_id = owner.id`);
      return step !== null;
    });
    expect(accepted.filter(Boolean)).toHaveLength(30);
  });

  // Proves it for recovery codes: finds the code before the lock, and deletes it after.
  it("would make thirty if a recovery code were found first and deleted later", async () => {
    const { user, app } = await createTwoFactorUser();
    const code = `${app.recoveryCodes[0]}`;
    const accepted = await collide(30, lockUser(user), async (db) => {
      const found = await isRecoveryCode(db, user.id, code);
      await lockUser(user)(db);
      await consumeRecoveryCode(db, user.id, code);
      return found;
    });
    expect(accepted.filter(Boolean)).toHaveLength(30);
  });
});

describe("many recovery codes, one pending login at once", () => {
  it("make one session and use up one code", async () => {
    const { user, app } = await createTwoFactorUser();
    const pending = await beginLogIn(user);
    const answers = await collide(
      5,
      (tx) => tx.execute(query`select from users where id = ${user.id} for update`),
      (db, index) => finishLogIn(db, pending, `${app.recoveryCodes[index]}`, browser),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await sessionRows(user)).toHaveLength(1);
    expect(await countRecoveryCodes(db, user.id)).toBe(7);
  });

  // Proves that the test above can fail: does not read the pending login again after the lock.
  it("would all be used up if the pending login were looked up only before the lock", async () => {
    const { user, app } = await createTwoFactorUser();
    const { token } = await beginLogIn(user);
    await collide(
      5,
      (tx) => tx.execute(query`select from users where id = ${user.id} for update`),
      async (db, index) => {
        const [found] = await db.execute(query`
          select users.id from users join pending_logins on user_id = users.id
          where token_hash = ${hashToken(token)} for no key update of users`);
        if (found) await consumeRecoveryCode(db, user.id, `${app.recoveryCodes[index]}`);
        await consumePendingLogin(db, token);
      },
    );
    expect(await countRecoveryCodes(db, user.id)).toBe(3);
  });
});

describe("confirmSession with two-factor", () => {
  async function createStale() {
    const { user, app } = await createTwoFactorUser();
    const { token, session } = await createLogin(db, user, { amr: ["pwd", "otp"] });
    await sql`update sessions set authenticated_at = now() - interval '1 day'
      where id = ${session.id}`;
    return { user, app, token, session };
  }

  it("asks for the code beside the password, and keeps the session strong", async () => {
    const { app, token, session } = await createStale();
    const confirm = (code?: string) =>
      confirmSession(db, session, { presented: token, password, code, keys });
    const refused = { ok: false, reason: "code-incorrect" };
    expect(await confirm()).toEqual(refused);
    expect(await confirm(app.wrong())).toEqual(refused);
    expect((await getSession(db, token))?.sudo).toBe("expired");
    const answer = await confirm(app.code());
    const confirmed = answer.ok ? await getSession(db, answer.token) : null;
    expect(confirmed).toMatchObject({ id: session.id, sudo: "full", strong: true });
  });

  it("refuses the code without the password, and does not use it up", async () => {
    const { app, token, session } = await createStale();
    const typed = { presented: token, password: "wrong", code: app.code(), keys };
    expect(await confirmSession(db, session, typed)).toEqual(incorrect);
    expect(await confirmSession(db, session, { ...typed, password })).toMatchObject({ ok: true });
  });
});
