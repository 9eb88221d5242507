import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import {
  type CheckedPasskey,
  checkPasskey,
  deleteSpentChallenges,
  listPasskeys,
} from "@/lib/auth/credentials/passkeys";
import type { Asked } from "@/lib/auth/credentials/webauthn";
import {
  confirmingWithPasskey,
  confirmSession,
  confirmWithPasskey,
} from "@/lib/auth/login/confirm";
import { logIn, logInWithPasskey } from "@/lib/auth/login/log-in";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession } from "@/lib/auth/sessions/lookup";
import { countedConnection, db, racingConnections, sql } from "@/tests/support/database";
import { addSoftPasskey, type Lies, type SoftPasskey, site } from "@/tests/support/passkeys";
import { collide, times } from "@/tests/support/races";
import { eventKinds, jobRows, mailKinds, sessionRows } from "@/tests/support/rows";
import { addTwoFactor } from "@/tests/support/two-factor";
import { createLogin, createUser, password } from "@/tests/support/users";

const asked: Asked = { purpose: "log-in", context: "" };
const browser = {
  ...{ persistent: true, presented: null, knownBrowser: true, client: unknownClient },
};

async function createPasskeyUser(signCount = 0) {
  const user = await createUser(db);
  return { user, passkey: await addSoftPasskey(db, user, site, signCount) };
}

async function checked(passkey: SoftPasskey, lies?: Lies, page = asked): Promise<CheckedPasskey> {
  const read = await checkPasskey(db, site, passkey.used(page, lies), page);
  if (!read.ok) throw new Error(read.reason);
  return read.passkey;
}

const check = (passkey: SoftPasskey, lies?: Lies, here = site) =>
  checkPasskey(db, here, passkey.used(asked, lies), asked);

describe("checkPasskey", () => {
  it("returns the passkey's user, and uses nothing up", async () => {
    const { user, passkey } = await createPasskeyUser();
    expect(await checked(passkey)).toMatchObject({
      ...{ id: passkey.id, userId: user.id, email: user.email },
    });
    const [row] = await listPasskeys(db, { userId: user.id });
    expect(row?.lastUsedAt).toBeNull();
  });

  it("distinguishes an unknown passkey from all other errors", async () => {
    const [{ passkey }, { passkey: another }] = [
      await createPasskeyUser(),
      await createPasskeyUser(),
    ];
    const removed = await createPasskeyUser();
    await sql`delete from passkeys where id = ${removed.passkey.id}`;
    expect(await check(removed.passkey)).toEqual({
      ...{ ok: false, reason: "unknown" },
      credentialId: removed.passkey.credentialId.toString("base64url"),
    });
    const incorrect = { ok: false, reason: "incorrect" };
    expect(await check(passkey, { forged: true })).toEqual(incorrect);
    expect(await check(passkey, { userVerified: false })).toEqual(incorrect);
    expect(await check(passkey, { handle: null })).toEqual(incorrect);
    expect(await check(passkey, { handle: another.handle })).toEqual(incorrect);
    expect(await check(passkey, { credentialId: another.credentialId })).toEqual(incorrect);
  });

  it("reports that a passkey is of another domain", async () => {
    const { passkey } = await createPasskeyUser();
    await sql`update passkeys set rp_id = 'former.example' where id = ${passkey.id}`;
    expect(await check(passkey)).toEqual({ ok: false, reason: "other-domain" });
  });
});

describe("logInWithPasskey", () => {
  it("makes a strong session that names the passkey", async () => {
    const { user, passkey } = await createPasskeyUser();
    const result = await logInWithPasskey(db, await checked(passkey), browser);
    const session = result.ok ? await getSession(db, result.token) : null;
    expect(session).toMatchObject({ userId: user.id, strong: true, sudo: "full" });
    expect(await listSessions(db, { userId: user.id })).toMatchObject([
      { amr: ["passkey"], passkey: "Passkey" },
    ]);
    const [row] = await listPasskeys(db, { userId: user.id });
    expect(row?.lastUsedAt).toBeInstanceOf(Date);
  });

  it("costs one statement before the signature, and five in its transaction", async () => {
    const { passkey } = await createPasskeyUser();
    const counted = await countedConnection();
    const read = await checkPasskey(counted.db, site, passkey.used(asked), asked);
    expect(counted.take()).toEqual(["select"]);
    if (read.ok) await logInWithPasskey(counted.db, read.passkey, browser);
    const control = ["begin", "savepoint", "commit"];
    expect(counted.take().filter((word) => !control.includes(word))).toHaveLength(5);
  });

  it("asks for no code where two-factor is on, and mails about a new device", async () => {
    const { user, passkey } = await createPasskeyUser();
    await addTwoFactor(db, user);
    const visit = { ...browser, knownBrowser: false };
    expect((await logInWithPasskey(db, await checked(passkey), visit)).ok).toBe(true);
    expect(await jobRows(user)).toMatchObject([{ payload: { mail: "new-device", by: "passkey" } }]);
  });

  // Some authenticators change this flag of a passkey later, which is no reason to refuse it.
  it("accepts a passkey that is no longer synced, and one that is synced again", async () => {
    const { user, passkey } = await createPasskeyUser();
    for (const backedUp of [false, true]) {
      expect((await logInWithPasskey(db, await checked(passkey, { backedUp }), browser)).ok).toBe(
        true,
      );
      expect(await listPasskeys(db, { userId: user.id })).toMatchObject([{ backedUp }]);
    }
  });

  it('says "suspended" to the holder of the passkey alone', async () => {
    const { user, passkey } = await createPasskeyUser();
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await logInWithPasskey(db, await checked(passkey), browser)).toEqual({
      ...{ ok: false, reason: "suspended" },
    });
    expect(await check(passkey, { forged: true })).toMatchObject({ reason: "incorrect" });
    expect(await sessionRows(user)).toEqual([]);
  });

  it("does not make a login by password ask for more", async () => {
    const { user } = await createPasskeyUser();
    const result = await logIn(db, { ...browser, email: user.email, password });
    expect(result.ok && (await getSession(db, result.token))?.strong).toBe(false);
  });

  it("refuses a passkey that was removed meanwhile", async () => {
    const { user, passkey } = await createPasskeyUser();
    const late = await checked(passkey);
    await sql`delete from passkeys where id = ${passkey.id}`;
    expect(await logInWithPasskey(db, late, browser)).toEqual({ ok: false, reason: "incorrect" });
    expect(await sessionRows(user)).toEqual([]);
  });
});

describe("one answer", () => {
  it("makes one session in 30 concurrent logins", async () => {
    const { user, passkey } = await createPasskeyUser();
    const answer = await checked(passkey);
    const racing = racingConnections(30);
    const results = await Promise.all(
      times(30, () => logInWithPasskey(racing.db, answer, browser)),
    );
    await racing.sql.end();
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await sessionRows(user)).toHaveLength(1);
  });

  // Proves that the test above can fail: looks first, then writes.
  it("would make several if its challenge were looked up and then written", async () => {
    const racing = racingConnections(30);
    const hash = Buffer.alloc(32, 7);
    const uses = await Promise.all(
      times(30, () =>
        racing.db.transaction(async (tx) => {
          const found = await tx.execute(query`
            select from spent_challenges where hash = ${hash}`);
          await tx.execute(query`select pg_sleep(0.2)`);
          await tx.execute(query`
            insert into spent_challenges values (${hash}, now()) on conflict do nothing`);
          return found.length === 0;
        }),
      ),
    );
    await racing.sql.end();
    expect(uses.filter(Boolean).length).toBeGreaterThan(1);
  });

  it("is refused a second time until its challenge expires, and is deleted after that", async () => {
    const { passkey } = await createPasskeyUser();
    const answer = await checked(passkey);
    expect((await logInWithPasskey(db, answer, browser)).ok).toBe(true);
    await deleteSpentChallenges(db);
    expect((await logInWithPasskey(db, answer, browser)).ok).toBe(false);
    await sql`update spent_challenges set expires_at = now() - interval '1 second'`;
    await deleteSpentChallenges(db);
    expect(await sql`select from spent_challenges`).toHaveLength(0);
  });
});

describe("the counter", () => {
  it("must rise if the authenticator has one", async () => {
    const { user, passkey } = await createPasskeyUser(7);
    const logInAt = async (signCount: number) =>
      logInWithPasskey(db, await checked(passkey, { signCount }), browser);
    expect((await logInAt(8)).ok).toBe(true);
    for (const signCount of [8, 7, 0])
      expect(await logInAt(signCount)).toEqual({ ok: false, reason: "copied" });
    expect(await eventKinds(user)).toEqual(["logged-in", ...Array(3).fill("passkey-refused")]);
    expect(await mailKinds(user)).toEqual(Array(3).fill("passkey-changed"));
    // The copy may have begun these sessions.
    expect(await sessionRows(user)).toEqual([]);
    expect((await logInAt(9)).ok).toBe(true);
  });

  it("keeps sessions that the copied passkey did not begin", async () => {
    const { user, passkey } = await createPasskeyUser(7);
    const { token } = await createLogin(db, user);
    await logInWithPasskey(db, await checked(passkey, { signCount: 7 }), browser);
    expect(await getSession(db, token)).not.toBeNull();
  });

  it("lets one of 30 concurrent logins with one count through, and all if it is always 0", async () => {
    for (const [before, signCount, through] of [
      [7, 8, 1],
      [0, 0, 30],
    ] as const) {
      const { passkey } = await createPasskeyUser(before);
      const answers = await Promise.all(times(30, () => checked(passkey, { signCount })));
      const racing = racingConnections(30);
      const results = await Promise.all(
        answers.map((each) => logInWithPasskey(racing.db, each, browser)),
      );
      await racing.sql.end();
      expect(results.filter(({ ok }) => ok)).toHaveLength(through);
    }
  });

  // Proves that the test above can fail: reads the count, compares it, and writes it later.
  it("would let several through if the count were read first", async () => {
    const { passkey } = await createPasskeyUser(7);
    const through = await collide(
      2,
      (tx) => tx.execute(query`select from passkeys where id = ${passkey.id} for update`),
      async (db) => {
        const [row] = await db.execute<{ sign_count: string }>(query`
          select sign_count from passkeys where id = ${passkey.id}`);
        await db.execute(query`update passkeys set sign_count = 8 where id = ${passkey.id}`);
        return Number(row?.sign_count) < 8;
      },
    );
    expect(through).toEqual([true, true]);
  });
});

describe("confirmWithPasskey", () => {
  async function confirm(user: Awaited<ReturnType<typeof createUser>>, passkey: SoftPasskey) {
    const { session, token } = await createLogin(db, user);
    const page = confirmingWithPasskey(session);
    const answer = await checked(passkey, {}, page);
    return confirmWithPasskey(db, session, { presented: token, passkey: answer });
  }

  it("makes the session strong, with a new token", async () => {
    const { user, passkey } = await createPasskeyUser();
    const { session, token } = await createLogin(db, user);
    await sql`update sessions set authenticated_at = now() - interval '1 day'
      where id = ${session.id}`;
    const answer = await checked(passkey, {}, confirmingWithPasskey(session));
    const confirmed = await confirmWithPasskey(db, session, {
      ...{ presented: token, passkey: answer },
    });
    expect(confirmed.ok && (await getSession(db, confirmed.token))).toMatchObject({
      ...{ id: session.id, sudo: "full", strong: true },
    });
    expect(await getSession(db, token)).toBeNull();
    expect(
      await confirmWithPasskey(db, session, { presented: token, passkey: answer }),
    ).toMatchObject({ ok: false });
  });

  it("is no longer strong after a password", async () => {
    const { user } = await createPasskeyUser();
    const { session, token } = await createLogin(db, user, { amr: ["passkey"] });
    const confirmed = await confirmSession(db, session, { presented: token, password });
    expect(confirmed.ok && (await getSession(db, confirmed.token))?.strong).toBe(false);
  });

  it("refuses the passkey of another account, and the challenge of another session", async () => {
    const [{ user }, another] = [await createPasskeyUser(), await createPasskeyUser()];
    expect(await confirm(user, another.passkey)).toEqual({ ok: false, reason: "incorrect" });
    const { session } = await createLogin(db, another.user);
    const login = await checkPasskey(
      ...([db, site, another.passkey.used(asked), confirmingWithPasskey(session)] as const),
    );
    expect(login).toEqual({ ok: false, reason: "incorrect" });
  });

  it("refuses a copied passkey", async () => {
    const { user, passkey } = await createPasskeyUser(3);
    expect(await confirm(user, passkey)).toEqual({ ok: false, reason: "copied" });
  });
});
