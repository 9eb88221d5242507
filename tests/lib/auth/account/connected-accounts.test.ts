import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import {
  connectIdentity,
  type Disconnect,
  disconnectIdentity,
} from "@/lib/auth/account/connected-accounts";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { findIdentityOwner } from "@/lib/auth/credentials/identities";
import { hasOtherWay } from "@/lib/auth/credentials/last-way-in";
import { createLink } from "@/lib/auth/links";
import { createPendingLogin, findPendingLogin } from "@/lib/auth/login/pending-logins";
import { renderMail } from "@/lib/auth/mails/jobs";
import type { MailJob } from "@/lib/auth/mails/registry";
import { createSession } from "@/lib/auth/sessions/create";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { users } from "@/lib/db/schema/users";
import { db, sql } from "@/tests/support/database";
import {
  addIdentity,
  identityLabels,
  issuer,
  person,
  removePassword,
  waysWith,
} from "@/tests/support/identities";
import { collide, times } from "@/tests/support/races";
import { eventRows, jobRows, mailKinds, sessionRows } from "@/tests/support/rows";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

const other = "https://other.example";

/** Logs the user in through an account at a provider. */
async function logInWith(user: TestUser, begunWith: string) {
  const created = await createSession(db, {
    ...{ userId: user.id, authVersion: 1, amr: ["oidc"], begunWith, persistent: true },
    ...{ presented: null, client: unknownClient },
  });
  const session = created && (await getSession(db, created.token));
  if (!created || !session) throw new Error("The session is not live.");
  return { session, token: created.token };
}

/** Returns the token of the "not me" link in the only queued mail about this change. */
async function notMe(user: TestUser): Promise<string> {
  const jobs = await jobRows(user);
  const job = jobs.find(({ payload }) => payload.mail === "connected-account-changed");
  const mail = await renderMail(db, job?.payload as MailJob, "https://app.example");
  const [, token = ""] = /not-me\/([\w-]+)/.exec(mail?.text ?? "") ?? [];
  return token;
}

describe("connectIdentity", () => {
  it("connects the account, gives this session a new token, ends no session, and mails the user", async () => {
    const [user, who] = [await createUser(db), person()];
    const [here, there] = [await createLogin(db, user), await createLogin(db, user)];
    const result = await connectIdentity(db, here.session, here.token, who);
    if (!result.ok) throw new Error(result.reason);
    expect(await identityLabels(user)).toEqual([who.label]);
    expect(await getSession(db, here.token)).toBeNull();
    expect((await getSession(db, result.token))?.id).toBe(here.session.id);
    expect(await getSession(db, there.token)).not.toBeNull();
    expect(await mailKinds(user)).toEqual(["connected-account-changed"]);
    const events = await eventRows(user);
    expect(events.at(-1)).toMatchObject({
      kind: "account-connected",
      ...{ session_id: here.session.id, detail: { provider: "oidc" } },
    });
  });

  it("does not count as a proof of identity: sudo is not renewed", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    await sql`
      update sessions set authenticated_at = now() - interval '15 minutes'
      where id = ${session.id}`;
    const result = await connectIdentity(db, session, token, person());
    if (!result.ok) throw new Error(result.reason);
    expect((await getSession(db, result.token))?.sudo).toBe("submit-only");
  });

  it.each([
    ["another user's", "taken"],
    ["a second one of the same provider", "taken"],
    ["the one that is connected already", "already"],
  ] as const)("refuses %s", async (which, reason) => {
    const [user, who] = [await createUser(db), person()];
    if (which === "another user's") await addIdentity(db, await createUser(db), who);
    else await addIdentity(db, user, which.startsWith("a second") ? person() : who);
    const before = await identityLabels(user);
    const { session, token } = await createLogin(db, user);
    expect(await connectIdentity(db, session, token, who)).toEqual({ ok: false, reason });
    expect(await identityLabels(user)).toEqual(before);
    expect(await getSession(db, token)).not.toBeNull();
    expect(await mailKinds(user)).toEqual([]);
  });

  it("refuses a session that has ended, or has another token", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const refused = { ok: false, reason: "ended" };
    expect(await connectIdentity(db, session, `${token}x`, person())).toEqual(refused);
    await invalidateSession(db, session, session.id);
    expect(await connectIdentity(db, session, token, person())).toEqual(refused);
    expect(await identityLabels(user)).toEqual([]);
  });

  it("gives one account to one of thirty users", async () => {
    const who = person();
    const logins = await Promise.all(times(30, async () => createLogin(db, await createUser(db))));
    const answers = await Promise.all(
      logins.map(({ session, token }) => connectIdentity(db, session, token, who)),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(answers.filter((answer) => !answer.ok && answer.reason === "taken")).toHaveLength(29);
  });
});

describe("disconnectIdentity", () => {
  it("ends the sessions and pending logins that the account began, and keeps the others", async () => {
    const user = await createUser(db);
    const [gone, kept] = [
      await addIdentity(db, user),
      await addIdentity(db, user, person({ issuer: other })),
    ];
    const here = await createLogin(db, user);
    const [begun, foreign] = [await logInWith(user, gone), await logInWith(user, kept)];
    const pending = (begunWith: string) =>
      createPendingLogin(db, {
        ...{ userId: user.id, authVersion: 1, amr: ["oidc"], begunWith },
        ...{ persistent: true, presented: null },
      });
    const [half, otherHalf] = [await pending(gone), await pending(kept)];
    const result = await disconnectIdentity(db, here.session, gone, waysWith(issuer, other));
    expect(result).toEqual({ ok: true, ended: false });
    expect(await getSession(db, begun.token)).toBeNull();
    expect(await getSession(db, foreign.token)).not.toBeNull();
    expect(await getSession(db, here.token)).not.toBeNull();
    expect(await findPendingLogin(db, `${half}`)).toBeNull();
    expect(await findPendingLogin(db, `${otherHalf}`)).not.toBeNull();
    expect((await eventRows(user)).at(-1)).toMatchObject({
      ...{ kind: "account-disconnected", detail: { provider: "oidc" } },
    });
    expect(await mailKinds(user)).toEqual(["connected-account-changed"]);
  });

  it("ends the acting session too if the account began it", async () => {
    const user = await createUser(db);
    const id = await addIdentity(db, user);
    const { session, token } = await logInWith(user, id);
    const result = await disconnectIdentity(db, session, id, waysWith(issuer));
    expect(result).toEqual({ ok: true, ended: true });
    expect(await getSession(db, token)).toBeNull();
  });

  it("refuses another user's account", async () => {
    const [user, victim] = [await createUser(db), await createUser(db)];
    const id = await addIdentity(db, victim);
    const { session } = await createLogin(db, user);
    const refused = { ok: false, reason: "gone" };
    expect(await disconnectIdentity(db, session, id, waysWith(issuer))).toEqual(refused);
    expect(await identityLabels(victim)).toHaveLength(1);
    expect(await mailKinds(user)).toEqual([]);
  });

  it("refuses the last way to log in, not counting an account of an unconfigured provider", async () => {
    const user = await createUser(db);
    const id = await addIdentity(db, user);
    const unconfigured = await addIdentity(db, user, person({ issuer: other }));
    await removePassword(user);
    const { session } = await createLogin(db, user, { amr: ["oidc"] });
    const refused = { ok: false, reason: "only-way" };
    expect(await disconnectIdentity(db, session, id, waysWith(issuer))).toEqual(refused);
    expect(await identityLabels(user)).toHaveLength(2);
    expect((await disconnectIdentity(db, session, unconfigured, waysWith(issuer))).ok).toBe(true);
    expect(await disconnectIdentity(db, session, id, waysWith(issuer))).toEqual(refused);
  });

  it("keeps one of two accounts that are disconnected at once", async () => {
    for (const _ of times(10, () => 0)) expect(await race(disconnectIdentity)).toBe(1);
  });

  it("would keep none if it checked without the user's lock", async () => {
    const naive = async (pool: Db, session: Session, id: string): Promise<Disconnect> => {
      await pool.transaction(async (tx) => {
        const here = waysWith(issuer, other);
        const may = await hasOtherWay(tx, session.userId, { id }, here);
        // As long as the other transaction takes to check.
        await tx.execute(query`select pg_sleep(0.2)`);
        if (may) await tx.delete(identities).where(query`id = ${id}`);
      });
      return { ok: true, ended: false };
    };
    expect(await race(naive)).toBe(0);
  });
});

/** Removes both ways into an account at the same moment. Returns how many are left. */
async function race(disconnect: typeof disconnectIdentity): Promise<number> {
  const user = await createUser(db);
  const ids = [await addIdentity(db, user), await addIdentity(db, user, person({ issuer: other }))];
  await removePassword(user);
  const { session } = await createLogin(db, user, { amr: ["oidc"] });
  if (disconnect === disconnectIdentity)
    await collide(
      2,
      (tx) => tx.execute(query`select from ${users} where id = ${user.id} for no key update`),
      (pool, index) => disconnect(pool, session, `${ids[index]}`, waysWith(issuer, other)),
    );
  else await Promise.all(ids.map((id) => disconnect(db, session, id, waysWith(issuer, other))));
  return (await identityLabels(user)).length;
}

describe("an alarm", () => {
  it("removes accounts connected or used since the alarm's event, and keeps older ones", async () => {
    const user = await createUser(db);
    await addIdentity(db, user, person({ label: "old", issuer: "https://old.example" }));
    const used = person({ label: "used since", issuer: "https://used.example" });
    await addIdentity(db, user, used);
    const { session, token } = await createLogin(db, user);
    await connectIdentity(db, session, token, person({ label: "attacker" }));
    const owner = await findIdentityOwner(db, used);
    await sql`update identities set last_used_at = now() where id = ${owner?.identityId ?? null}`;
    expect(await identityLabels(user)).toEqual(["attacker", "old", "used since"]);
    expect((await redeemDisownLink(db, await notMe(user), unknownClient)).ok).toBe(true);
    expect(await identityLabels(user)).toEqual(["old"]);
    expect(await sessionRows(user)).toEqual([]);
  });

  it("removes an account connected at the same moment, whichever is first", async () => {
    for (const _ of times(5, () => 0)) {
      const user = await createUser(db);
      const { session, token } = await createLogin(db, user);
      const link = await createLink(db, {
        ...{ userId: user.id, purpose: "not-me", sentTo: user.email },
      });
      await collide<unknown>(
        2,
        (tx) => tx.execute(query`select from ${users} where id = ${user.id} for no key update`),
        (pool, index) =>
          index === 0
            ? connectIdentity(pool, session, token, person())
            : redeemDisownLink(pool, link, unknownClient),
      );
      expect(await identityLabels(user)).toEqual([]);
    }
  });
});

describe("a password reset", () => {
  it("keeps connected accounts, or removes all of them if an attacker may have got in", async () => {
    for (const attacked of [false, true]) {
      const user = await createUser(db);
      await addIdentity(db, user);
      const link = await createLink(db, {
        ...{ userId: user.id, purpose: "password-reset", sentTo: user.email },
      });
      const chosen = { password: `${password} anew`, revokeApiKeys: false, attacked };
      expect((await redeemPasswordReset(db, link, chosen, unknownClient)).ok).toBe(true);
      expect(await identityLabels(user)).toHaveLength(attacked ? 0 : 1);
    }
  });

  it("sets the first password of an account without one", async () => {
    const user = await createUser(db);
    await addIdentity(db, user);
    await removePassword(user);
    const link = await createLink(db, {
      ...{ userId: user.id, purpose: "password-reset", sentTo: user.email },
    });
    const chosen = { password: `${password} anew`, revokeApiKeys: false };
    expect((await redeemPasswordReset(db, link, chosen, unknownClient)).ok).toBe(true);
    expect(await sql`select from passwords where user_id = ${user.id}`).toHaveLength(1);
  });
});
