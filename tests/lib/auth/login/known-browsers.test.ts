import { describe, expect, it } from "vitest";
import {
  type BrowserAccount,
  browserCookieName,
  findKnownBrowser,
  knownBrowser,
  rememberAccount,
} from "@/lib/auth/login/known-browsers";
import { browserCookiePolicy } from "@/lib/auth/policy";
import { db, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { createUser, type TestUser } from "@/tests/support/users";

const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0";
const account = { userId: "5f0e0000-0000-4000-8000-000000000000", browserEpoch: 1 };
const other = { userId: "a1a10000-0000-4000-8000-000000000000", browserEpoch: 1 };
const others = times(browserCookiePolicy.accounts, (n) => ({
  userId: `other-${n}`,
  browserEpoch: 1,
}));

/** Returns the cookie after these accounts have logged in, in this order. */
function cookieOf(...accounts: BrowserAccount[]): string {
  return accounts.reduce((value, each) => rememberAccount(value, each, secret), "");
}

describe("browserCookieName", () => {
  it("is __Host- on https, so that no other host can set it", () => {
    expect(browserCookieName("https://app.example.com")).toBe("__Host-device");
    expect(browserCookieName("http://localhost:3000")).toBe("device");
  });
});

describe("rememberAccount", () => {
  it("makes a browser known to the account, and to no other", () => {
    const cookie = cookieOf(account);
    expect(knownBrowser(cookie, account, secret)?.id).toMatch(/^[\w-]{22}$/);
    expect(knownBrowser(cookie, other, secret)).toBeNull();
  });

  it("keeps the browser's id, and the accounts added before", () => {
    const first = cookieOf(account);
    const both = rememberAccount(first, other, secret);
    const browser = knownBrowser(first, account, secret);
    expect(knownBrowser(both, account, secret)).toEqual(browser);
    expect(knownBrowser(both, other, secret)).toEqual(browser);
  });

  it("gives each browser a unique id", () => {
    expect(knownBrowser(cookieOf(account), account, secret)?.id).not.toBe(
      knownBrowser(cookieOf(account), account, secret)?.id,
    );
  });

  it("remembers as many accounts as the policy says, and drops the least recent one", () => {
    const full = cookieOf(account, ...others.slice(1));
    expect(knownBrowser(full, account, secret)).not.toBeNull();
    const over = rememberAccount(full, others[0] ?? other, secret);
    expect(over).toHaveLength(full.length);
    expect(knownBrowser(over, account, secret)).toBeNull();
    for (const each of others) expect(knownBrowser(over, each, secret)).not.toBeNull();
  });

  it("moves a returning account to the front, and does not list it twice", () => {
    const cookie = cookieOf(account, ...others.slice(1), account, others[0] ?? other);
    expect(knownBrowser(cookie, account, secret)).not.toBeNull();
    expect(knownBrowser(cookie, others[1] ?? other, secret)).toBeNull();
    expect(cookieOf(account, account)).toHaveLength(cookieOf(account).length);
  });

  it("names no account in the clear", () => {
    const cookie = cookieOf(account);
    for (const encoding of ["utf8", "base64", "base64url", "hex"] as const)
      expect(cookie).not.toContain(Buffer.from(account.userId).toString(encoding).slice(0, 5));
  });

  it("fits a header, and contains only characters allowed in a cookie", () => {
    expect(cookieOf(...others)).toMatch(/^[\w-]{1,200}$/);
  });

  it.each(["", "x", "x".repeat(23), "x".repeat(100_000), `${"x".repeat(43)};`, "é".repeat(22)])(
    "starts afresh from what is no such cookie",
    (garbage) => {
      const cookie = rememberAccount(garbage, account, secret);
      expect(cookie).toHaveLength(44);
      expect(knownBrowser(cookie, account, secret)).not.toBeNull();
    },
  );
});

describe("a strong browser", () => {
  const strong = (value: string, each: BrowserAccount) =>
    rememberAccount(value, each, secret, true);
  const strength = (value: string, each = account) => knownBrowser(value, each, secret)?.strong;

  it("is one that has logged in with a second factor or a passkey, for that account alone", () => {
    const cookie = strong(cookieOf(account, other), account);
    expect(strength(cookieOf(account))).toBe(false);
    expect(strength(cookie)).toBe(true);
    expect(strength(cookie, other)).toBe(false);
  });

  it("stays strong after a mailed link of the same account, with one entry", () => {
    const first = strong(cookieOf(account), account);
    const linked = rememberAccount(first, account, secret);
    expect(linked).toBe(first);
    expect(linked).toHaveLength(44);
  });

  it("takes no more space, and is dropped like any other", () => {
    const full = others.reduce(strong, strong("", account));
    expect(full).toHaveLength(cookieOf(...others).length);
    expect(strength(full)).toBeUndefined();
    for (const each of others) expect(strength(full, each)).toBe(true);
  });

  it("is unknown after a rise of the account's epoch, and does not become strong by a link", () => {
    const next = { ...account, browserEpoch: 2 };
    const cookie = strong("", account);
    expect(strength(cookie, next)).toBeUndefined();
    expect(strength(rememberAccount(cookie, next, secret), next)).toBe(false);
  });
});

describe("knownBrowser", () => {
  const cookie = cookieOf(account);

  it("recognizes no account from a cookie made with another secret", () => {
    expect(knownBrowser(cookie, account, `${secret}x`)).toBeNull();
  });

  it("refuses a cookie with any single character changed", () => {
    const changed = [...cookie].map((character, at) => {
      const flipped = character === "A" ? "B" : "A";
      return cookie.slice(0, at) + flipped + cookie.slice(at + 1);
    });
    for (const tampered of changed) expect(knownBrowser(tampered, account, secret)).toBeNull();
  });

  it("recognizes no browser of an earlier or later epoch of the account", () => {
    const next = { ...account, browserEpoch: 2 };
    expect(knownBrowser(cookie, next, secret)).toBeNull();
    expect(knownBrowser(cookieOf(next), account, secret)).toBeNull();
    expect(knownBrowser(rememberAccount(cookie, next, secret), next, secret)).not.toBeNull();
  });

  it("does not accept one browser's entry in another's cookie", () => {
    const entry = cookie.slice(22);
    const elsewhere = cookieOf(other);
    expect(knownBrowser(elsewhere + entry, account, secret)).toBeNull();
  });

  it.each([
    undefined,
    "",
    ...["x", "x".repeat(22), "x".repeat(44), "x".repeat(22 * 7), "x".repeat(1_000_000)],
    ...[`${cookie} `, `${cookie}=`, ` ${cookie}`, cookie.slice(1), `${cookie}\n`, `${cookie}é`],
    `${cookie}${"x".repeat(22 * browserCookiePolicy.accounts)}`,
  ])("recognizes no account from a malformed cookie", (value) => {
    expect(knownBrowser(value, account, secret)).toBeNull();
  });
});

describe("findKnownBrowser", () => {
  const known = async (user: TestUser) => {
    const [row] = await sql<{ device_epoch: number }[]>`
      select device_epoch from users where id = ${user.id}`;
    return cookieOf({ userId: user.id, browserEpoch: row?.device_epoch ?? 0 });
  };

  it("finds the account by its email, with its current epoch", async () => {
    const user = await createUser(db);
    const cookie = await known(user);
    expect(await findKnownBrowser(db, cookie, user.email, secret)).toEqual({
      ...{ id: cookie.slice(0, 22), strong: false },
    });
    await sql`update users set device_epoch = device_epoch + 1 where id = ${user.id}`;
    expect(await findKnownBrowser(db, cookie, user.email, secret)).toBeNull();
    expect(await findKnownBrowser(db, await known(user), user.email, secret)).not.toBeNull();
  });

  it("stays known after a change of email, and not to the next owner of the old one", async () => {
    const user = await createUser(db);
    const cookie = await known(user);
    const moved = `moved-${user.email}`;
    await sql`update users set email = ${moved} where id = ${user.id}`;
    await createUser(db, { email: user.email });
    expect(await findKnownBrowser(db, cookie, moved, secret)).not.toBeNull();
    expect(await findKnownBrowser(db, cookie, user.email, secret)).toBeNull();
  });

  it("finds no browser for an email without an account, or without a cookie", async () => {
    const user = await createUser(db);
    const cookie = await known(user);
    expect(await findKnownBrowser(db, cookie, `no-${user.email}`, secret)).toBeNull();
    for (const value of [undefined, "", "x"])
      expect(await findKnownBrowser(db, value, user.email, secret)).toBeNull();
  });
});
