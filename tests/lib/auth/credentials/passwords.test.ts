import * as argon2 from "@node-rs/argon2";
import { describe, expect, it, vi } from "vitest";
import commonPasswords from "@/lib/auth/credentials/common-passwords.json";
import { hashPassword, passwordFault, verifyPassword } from "@/lib/auth/credentials/passwords";
import { passwordPolicy } from "@/lib/auth/policy";
import { product } from "@/lib/product";
import { db, sql } from "@/tests/support/database";
import { createUser, password } from "@/tests/support/users";

// Spied on, not replaced: every hash is real, and counted.
vi.mock("@node-rs/argon2", { spy: true });

/** Returns how many times argon2 ran during the work. */
async function countHashes(work: () => Promise<unknown>): Promise<number> {
  const calls = () =>
    vi.mocked(argon2.hash).mock.calls.length + vi.mocked(argon2.verify).mock.calls.length;
  const before = calls();
  await work();
  return calls() - before;
}

const fault = (password: string, personal: string[] = []) => passwordFault(password, personal);

describe("passwordFault", () => {
  const { minLength, maxLength } = passwordPolicy;

  it("requires the policy's minimum length: one character less is too short", async () => {
    const phrase = "kelp-otter-zinc-harbour-violin";
    expect(await fault(phrase.slice(0, minLength))).toBeNull();
    expect(await fault(phrase.slice(0, minLength - 1))).toBe("too-short");
    expect(await fault("")).toBe("too-short");
  });

  it("accepts no more characters than the policy allows", async () => {
    const phrase = "kelp otter zinc ".repeat(maxLength / 16);
    expect(phrase).toHaveLength(maxLength);
    expect(await fault(phrase)).toBeNull();
    expect(await fault(`${phrase}!`)).toBe("too-long");
  });

  it("counts characters, not bytes or UTF-16 units", async () => {
    const animals = [..."🦦🐙🦀🐚🪸🐡🦈🐬🐳🦭🐟🦐🐢🐊🦑🐠"];
    expect(await fault(animals.slice(0, minLength).join(""))).toBeNull();
    expect(await fault(animals.slice(0, minLength - 1).join(""))).toBe("too-short");
    const many = animals.join("").repeat(maxLength / animals.length);
    expect(await fault(many)).toBeNull();
    expect(await fault(`${many}🦦`)).toBe("too-long");
  });

  it("counts spaces, also at either end", async () => {
    expect(await fault(" kelp otter ")).toBeNull();
    expect(await fault("kelp otter")).toBe("too-short");
  });

  it("demands no mixture: one case, no digit, no sign", async () => {
    expect(await fault("kelpotterzinc")).toBeNull();
  });

  it.each(["passwordpassword", "PASSWORDPASSWORD", "1234567890123456", "qwertyuiopasdfghjkl"])(
    "refuses %j, which is on the list of common passwords",
    async (common) => {
      expect(await fault(common)).toBe("common");
    },
  );

  it("knows at least 3,000 common passwords that are long enough (ASVS 6.2.4)", async () => {
    const longEnough = commonPasswords.passwords.filter(
      (word) => [...word].length >= passwordPolicy.minLength,
    );
    expect(new Set(longEnough).size).toBeGreaterThanOrEqual(3000);
    expect(commonPasswords.passwords.filter((word) => word !== word.toLowerCase())).toEqual([]);
  });

  it("refuses each of them, in any case", async () => {
    for (const common of commonPasswords.passwords)
      expect([common, await fault(common.toUpperCase())]).toEqual([common, "common"]);
  });

  it.each([
    ["a common password with digits and signs", "P@ssword2026!"],
    ["a common password with digits and signs around it", "!!iloveyou2026"],
    ["a common long password with one more digit", "justinbieber9"],
    ["a common password backwards", "drowssap987654"],
    ["a season, a year and signs", "Summer2026!!"],
    ["digits for letters", "L1v3rp00l2026!"],
    ["a sequence", "abcdefghijklmno"],
    ["keys in a row", "zxcvbnm,./asdfg"],
    ["dates", "20260131 20260201"],
    ["one character again and again", " ".repeat(20)],
    ["a few characters again and again", "abcabcabcabc"],
    ["a long part again and again", "manchesterunited2026".repeat(4)],
    ["two words of a dictionary", "purple battery"],
    ["properties of every JavaScript object", "constructor__proto__"],
  ])("refuses %s", async (_, guessable) => {
    expect(await fault(guessable)).toBe("guessable");
  });

  it.each(["correct horse battery", "seven purple herons", "Xk3v9Qm2Lw7b", "blue house dog tree"])(
    "accepts %j",
    async (unguessable) => {
      expect(await fault(unguessable)).toBeNull();
    },
  );

  it("refuses the user's own words as guessable", async () => {
    const chosen = "wolfram herons";
    expect(await fault(chosen)).toBeNull();
    expect(await fault(chosen, ["wolfram@example.com", "Wolfram Herons"])).toBe("personal");
    expect(await fault(chosen, ["wolfram@example.com"])).toBe("guessable");
  });

  it("judges by the first 32 characters, which bounds the CPU time of one password", async () => {
    const [weak, strong] = ["1234567890".repeat(4).slice(0, 32), "correct horse battery"];
    expect(await fault(`${weak}${strong}`)).toBe("guessable");
    expect(await fault(`${strong}${weak}`)).toBeNull();
  });

  it.each([
    `${product.name.toLowerCase()}2026!`,
    `${product.name.toUpperCase()}-123456`,
    "dana.demo-1234",
    "dana@example.com",
    "Dana Demo 1999",
  ])("refuses %j, which is little more than personal words", async (personal) => {
    expect(await fault(personal, ["dana@example.com", "Dana Demo"])).toBe("personal");
  });

  it.each([`${product.name.toLowerCase()} under the mat`, "dana likes kelp forests"])(
    "accepts %j, which only mentions a personal word",
    async (sentence) => {
      expect(await fault(sentence, ["dana@example.com", "Dana Demo"])).toBeNull();
    },
  );

  it("ignores very short names", async () => {
    expect(await fault("kelp otter zinc", ["o@ex.co", "Al"])).toBeNull();
  });

  it("refuses a megabyte without hashing it", async () => {
    const count = await countHashes(async () => {
      expect(await fault("x".repeat(1_000_000))).toBe("too-long");
    });
    expect(count).toBe(0);
  });
});

describe("hashPassword", () => {
  it("is argon2id with the policy's parameters, salted anew each time", async () => {
    const [one, two] = [await hashPassword(password), await hashPassword(password)];
    const { memoryCost, timeCost, parallelism } = passwordPolicy.argon2;
    expect(one).toContain(`$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`);
    expect(one).not.toBe(two);
  });

  it("refuses to hash a megabyte", async () => {
    const count = await countHashes(async () => {
      await expect(hashPassword("x".repeat(1_000_000))).rejects.toThrow("passwordFault");
    });
    expect(count).toBe(0);
  });
});

describe("verifyPassword", () => {
  it("returns what a session needs, and not the hash", async () => {
    const user = await createUser(db);
    expect(await verifyPassword(db, user.email, password)).toEqual({
      userId: user.id,
      authVersion: 1,
      browserEpoch: 1,
      role: "user",
      suspended: false,
      twoFactor: false,
    });
  });

  it("accepts a password of any age: none expires", async () => {
    const user = await createUser(db);
    await sql`update passwords set changed_at = now() - interval '10 years' where user_id = ${user.id}`;
    await sql`update users set created_at = now() - interval '10 years' where id = ${user.id}`;
    expect(await verifyPassword(db, user.email, password)).toMatchObject({ userId: user.id });
  });

  it("reveals a suspension only with the right password", async () => {
    const user = await createUser(db);
    await sql`update users set status = 'suspended' where id = ${user.id}`;
    expect(await verifyPassword(db, user.email, password)).toMatchObject({ suspended: true });
    expect(await verifyPassword(db, user.email, "not this one")).toBeNull();
  });

  it.each([
    ["another case", password.toUpperCase()],
    ["a space before", ` ${password}`],
    ["a space behind", `${password} `],
    ["a newline behind", `${password}\n`],
    ["a NUL behind", `${password}\0`],
    ["the last character missing", password.slice(0, -1)],
    ["nothing", ""],
  ])("takes the password exactly as it is: not with %s", async (_, wrong) => {
    const user = await createUser(db);
    expect(await verifyPassword(db, user.email, wrong)).toBeNull();
  });

  it.each([
    ["that differ at character 100", `${"a".repeat(99)}bc`, `${"a".repeat(99)}xc`],
    ["that differ behind a NUL", "kelp otter\0one", "kelp otter\0two"],
    ["that look the same, composed or not", "Zo\u00eb likes kelp", "Zoe\u0308 likes kelp"],
    ["that differ in width", "kelp otter zinc", "ｋelp otter zinc"],
  ])("tells two passwords apart %s", async (_, right, wrong) => {
    const user = await createUser(db);
    const hash = await hashPassword(right);
    await sql`update passwords set hash = ${hash} where user_id = ${user.id}`;
    expect(await verifyPassword(db, user.email, right)).not.toBeNull();
    expect(await verifyPassword(db, user.email, wrong)).toBeNull();
  });

  it("refuses a megabyte without hashing it, known email or not", async () => {
    const user = await createUser(db);
    for (const email of [user.email, "unknown@example.com"]) {
      const count = await countHashes(async () => {
        expect(await verifyPassword(db, email, "x".repeat(1_000_000))).toBeNull();
      });
      expect(count).toBe(0);
    }
  });

  it("hashes as often for an email without an account, or without a password", async () => {
    const [user, without] = [await createUser(db), await createUser(db)];
    await sql`delete from passwords where user_id = ${without.id}`;
    const check = (email: string, given: string) =>
      countHashes(() => verifyPassword(db, email, given));
    expect(await check(user.email, password)).toBe(1);
    expect(await check(user.email, "not this one")).toBe(1);
    expect(await check(without.email, password)).toBe(1);
    expect(await check("unknown@example.com", password)).toBe(1);
  });

  it("hashes as often for the first unknown email after a start", async () => {
    const { email } = await createUser(db);
    const countInFreshModule = async (address: string) => {
      vi.resetModules();
      const fresh = await import("@/lib/auth/credentials/passwords");
      return countHashes(() => fresh.verifyPassword(db, address, password));
    };
    const known = await countInFreshModule(email);
    expect(await countInFreshModule("unknown@example.com")).toBe(known);
  });
});
