import { drizzle } from "drizzle-orm/postgres-js";
import { describe, expect, it } from "vitest";
import { exportAccount } from "@/lib/auth/account/export";
import { base32 } from "@/lib/auth/credentials/totp";
import { createLink } from "@/lib/auth/links";
import { hashToken } from "@/lib/auth/secrets";
import { db, sql } from "@/tests/support/database";
import { addSoftPasskey } from "@/tests/support/passkeys";
import { eventRows, passwordHash } from "@/tests/support/rows";
import { addTwoFactor } from "@/tests/support/two-factor";
import { createLogin, createUser } from "@/tests/support/users";

const client = { ip: "203.0.113.9", userAgent: "Test Browser" };

describe("exportAccount", () => {
  it("contains the profile, the devices and the activity, newest first", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user, { ip: "203.0.113.5", userAgent: "Mine" });
    const data = await exportAccount(db, session);
    expect(data.profile).toMatchObject({ ...user, role: "user" });
    expect(data.sessions).toMatchObject([{ id: session.id, ip: "203.0.113.5", userAgent: "Mine" }]);
    expect(data.activity).toMatchObject([
      { kind: "data-exported" },
      { kind: "logged-in", ip: "203.0.113.5", userAgent: "Mine" },
    ]);
  });

  it("records an audit event with the client and the session", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await exportAccount(db, { ...session, client });
    expect((await eventRows(user)).at(-1)).toEqual({
      ...{ kind: "data-exported", session_id: session.id, detail: {} },
      ...{ ip: client.ip, user_agent: client.userAgent },
    });
  });

  it("contains the names and dates of passkeys, and nothing else about them", async () => {
    const user = await createUser(db);
    const { credentialId, handle } = await addSoftPasskey(db, user);
    const { session } = await createLogin(db, user);
    const data = await exportAccount(db, session);
    expect(data.passkeys).toEqual([
      { name: "Passkey", createdAt: expect.any(Date), lastUsedAt: null },
    ]);
    for (const bytes of [credentialId, handle])
      expect(JSON.stringify(data)).not.toContain(bytes.toString("base64url"));
  });

  it("contains nothing of another user", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { session } = await createLogin(db, user);
    const theirs = await createLogin(db, other);
    const text = JSON.stringify(await exportAccount(db, session));
    for (const own of [user.id, user.email, session.id]) expect(text).toContain(own);
    for (const trace of [other.id, other.email, theirs.session.id])
      expect(text).not.toContain(trace);
  });

  it("contains no hash and no secret under any name", async () => {
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const link = await createLink(db, {
      ...{ userId: user.id, purpose: "password-reset", sentTo: user.email },
    });
    const text = JSON.stringify(await exportAccount(db, session));
    for (const secret of [token, link, await passwordHash(user), "argon2"])
      expect(text).not.toContain(secret);
    for (const hash of [hashToken(token), hashToken(link)])
      for (const encoding of ["hex", "base64", "base64url"] as const)
        expect(text).not.toContain(hash.toString(encoding));
    expect(text).not.toMatch(/hash|token|secret|authVersion|password"/i);
  });
});

describe("every table with a user_id", () => {
  /** Tables that are not part of a user's export, with the reason. */
  const notExported: Record<string, string> = {
    passwords: "holds a hash and nothing else",
    links: "holds hashes of links that work for an hour or a week; the activity says who asked",
    pending_logins: "holds logins that wait for a code, for ten minutes",
    members: "the download adds them: tests/lib/teams/account-end.test.ts",
    trials: "says that the user has tried a plan with a team; the team's export has the team",
    api_keys: "tests/lib/auth/tokens/api-keys.test.ts has the keys of the export",
  };

  it("is read by exportAccount, or is listed above with the reason", async () => {
    const selects: string[] = [];
    const logger = { logQuery: (text: string) => selects.push(text) };
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const { secret, recoveryCodes } = await addTwoFactor(db, user);
    const exported = await exportAccount(drizzle({ client: sql, logger }), session);
    expect(exported).toMatchObject({ twoFactor: { recoveryCodes: 8 } });
    for (const each of [base32(secret), secret.toString("hex"), ...recoveryCodes])
      expect(JSON.stringify(exported)).not.toContain(each);
    const read = selects.filter((text) => text.startsWith("select")).join("\n");

    const tables = await sql<{ name: string }[]>`
      select table_name as name from information_schema.columns
      where column_name = 'user_id' and table_schema = 'public' order by 1`;
    const forgotten = tables
      .map(({ name }) => name)
      .filter((name) => !(name in notExported) && !read.includes(`from "${name}"`))
      .map((name) => `Read ${name} in lib/auth/account/export.ts, or write here why not.`);
    expect(forgotten).toEqual([]);
    expect(tables.length).toBeGreaterThan(3);
  });
});
