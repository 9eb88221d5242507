import { createHash, randomBytes } from "node:crypto";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as administration from "@/lib/admin/actions";
import { unknownClient } from "@/lib/audit";
import { connectIdentity, disconnectIdentity } from "@/lib/auth/account/connected-accounts";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailChange, redeemEmailRestore } from "@/lib/auth/account/email-change";
import { addingPasskey, addPasskey, removePasskey } from "@/lib/auth/account/passkey-change";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import { removePassword } from "@/lib/auth/account/password-presence";
import { changeName } from "@/lib/auth/account/profile";
import {
  renewRecoveryCodes,
  startTwoFactor,
  turnOffTwoFactor,
} from "@/lib/auth/account/two-factor-change";
import { findIdentityOwner } from "@/lib/auth/credentials/identities";
import { confirmWithIdentity } from "@/lib/auth/login/confirm";
import { logInWithIdentity, logInWithPasskey } from "@/lib/auth/login/log-in";
import { createPendingLogin } from "@/lib/auth/login/pending-logins";
import { checkSecondFactor } from "@/lib/auth/login/second-factor";
import { renderMail } from "@/lib/auth/mails/jobs";
import { sessionPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import { createSession } from "@/lib/auth/sessions/create";
import { mergeSessionData } from "@/lib/auth/sessions/data";
import {
  deleteExpiredSessions,
  deleteIdleSessions,
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { type Session, touchSession } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import { createApiKey, revokeApiKey } from "@/lib/auth/tokens/api-keys";
import { confirmApp } from "@/lib/auth/tokens/log-in";
import { refreshAccessToken, revokeRefreshToken } from "@/lib/auth/tokens/refresh";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { span } from "@/tests/support/ages";
import { db, racingConnections, sql } from "@/tests/support/database";
import { issuer, person } from "@/tests/support/identities";
import { site, softPasskey } from "@/tests/support/passkeys";
import { times, untilWaiting } from "@/tests/support/races";
import { keys } from "@/tests/support/two-factor";
import { createUser, password, withPassword } from "@/tests/support/users";

/*
 * Functions that write sessions or users, called at the same moment for one user: none may end in a
 * deadlock. Every pair meets at least 100 times. The functions run in groups of twelve, so that one
 * round covers 66 pairs. The lock order is users, sessions, then the rows that depend on them. A
 * row that refers to a user (an audit event) locks the user's key in share mode, which must not
 * conflict with an update of the user. The last test shows the deadlock that occurs if the email is
 * part of the key.
 *
 * @module-tag thorough
 */

// The real hash at its lowest cost: this tests locks, and each call hashes 100 times per group.
vi.mock("@node-rs/argon2", async (original) => {
  const argon2 = await original<typeof import("@node-rs/argon2")>();
  const cheap = { memoryCost: 8, timeCost: 1, parallelism: 1 };
  return { ...argon2, hash: (text: string) => argon2.hash(text, cheap) };
});

const rounds = 100;
const groupSize = 12;
/** The number of concurrent rounds, each with the callers of one group. */
const concurrentGroups = 4;
const client = unknownClient;
const secret = "s".repeat(43);
const racing = racingConnections(groupSize * concurrentGroups);
afterAll(() => racing.sql.end());

/** A user with everything that the functions below act on. Tokens are derived from the names. */
type Subject = { id: string; email: string; session: Session; name: string; app: string };

const tokenOf = (name: string) => createHash("sha256").update(name).digest("base64url");

type Call = (db: Db, subject: Subject) => Promise<unknown>;

const calls: Record<string, Call> = {
  createSession: (db, { id, name }) =>
    createSession(db, {
      ...{ userId: id, authVersion: 1, amr: ["pwd"], persistent: true, client },
      presented: tokenOf(`${name} there`),
    }),
  confirmApp: (db, { app, session }) =>
    confirmApp(db, { sessionId: app, user: session.user }, { password, client }),
  createPendingLogin: (db, { id }) =>
    createPendingLogin(db, {
      ...{ userId: id, authVersion: 1, amr: ["pwd"], persistent: true, presented: null },
    }),
  connectIdentity: (db, { session, name }) =>
    connectIdentity(db, session, tokenOf(`${name} here`), person({ issuer: "https://b.example" })),
  disconnectIdentity: (db, { session, id }) => disconnectIdentity(db, session, id, site), // same id
  logInWithIdentity: async (db, { name }) => {
    const who = person({ subject: name });
    const owner = await findIdentityOwner(db, who);
    const browser = { persistent: true, presented: tokenOf(`${name} there`), knownBrowser: true };
    return owner && logInWithIdentity(db, owner, who, { ...browser, client });
  },
  confirmWithIdentity: (db, { session, name }) =>
    confirmWithIdentity(db, session, {
      ...{ presented: tokenOf(`${name} here`), person: person({ subject: name }) },
      ...{ begunAt: new Date(), here: site },
    }),
  startTwoFactor: (db, { session }) => startTwoFactor(db, session, keys, site),
  renewRecoveryCodes: (db, { session }) => renewRecoveryCodes(db, session, site),
  turnOffTwoFactor: (db, { session, name }) =>
    turnOffTwoFactor(db, session, tokenOf(`${name} here`), site),
  addPasskey: (db, { session, name }) =>
    addPasskey(db, session, {
      ...{ presented: tokenOf(`${name} here`), site },
      answer: softPasskey().made(addingPasskey(session)),
    }),
  removePasskey: (db, { session, id }) => removePasskey(db, session, id, site), // has the user's id
  removePassword: (db, { session, name }) =>
    removePassword(db, session, tokenOf(`${name} here`), site),
  logInWithPasskey: (db, { id, email }) =>
    logInWithPasskey(
      db,
      { id, userId: id, email, challenge: randomBytes(32), signCount: 0, backedUp: true },
      { persistent: true, presented: null, knownBrowser: true, client },
    ),
  checkSecondFactor: (db, { id, email }) =>
    checkSecondFactor(db, { userId: id, email }, "000000", { source: null, client, keys }),
  rotateSession: (db, { name }) => rotateSession(db, tokenOf(`${name} here`), ["pwd"]),
  touchSession: (db, { session }) => touchSession(db, session),
  mergeSessionData: (db, { session }) => mergeSessionData(db, session, { firstStepsHidden: true }),
  invalidateSession: (db, { session }) => invalidateSession(db, session, session.id),
  invalidateOtherSessions: (db, { session }) => invalidateOtherSessions(db, session),
  invalidateAllUserSessions: (db, { id }) => invalidateAllUserSessions(db, id),
  changePassword: (db, { session, name }) =>
    changePassword(db, session, {
      ...{ presented: tokenOf(`${name} here`), current: password, next: "kelp otter zinc" },
    }),
  redeemPasswordReset: (db, { name }) =>
    redeemPasswordReset(
      db,
      tokenOf(`${name} password-reset`),
      withPassword("kelp otter zinc"),
      client,
    ),
  redeemEmailChange: (db, { name, session }) =>
    redeemEmailChange(db, tokenOf(`${name} email-change`), { session, client }),
  redeemEmailRestore: (db, { name }) =>
    redeemEmailRestore(db, tokenOf(`${name} email-restore`), client),
  redeemDisownLink: (db, { name }) => redeemDisownLink(db, tokenOf(`${name} not-me`), client),
  renderMail: (db, { id, email }) =>
    renderMail(
      db,
      { mail: "new-device", userId: id, to: email, client, at: new Date().toISOString(), event: 0 },
      "https://app.example.com",
    ),
  refreshAccessToken: (db, { name }) =>
    refreshAccessToken(db, tokenOf(`${name} refresh`), { secret, client }),
  revokeRefreshToken: (db, { name }) => revokeRefreshToken(db, tokenOf(`${name} refresh`), client),
  createApiKey: (db, { session }) =>
    createApiKey(db, session, { name: "Backup", scopes: ["profile:read"], lifetime: 30 }),
  revokeApiKey: (db, { session, id }) => revokeApiKey(db, session, id), // the key has the user's id
  changeName: (db, { session }) => changeName(db, session, "Grace Walker"),
  suspend: (db, { id }) => administration.suspend(db, "operator", id, "Spam."),
  changeRole: (db, { id }) => administration.changeRole(db, "operator", id, "admin"),
  deleteAccount: (db, { session }) => deleteAccount(db, session),
  deleteExpiredSessions: (db) => deleteExpiredSessions(db),
  deleteIdleSessions: (db) => deleteIdleSessions(db),
};

/** Groups of calls in which each call meets every other, and itself. */
const groups = [...groupsOfOthers(Object.keys(calls)), ...groupsOfTwins(Object.keys(calls))];

describe("every pair of functions that write sessions or users", () => {
  beforeAll(async () => {
    // The functions count admins, and refuse to remove the last one.
    await createUser(db, { role: "admin" });
  });

  it("is together in one of the groups", () => {
    const names = Object.keys(calls);
    for (const [at, one] of names.entries())
      for (const other of names.slice(at))
        expect(groups.some((group) => hasPair(group, one, other))).toBe(true);
  });

  it.each(groups.map((group) => [group.join(", "), group] as const))(
    "never deadlocks: %s",
    async (_, group) => {
      expect(await race(group)).toEqual([]);
    },
  );
});

describe("with a plain unique index on the email", () => {
  // Proves that the tests above can fail, step by step and not by chance.
  beforeAll(() => sql`create unique index users_email_key on users (email)`);
  afterAll(() => sql`drop index users_email_key`);

  it("a change of email and a rotation deadlock", async () => {
    const [subject] = await createSubjects(1);
    if (!subject) throw new Error("createSubjects: none.");
    const answers = await db.transaction(async (tx) => {
      const held = hashToken(tokenOf(`${subject.name} there`));
      await tx.select().from(sessions).where(eq(sessions.tokenHash, held)).for("update");
      const change = calls.redeemEmailChange?.(racing.db, { ...subject, session: other(subject) });
      await untilWaiting(1); // it has updated the user, and waits for the held session
      const rotation = calls.rotateSession?.(racing.db, subject);
      await untilWaiting(2); // it has updated its session, and waits for the user's key
      return { both: Promise.allSettled([change, rotation]) }; // both continue when this ends
    });
    const reasons = (await answers.both).map(
      (answer) => answer.status === "rejected" && codeOf(answer.reason),
    );
    expect(reasons).toContain("40P01");
  });
});

/** Returns a session that is not among the user's rows, so that the change ends all of them. */
function other({ session }: Subject): Session {
  return { ...session, id: "00000000-0000-4000-8000-000000000000" };
}

/** Fills one group after another with the name that adds the most pairs not yet covered. */
function groupsOfOthers(names: string[]): string[][] {
  const missing = new Set(
    names.flatMap((one, at) => names.slice(at + 1).map((other) => pairOf(one, other))),
  );
  const groups: string[][] = [];
  while (missing.size > 0) {
    const group: string[] = [];
    while (group.length < groupSize) {
      const gain = (name: string) =>
        group.length === 0
          ? names.filter((other) => missing.has(pairOf(name, other))).length
          : group.filter((other) => missing.has(pairOf(name, other))).length;
      const rest = names.filter((name) => !group.includes(name));
      const [best] = rest.sort((one, other) => gain(other) - gain(one));
      if (!best) break;
      for (const other of group) missing.delete(pairOf(best, other));
      group.push(best);
    }
    groups.push(group);
  }
  return groups;
}

function groupsOfTwins(names: string[]): string[][] {
  const half = groupSize / 2;
  return names.flatMap((_, at) =>
    at % half === 0 ? [names.slice(at, at + half).flatMap((name) => [name, name])] : [],
  );
}

function pairOf(one: string, other: string): string {
  return [one, other].sort().join(" ");
}

function hasPair(group: string[], one: string, other: string): boolean {
  return one === other
    ? group.filter((name) => name === one).length > 1
    : group.includes(one) && group.includes(other);
}

/** Runs all calls of a group at once, for another user in each round. Returns the deadlocks. */
async function race(group: string[]): Promise<unknown[]> {
  const subjects = await createSubjects(rounds);
  const deadlocks: unknown[] = [];
  const attempt = (name: string, subject: Subject) =>
    calls[name]?.(racing.db, subject).catch((error) => {
      if (codeOf(error) !== "40P01") throw error;
      deadlocks.push(name);
    });
  await Promise.all(
    times(concurrentGroups, async () => {
      for (let next = subjects.pop(); next; next = subjects.pop()) {
        const subject = next;
        await Promise.all(group.map((name) => attempt(name, subject)));
      }
    }),
  );
  return deadlocks;
}

function codeOf(error: unknown): unknown {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
}

let made = 0;
async function createSubjects(count: number): Promise<Subject[]> {
  const names = Array.from({ length: count }, () => `subject-${made++}`);
  const hash = await (await import("@node-rs/argon2")).hash(password);
  const tokens = (what: string) => names.map((name) => tokenOf(`${name} ${what}`));
  const users = await sql<{ id: string; email: string; name: string }[]>`
    insert into users (email, name)
    select name || '@example.com', name from unnest(${names}::text[]) as name
    returning id, email, name`;
  const ids = names.map((name) => users.find((user) => user.name === name)?.id ?? "");
  await sql`insert into passwords (user_id, hash) select id, ${hash} from unnest(${ids}::uuid[]) as id`;
  // Three more sessions are idle, one of them expired. The session "here" and the key have their
  // user's id, so that one id names them all.
  await sql`
    insert into sessions (id, user_id, kind, token_hash, auth_version, amr, persistent, last_seen_at, expires_at)
    select gen_random_uuid(), id, 'web', sha256(there::bytea), 1, '{pwd}'::text[], true, now(), now() + interval '1 day'
    from unnest(${ids}::uuid[], ${tokens("there")}::text[]) as t (id, there)
    union all
    select gen_random_uuid(), id, 'web', sha256((id || n::text)::bytea), 1, '{pwd}', true,
      now() - ${span(sessionPolicy.persistent.idle)}::interval, now() + (n - 2) * interval '1 day'
    from unnest(${ids}::uuid[]) as id, generate_series(1, 3) as n
    union all
    select id, id, 'web', sha256(here::bytea), 1, '{pwd}', true, now() - interval '1 hour', now() + interval '1 day'
    from unnest(${ids}::uuid[], ${tokens("here")}::text[]) as t (id, here)`;
  const apps = await sql<{ id: string; user_id: string }[]>`
    insert into sessions (user_id, kind, auth_version, amr, persistent, expires_at)
    select id, 'app', 1, '{pwd}', true, now() + interval '1 day' from unnest(${ids}::uuid[]) as id
    returning id, user_id`;
  await sql`
    insert into refresh_tokens (session_id, generation, token_hash, expires_at)
    select sessions.id, 1, sha256(token::bytea), now() + interval '1 day'
    from sessions join unnest(${ids}::uuid[], ${tokens("refresh")}::text[]) as t (id, token)
      on t.id = user_id where kind = 'app'`;
  for (const purpose of ["password-reset", "email-change", "email-restore", "not-me"])
    await sql`
      insert into links (token_hash, user_id, purpose, sent_to, expires_at)
      select sha256(token::bytea), t.id, ${purpose},
        case when ${purpose} = 'email-change' then 'moved-' || email else email end, now() + interval '1 day'
      from unnest(${ids}::uuid[], ${tokens(purpose)}::text[]) as t (id, token) join users on users.id = t.id`;
  await sql`
    insert into api_keys (id, user_id, name, prefix, key_hash, scopes)
    select id, id, 'Backup', 'lk_live_abcd', sha256(token::bytea), '{profile:read}'
    from unnest(${ids}::uuid[], ${tokens("key")}::text[]) as t (id, token)`;
  await sql`
    insert into passkeys (id, user_id, credential_id, rp_id, public_key, sign_count, transports, aaguid,
      backup_eligible, backed_up, name)
    select id, id, sha256(id::text::bytea), ${site.rpId}, '', 0, '{}', id, true, true, 'Passkey'
    from unnest(${ids}::uuid[]) as id`;
  await sql`
    insert into identities (id, user_id, issuer, subject, provider, label)
    select id, id, ${issuer}, name, 'oidc', name
    from unnest(${ids}::uuid[], ${names}::text[]) as t (id, name)`;
  const appOf = new Map(apps.map(({ id, user_id }) => [user_id, id]));
  return users.map((user) => ({
    ...{ ...user, session: sessionOf(user), app: appOf.get(user.id) ?? "" },
  }));
}

function sessionOf({ id, email, name }: { id: string; email: string; name: string }): Session {
  return {
    ...{ id, userId: id, persistent: true, sudo: "full", strong: true, data: {}, touchDue: true },
    client,
    user: { id, email, name, role: "user" },
  };
}
