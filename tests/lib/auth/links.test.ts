import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  createLink,
  deleteExpiredLinks,
  findLink,
  type LinkPurpose,
  usedLink,
} from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { db, sql } from "@/tests/support/database";
import { linkPurposes, wholeDatabase } from "@/tests/support/rows";
import { createUser, type TestUser } from "@/tests/support/users";

const purposes = [
  "confirm-browser",
  "email-change",
  "email-restore",
  "not-me",
  "password-reset",
] as const;

const linkFor = (user: TestUser, purpose: LinkPurpose, sentTo = user.email) =>
  createLink(db, { userId: user.id, purpose, sentTo });

describe("createLink", () => {
  it.each([
    ["password-reset", linkPolicy.passwordReset],
    ["confirm-browser", linkPolicy.confirmBrowser],
    ["email-change", linkPolicy.emailChange],
    ["email-restore", linkPolicy.emailRestore],
    ["not-me", linkPolicy.notMe],
  ] as const)(
    "notes of a %s the SHA-256 alone, and its own lifetime",
    async (purpose, lifetime) => {
      const user = await createUser(db);
      const token = await linkFor(user, purpose);
      const [row] = await sql`
      select token_hash, extract(epoch from expires_at - created_at)::int * 1000 as lifetime
      from links where user_id = ${user.id}`;
      expect(row).toEqual({ token_hash: hashToken(token), lifetime });
      expect(await wholeDatabase()).not.toContain(token);
    },
  );

  it.each(["password-reset", "confirm-browser", "email-change"] as const)(
    "ends the user's earlier %s link",
    async (purpose) => {
      const user = await createUser(db);
      const older = await linkFor(user, purpose, "older@example.com");
      const newer = await linkFor(user, purpose);
      expect(await findLink(db, older, purpose)).toBeNull();
      expect(await findLink(db, newer, purpose)).toMatchObject({ sentTo: user.email });
      expect(await linkPurposes(user)).toEqual([purpose]);
    },
  );

  it.each(["email-restore", "not-me"] as const)(
    "keeps the earlier %s link, or an attacker could take it from the owner",
    async (purpose) => {
      const user = await createUser(db);
      const tokens = [await linkFor(user, purpose), await linkFor(user, purpose)];
      for (const token of tokens) expect(await findLink(db, token, purpose)).not.toBeNull();
    },
  );

  it("keeps the links of other purposes and other users", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const theirs = await linkFor(other, "password-reset");
    for (const purpose of purposes) await linkFor(user, purpose);
    expect(await linkPurposes(user)).toEqual([...purposes].sort());
    expect(await findLink(db, theirs, "password-reset")).toMatchObject({ userId: other.id });
  });
});

describe("findLink", () => {
  it("returns what a link would do, any number of times, and changes nothing", async () => {
    const user = await createUser(db);
    const token = await linkFor(user, "email-change", "new@example.com");
    const before = await wholeDatabase();
    for (let n = 0; n < 5; n++)
      expect(await findLink(db, token, "email-change")).toEqual({
        ...{ userId: user.id, sentTo: "new@example.com" },
        ...{ email: user.email, name: user.name },
      });
    expect(await wholeDatabase()).toBe(before);
  });

  it("finds nothing from the link's expiry on, to the second", async () => {
    await db.transaction(async (tx) => {
      const user = await createUser(tx);
      const link = { userId: user.id, purpose: "not-me", sentTo: user.email } as const;
      const token = await createLink(tx, link);
      const isFoundAt = async (shift: number) => {
        await tx.execute(query`
          update links set expires_at = now() + ${shift} * interval '1 second'
          where user_id = ${user.id}`);
        return (await findLink(tx, token, "not-me")) !== null;
      };
      expect(await isFoundAt(1)).toBe(true);
      expect(await isFoundAt(0)).toBe(false);
      expect(await isFoundAt(-1)).toBe(false);
    });
  });

  it.each(purposes)("finds a %s link only for that purpose", async (purpose) => {
    const token = await linkFor(await createUser(db), purpose);
    for (const other of purposes)
      expect((await findLink(db, token, other)) !== null).toBe(other === purpose);
  });

  it("finds nothing for a token that is no link", async () => {
    for (const token of [newToken(), "", "x", "\0", "x".repeat(100_000)])
      expect(await findLink(db, token, "password-reset")).toBeNull();
  });

  it("finds no link of a suspended or deleted user", async () => {
    const user = await createUser(db);
    const token = await linkFor(user, "not-me");
    expect(await findLink(db, token, "not-me")).not.toBeNull();
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await findLink(db, token, "not-me")).toBeNull();
    await sql`delete from users where id = ${user.id}`;
    expect(await findLink(db, token, "not-me")).toBeNull();
    expect(await linkPurposes(user)).toEqual([]);
  });

  it.each(["password-reset", "confirm-browser"] as const)(
    "finds no %s that went to an email which is no longer the user's",
    async (purpose) => {
      const user = await createUser(db);
      const token = await linkFor(user, purpose);
      await sql`update users set email = ${`moved-${user.email}`} where id = ${user.id}`;
      expect(await findLink(db, token, purpose)).toBeNull();
    },
  );
});

describe("usedLink", () => {
  it("deletes the link of this purpose, and no other row", async () => {
    const user = await createUser(db);
    const token = await linkFor(user, "not-me");
    await linkFor(user, "not-me");
    await linkFor(user, "password-reset");
    const use = (purpose: LinkPurpose) =>
      db.execute(query`with ${usedLink(token, purpose)} select user_id from link`);
    expect(await use("email-restore")).toHaveLength(0);
    expect(await use("not-me")).toHaveLength(1);
    expect(await use("not-me")).toHaveLength(0);
    expect(await linkPurposes(user)).toEqual(["not-me", "password-reset"]);
  });
});

describe("deleteExpiredLinks", () => {
  it("deletes expired links, and keeps the others", async () => {
    const user = await createUser(db);
    await linkFor(user, "not-me");
    await sql`
      update links set expires_at = now() - interval '1 second' where user_id = ${user.id}`;
    await linkFor(user, "email-restore");
    await deleteExpiredLinks(db);
    expect(await linkPurposes(user)).toEqual(["email-restore"]);
  });
});
