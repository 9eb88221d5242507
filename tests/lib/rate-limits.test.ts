import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { Db } from "@/lib/db/client";
import {
  consume,
  consumeMail,
  deleteExpiredLimits,
  type LimitName,
  limits,
  network,
  resetLimits,
  site,
} from "@/lib/rate-limits";
import { db, racingConnections, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import { wholeDatabase } from "@/tests/support/rows";

const name = "confirmPerUser";
const { burst, period } = limits[name];
const newKey = () => randomUUID();

/** Ages everything counted by this many seconds. */
async function age(seconds: number): Promise<void> {
  await sql`update rate_limits set tat = tat - ${seconds} * interval '1 second'`;
}

/** Consumes the limit until it refuses. Returns how many calls passed. */
async function useUp(limit: LimitName, ...parts: (string | null)[]): Promise<number> {
  for (let n = 0; ; n++) if (!(await consume(db, limit, ...parts)).ok) return n;
}

/** Returns in how many seconds the next call may be made, after a refusal. */
async function wait(limit: LimitName, ...parts: (string | null)[]): Promise<number> {
  const answer = await consume(db, limit, ...parts);
  if (answer.ok) throw new Error("wait: this was not refused.");
  return answer.retryAfter;
}

describe("consume", () => {
  it.each(Object.keys(limits) as LimitName[])(
    "lets exactly the burst of %s pass at once",
    async (limit) => {
      expect(await useUp(limit, newKey())).toBe(limits[limit].burst);
    },
  );

  it("returns the wait until the next try: not too short, and not much too long", async () => {
    const user = newKey();
    await useUp(name, user);
    const seconds = await wait(name, user);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(period / burst / 1000);
    await age(seconds - 2);
    expect((await consume(db, name, user)).ok).toBe(false);
    await age(2);
    expect(await consume(db, name, user)).toEqual({ ok: true });
    expect((await consume(db, name, user)).ok).toBe(false);
  });

  it("returns whole seconds, at least one", async () => {
    const user = newKey();
    await useUp(name, user);
    await age((await wait(name, user)) - 0.5);
    expect(await wait(name, user)).toBe(1);
  });

  it("does not count refused tries: they do not lengthen the wait", async () => {
    const user = newKey();
    await useUp(name, user);
    const before = await wait(name, user);
    for (let n = 0; n < 20; n++) await consume(db, name, user);
    expect(await wait(name, user)).toBeLessThanOrEqual(before);
  });

  it("restores one try per fraction of the period, and all after the whole period", async () => {
    const user = newKey();
    await useUp(name, user);
    await age((3 * period) / burst / 1000 + 1);
    expect(await useUp(name, user)).toBe(3);
    await age(period / 1000 + 1);
    expect(await useUp(name, user)).toBe(burst);
  });

  it("saves nothing beyond the burst after a long pause", async () => {
    const user = newKey();
    await consume(db, name, user);
    await age((50 * period) / 1000);
    expect(await useUp(name, user)).toBe(burst);
  });

  it("counts each subject and each limit separately", async () => {
    const [one, other] = [newKey(), newKey()];
    await useUp(name, one, other);
    for (const parts of [[one], [other, one], [`${one},${other}`], [one, null], [one, other, ""]])
      expect(await consume(db, name, ...parts)).toEqual({ ok: true });
    expect(await consume(db, "endPerUser", one, other)).toEqual({ ok: true });
    expect((await consume(db, name, one, other)).ok).toBe(false);
  });

  it("stores no email", async () => {
    const address = `${newKey()}@example.com`;
    await consume(db, name, address, "203.0.113.200");
    const everything = await wholeDatabase();
    expect(everything).not.toContain(address);
    expect(everything).not.toContain("203.0.113.200");
  });
});

describe("take, two hundred at once", () => {
  const lockKeys = (tx: Db) => tx.execute(query`select from rate_limits for update`);

  it("lets exactly the burst pass", async () => {
    const user = newKey();
    await consume(db, name, user);
    const answers = await collide(200, lockKeys, (db) => consume(db, name, user));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(burst - 1);
  });

  it("lets exactly the burst pass if no row exists yet", async () => {
    const [racing, user] = [racingConnections(50), newKey()];
    const answers = await Promise.all(times(200, () => consume(racing.db, name, user)));
    await racing.sql.end();
    expect(answers.filter(({ ok }) => ok)).toHaveLength(burst);
  });

  it("shares the count between two instances, each with its own pool", async () => {
    const [one, other, user] = [racingConnections(10), racingConnections(10), newKey()];
    const answers = await Promise.all(
      times(100, (n) => consume(n % 2 ? one.db : other.db, name, user)),
    );
    await Promise.all([one.sql.end(), other.sql.end()]);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(burst);
  });

  // Proves that the tests above can fail: reads the count, compares it, then writes it.
  it("would let more pass, if it read before it wrote", async () => {
    await sql`create table counts (subject text primary key, n int not null)`;
    await sql`insert into counts values ('one', 0)`;
    const lock = (tx: Db) => tx.execute(query`select from counts for update`);
    const answers = await collide(50, lock, async (db) => {
      const [row] = await db.execute<{ n: number }>(query`select n from counts`);
      if ((row?.n ?? 0) >= burst) return false;
      await db.execute(query`update counts set n = n + 1`);
      return true;
    });
    await sql`drop table counts`;
    expect(answers.filter(Boolean).length).toBeGreaterThan(burst);
  });
});

describe("consumeMail", () => {
  it("limits the mails to one recipient over all requesters", async () => {
    const to = `${newKey()}@example.com`;
    const ask = (n: number) => consumeMail(db, "password-reset", to, `198.51.100.${n}`);
    const answers = [];
    for (let n = 0; n <= limits.mailPerRecipient.burst; n++) answers.push((await ask(n)).ok);
    expect(answers).toEqual([...times(limits.mailPerRecipient.burst, () => true), false]);
  });

  it("counts each kind of mail separately, so that one cannot block another", async () => {
    const to = `${newKey()}@example.com`;
    await useUp("mailPerRecipient", "sign-up", to);
    expect((await consumeMail(db, "sign-up", to, "198.51.100.101")).ok).toBe(false);
    expect((await consumeMail(db, "password-reset", to, "198.51.100.101")).ok).toBe(true);
  });

  it("limits the mails that one network requests, over all recipients", async () => {
    const ask = () => consumeMail(db, "sign-up", `${newKey()}@example.com`, "2001:db8:7::1");
    for (let n = 0; n < limits.mailPerAddress.burst; n++) expect((await ask()).ok).toBe(true);
    expect((await ask()).ok).toBe(false);
    const neighbour = consumeMail(db, "sign-up", `${newKey()}@example.com`, "2001:db8:7::ffff");
    expect((await neighbour).ok).toBe(false);
  });
});

describe("resetLimits", () => {
  it("resets the given keys, and keeps the others", async () => {
    const [one, other] = [newKey(), newKey()];
    await useUp(name, one);
    await useUp(name, other);
    await resetLimits(db, [[name, one]]);
    expect(await useUp(name, one)).toBe(burst);
    expect((await consume(db, name, other)).ok).toBe(false);
  });
});

describe("deleteExpiredLimits", () => {
  it("deletes expired rows, and keeps those that still limit", async () => {
    const [owing, paid] = [newKey(), newKey()];
    await consume(db, name, paid);
    await age(period / 1000);
    await useUp(name, owing);
    await deleteExpiredLimits(db);
    expect((await consume(db, name, owing)).ok).toBe(false);
    expect(await sql`select from rate_limits where tat < now()`).toHaveLength(0);
  });
});

describe("network", () => {
  it.each([
    ["203.0.113.9", "203.0.113.9"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::", "2001:db8:1:2::/64"],
    ["2001:db8::", "2001:db8:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["1:2:3:4:5:6:7::", "1:2:3:4::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["not an address", "not an address"],
    [null, "unknown"],
    ["", "unknown"],
  ])("of %j is %s", (ip, expected) => {
    expect(network(ip)).toBe(expected);
  });

  it.each([
    "::ffff:203.0.113.9",
    "::FFFF:203.0.113.9",
    "0:0:0:0:0:ffff:203.0.113.9",
    "::ffff:cb00:7109",
  ])("treats %s as its IPv4 address, so that not all of them share a count", (mapped) => {
    expect(network(mapped)).toBe("203.0.113.9");
  });

  it("is one for a whole /64, and another for the next", () => {
    const all = times(
      100,
      () => `2001:db8:1:2:${randomUUID().slice(9, 23).replaceAll("-", ":")}:1`,
    );
    expect(new Set(all.map(network)).size).toBe(1);
    expect(network("2001:db8:1:3::1")).not.toBe(network("2001:db8:1:2::1"));
  });

  it("counts all unknown IP addresses together", async () => {
    await useUp("redeemPerAddress", network(null));
    expect((await consume(db, "redeemPerAddress", network(null))).ok).toBe(false);
  });
});

describe("site", () => {
  it.each([
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"],
    ["2001:DB8:1:ffff::9", "2001:db8:1::/48"],
    ["2001:db8::", "2001:db8:0::/48"],
    ["::1", "0:0:0::/48"],
    ["fe80::1%eth0", "fe80:0:0::/48"],
    ["203.0.113.9", null],
    ["::ffff:203.0.113.9", null],
    ["not an address", null],
    [null, null],
  ])("of %j is %s", (ip, expected) => {
    expect(site(ip)).toBe(expected);
  });

  it("is one for all /64 of a /48, and another for the next /48", () => {
    const all = times(100, (n) => `2001:db8:1:${n.toString(16)}::1`);
    expect(new Set(all.map(site)).size).toBe(1);
    expect(site("2001:db8:2::1")).not.toBe(site("2001:db8:1::1"));
  });
});
