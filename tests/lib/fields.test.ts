import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkbox, email, id, label, name, password, teamName } from "@/lib/fields";
import { db, sql } from "@/tests/support/database";
import { createUser } from "@/tests/support/users";

describe("email", () => {
  it.each([
    ["name@example.com", "name@example.com"],
    ["  Name@Example.COM ", "name@example.com"],
    ["name＠example.com", "name@example.com"],
    ["ＮＡＭＥ@example.com", "name@example.com"],
    ["\u212Aelvin@example.com", "kelvin@example.com"],
    ["first.last+tag@mail.example.co.uk", "first.last+tag@mail.example.co.uk"],
  ])("reads %j as %j", (typed, stored) => {
    expect(email.parse(typed)).toBe(stored);
  });

  it.each([
    ...["", " ", "name", "name@", "@example.com", "name@example", "a@b@example.com"],
    ...["name@@example.com", "name@example.com@evil.example", "name＠evil.example@example.com"],
    ...["na me@example.com", "name@exa mple.com", "name@example.com\0", "na\0me@example.com"],
    ...["name@example.com\nBcc: all@example.com", "name@example.com,other@example.com"],
    ...["Name <name@example.com>", '"name"@example.com', "naïve@example.com", "name@exämple.com"],
    ...[`${"x".repeat(250)}@example.com`, "\u200bname@example.com", "name@example.com\u202e"],
  ])("refuses %j", (typed) => {
    expect(email.safeParse(typed).success).toBe(false);
  });

  it("refuses an email that is too long, before or after normalization", () => {
    for (const typed of ["x".repeat(1_000_000), `${"ﷺ".repeat(900)}@example.com`])
      expect(email.safeParse(typed).error?.issues[0]?.message).toBe("This email is too long.");
  });

  it.each([undefined, null, 1, {}, ["name@example.com"]])(
    "refuses %j, which is no text",
    (typed) => {
      expect(email.safeParse(typed).error?.issues[0]?.message).toBe("Enter your email.");
    },
  );

  // Letters that fold into others, every kind of at sign, and random text around a real email.
  const piece = fc.oneof(
    fc.constantFrom(
      "@",
      "＠",
      "﹫",
      "a",
      "Ａ",
      "ａ",
      "K",
      "İ",
      "ß",
      "ﬁ",
      "．",
      "。",
      ".",
      "\0",
      " ",
    ),
    fc.string({ unit: "grapheme", maxLength: 4 }),
  );
  const typed = fc
    .tuple(fc.array(piece, { maxLength: 5 }), fc.array(piece, { maxLength: 3 }))
    .map(([local, domain]) => `x${local.join("")}@y${domain.join("")}.example`);

  it("accepts only a normalized email with exactly one @", () => {
    let accepted = 0;
    fc.assert(
      fc.property(typed, (text) => {
        const { success, data } = email.safeParse(text);
        if (!success) return;
        accepted++;
        expect(data).toBe(data.normalize("NFKC").trim().toLowerCase());
        expect(data.split("@")).toHaveLength(2);
        expect(data).toMatch(/^[\x21-\x7e]+$/);
        expect(email.parse(data)).toBe(data);
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it("finds an account by every spelling of its email", async () => {
    const user = await createUser(db);
    for (const typed of [
      user.email.toUpperCase(),
      ` ${user.email} `,
      user.email.replace("@", "＠"),
    ])
      expect(await sql`select id from users where email = ${email.parse(typed)}`).toHaveLength(1);
  });
});

describe("name", () => {
  it.each(["Grace", "Zoë", "李小龙", "O’Neil-Smith", "🦦", "x", "x".repeat(100), "Null"])(
    "accepts %j",
    (typed) => {
      expect(name.parse(typed)).toBe(typed);
    },
  );

  it("leaves out spaces around it", () => {
    expect(name.parse("  Grace Walker ")).toBe("Grace Walker");
  });

  it.each([
    "",
    "   ",
    "x".repeat(101),
    "x".repeat(1_000_000),
    "a\0b",
    "a\nb",
    "a\u0007b",
    "a\u0085b",
  ])("refuses %j", (typed) => {
    expect(name.safeParse(typed).success).toBe(false);
  });

  it("refuses a megabyte", () => {
    expect(name.safeParse("x".repeat(1_000_000)).success).toBe(false);
  });

  it("accepts no name that the table refuses", async () => {
    const user = await createUser(db);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 120 }), async (typed) => {
        const { success, data } = name.safeParse(typed);
        if (success) await sql`update users set name = ${data} where id = ${user.id}`;
      }),
    );
  });
});

describe("password", () => {
  it.each([" kelp otter ", "Kelp", "\u00e9", "e\u0301", "a\0b"])(
    "is exactly what was typed: %j",
    (typed) => {
      expect(password.parse(typed)).toBe(typed);
    },
  );

  it("refuses none at all", () => {
    expect(password.safeParse("").success).toBe(false);
    expect(password.safeParse(undefined).success).toBe(false);
  });
});

describe("checkbox", () => {
  it("is ticked by the value that browsers send, and not if it is missing", () => {
    expect(checkbox.parse("on")).toBe(true);
    expect(checkbox.parse(undefined)).toBe(false);
  });

  it.each(["off", "true", "", "ON"])("refuses %j", (sent) => {
    expect(checkbox.safeParse(sent).success).toBe(false);
  });
});

describe("id", () => {
  it("accepts the id of any row", async () => {
    const user = await createUser(db);
    expect(id.parse(user.id)).toBe(user.id);
  });

  it.each(["", "1", "x".repeat(36), "' or true --", "00000000-0000-0000-0000-00000000000"])(
    "refuses %j",
    (sent) => {
      expect(id.safeParse(sent).success).toBe(false);
    },
  );
});

describe.each(Object.entries({ name, label, teamName }))("%s", (_, field) => {
  it.each(["", " ", "\u200b", "\u2060\u00ad", "\u3164", "Acme\u202e", "\u2066Acme", "Ac\0me"])(
    "refuses %j, which is invisible, or reverses the text after it",
    (typed) => {
      expect(field.safeParse(typed).success).toBe(false);
    },
  );

  it.each(["Acme", "بيت", "\u200fבית", "日本", "👩‍👧", "-"])("accepts %j", (typed) => {
    expect(field.parse(typed)).toBe(typed);
  });
});
