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
import { createPerson, type Person } from "@/tests/support/people";
import { linkPurposes, wholeDatabase } from "@/tests/support/rows";

const purposes = [
  "confirm-browser",
  "email-change",
  "email-restore",
  "not-me",
  "password-reset",
] as const;

const linkFor = (person: Person, purpose: LinkPurpose, sentTo = person.email) =>
  createLink(db, { userId: person.id, purpose, sentTo });

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
      const person = await createPerson(db);
      const token = await linkFor(person, purpose);
      const [row] = await sql`
      select token_hash, extract(epoch from expires_at - created_at)::int * 1000 as lifetime
      from links where user_id = ${person.id}`;
      expect(row).toEqual({ token_hash: hashToken(token), lifetime });
      expect(await wholeDatabase()).not.toContain(token);
    },
  );

  it.each(["password-reset", "confirm-browser", "email-change"] as const)(
    "makes the earlier %s link of the user dead",
    async (purpose) => {
      const person = await createPerson(db);
      const older = await linkFor(person, purpose, "older@example.com");
      const newer = await linkFor(person, purpose);
      expect(await findLink(db, older, purpose)).toBeNull();
      expect(await findLink(db, newer, purpose)).toMatchObject({ sentTo: person.email });
      expect(await linkPurposes(person)).toEqual([purpose]);
    },
  );

  it.each(["email-restore", "not-me"] as const)(
    "leaves the earlier %s link alive, or an attacker could take it from the owner",
    async (purpose) => {
      const person = await createPerson(db);
      const tokens = [await linkFor(person, purpose), await linkFor(person, purpose)];
      for (const token of tokens) expect(await findLink(db, token, purpose)).not.toBeNull();
    },
  );

  it("lives beside those of other purposes and other users", async () => {
    const [person, other] = [await createPerson(db), await createPerson(db)];
    const theirs = await linkFor(other, "password-reset");
    for (const purpose of purposes) await linkFor(person, purpose);
    expect(await linkPurposes(person)).toEqual([...purposes].sort());
    expect(await findLink(db, theirs, "password-reset")).toMatchObject({ userId: other.id });
  });
});

describe("findLink", () => {
  it("says what a link would do, any number of times, and changes nothing", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person, "email-change", "new@example.com");
    const before = await wholeDatabase();
    for (let n = 0; n < 5; n++)
      expect(await findLink(db, token, "email-change")).toEqual({
        ...{ userId: person.id, sentTo: "new@example.com" },
        ...{ email: person.email, name: person.name },
      });
    expect(await wholeDatabase()).toBe(before);
  });

  it("finds nothing from the link's end on, to the second", async () => {
    await db.transaction(async (tx) => {
      const person = await createPerson(tx);
      const link = { userId: person.id, purpose: "not-me", sentTo: person.email } as const;
      const token = await createLink(tx, link);
      const isFoundAt = async (shift: number) => {
        await tx.execute(query`
          update links set expires_at = now() + ${shift} * interval '1 second'
          where user_id = ${person.id}`);
        return (await findLink(tx, token, "not-me")) !== null;
      };
      expect(await isFoundAt(1)).toBe(true);
      expect(await isFoundAt(0)).toBe(false);
      expect(await isFoundAt(-1)).toBe(false);
    });
  });

  it.each(purposes)("finds a %s link for that purpose alone", async (purpose) => {
    const token = await linkFor(await createPerson(db), purpose);
    for (const other of purposes)
      expect((await findLink(db, token, other)) !== null).toBe(other === purpose);
  });

  it("finds nothing for what is no link", async () => {
    for (const token of [newToken(), "", "x", "\0", "x".repeat(100_000)])
      expect(await findLink(db, token, "password-reset")).toBeNull();
  });

  it("finds none of a suspended user, and none of a deleted one", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person, "not-me");
    expect(await findLink(db, token, "not-me")).not.toBeNull();
    await sql`update users set status = 'suspended' where id = ${person.id}`;
    expect(await findLink(db, token, "not-me")).toBeNull();
    await sql`delete from users where id = ${person.id}`;
    expect(await findLink(db, token, "not-me")).toBeNull();
    expect(await linkPurposes(person)).toEqual([]);
  });

  it.each(["password-reset", "confirm-browser"] as const)(
    "finds no %s that went to an email which is no longer the user's",
    async (purpose) => {
      const person = await createPerson(db);
      const token = await linkFor(person, purpose);
      await sql`update users set email = ${`moved-${person.email}`} where id = ${person.id}`;
      expect(await findLink(db, token, purpose)).toBeNull();
    },
  );
});

describe("usedLink", () => {
  it("takes the link of this purpose, and no other row", async () => {
    const person = await createPerson(db);
    const token = await linkFor(person, "not-me");
    await linkFor(person, "not-me");
    await linkFor(person, "password-reset");
    const use = (purpose: LinkPurpose) =>
      db.execute(query`with ${usedLink(token, purpose)} select user_id from link`);
    expect(await use("email-restore")).toHaveLength(0);
    expect(await use("not-me")).toHaveLength(1);
    expect(await use("not-me")).toHaveLength(0);
    expect(await linkPurposes(person)).toEqual(["not-me", "password-reset"]);
  });
});

describe("deleteExpiredLinks", () => {
  it("deletes what has expired, and nothing else", async () => {
    const person = await createPerson(db);
    await linkFor(person, "not-me");
    await sql`
      update links set expires_at = now() - interval '1 second' where user_id = ${person.id}`;
    await linkFor(person, "email-restore");
    await deleteExpiredLinks(db);
    expect(await linkPurposes(person)).toEqual(["email-restore"]);
  });
});
