import { describe, expect, it } from "vitest";
import {
  consumeVisit,
  createVisit,
  deleteExpiredVisits,
  type NewVisit,
  visitSecrets,
} from "@/lib/auth/login/provider-visits";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { db, racingConnections, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { wholeDatabase } from "@/tests/support/rows";

const visit: NewVisit = {
  ...{ provider: "github", purpose: "log-in", sessionId: null },
  ...{ next: "/dashboard", persistent: true },
};

async function begin() {
  const browser = newToken();
  return { browser, state: await createVisit(db, browser, visit) };
}

const isThere = async (state: string) =>
  (await sql`select from provider_visits where state_hash = ${hashToken(state)}`).length === 1;

describe("consumeVisit", () => {
  it("returns once what the visit was for", async () => {
    const { browser, state } = await begin();
    const presented = { browser, state, provider: "github" } as const;
    expect(await consumeVisit(db, presented)).toMatchObject(visit);
    expect(await consumeVisit(db, presented)).toBeNull();
  });

  it.each([
    ["in another browser", { browser: newToken() }],
    ["in a browser without the cookie", { browser: null }],
    ["from another provider", { provider: "google" as const }],
    ["with another state", { state: newToken() }],
    ["with something that is no state", { state: "x'; --" }],
  ])("returns null %s, and keeps the visit", async (_, other) => {
    const { browser, state } = await begin();
    const presented = { browser, state, provider: "github" } as const;
    expect(await consumeVisit(db, { ...presented, ...other })).toBeNull();
    expect(await isThere(state)).toBe(true);
    expect(await consumeVisit(db, presented)).not.toBeNull();
  });

  it("keeps two tabs of one browser apart, in either order", async () => {
    const browser = newToken();
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const states = [
        await createVisit(db, browser, { ...visit, next: "/first" }),
        await createVisit(db, browser, { ...visit, next: "/second" }),
      ];
      for (const index of order) {
        const presented = { browser, state: states[index], provider: "github" } as const;
        const found = await consumeVisit(db, presented);
        expect(found?.next).toBe(["/first", "/second"][index]);
      }
    }
  });

  it("returns null for an expired visit, which clean-up deletes", async () => {
    const [old, fresh] = [await begin(), await begin()];
    await sql`
      update provider_visits set expires_at = now() - interval '1 second'
      where state_hash = ${hashToken(old.state)}`;
    expect(await consumeVisit(db, { ...old, provider: "github" })).toBeNull();
    await deleteExpiredVisits(db);
    expect(await isThere(old.state)).toBe(false);
    expect(await isThere(fresh.state)).toBe(true);
  });

  it("accepts one of thirty concurrent uses", async () => {
    expect(await race(consumeVisit)).toBe(1);
  });

  it("would accept all thirty if the visit were looked up first and deleted later", async () => {
    const naive: typeof consumeVisit = async (db, presented) => {
      const [row] = await db.execute(
        `select purpose from provider_visits where state_hash = '\\x${hashToken(`${presented.state}`).toString("hex")}'`,
      );
      await db.execute("select pg_sleep(0.1)");
      if (row) await consumeVisit(db, presented);
      return row ? { ...visit, createdAt: new Date() } : null;
    };
    expect(await race(naive)).toBeGreaterThan(1);
  });
});

async function race(consume: (db: Db, presented: never) => Promise<unknown>): Promise<number> {
  const { browser, state } = await begin();
  const racing = racingConnections(30);
  const presented = { browser, state, provider: "github" } as never;
  const found = await Promise.all(times(30, () => consume(racing.db, presented)));
  await racing.sql.end();
  return found.filter((each) => each !== null).length;
}

describe("visitSecrets", () => {
  it("differ from each other and from those of another state or secret", () => {
    const all = [
      visitSecrets("a", "secret"),
      visitSecrets("b", "secret"),
      visitSecrets("a", "other"),
    ].flatMap(({ verifier, nonce }) => [verifier, nonce]);
    expect(new Set(all).size).toBe(6);
    for (const each of all) expect(each).toMatch(/^[\w-]{43}$/); // RFC 7636, section 4.1
  });

  it("are not stored in the database, nor are the state and the cookie", async () => {
    const { browser, state } = await begin();
    const { verifier, nonce } = visitSecrets(state, "secret");
    const whole = await wholeDatabase();
    expect(whole).toContain(hashToken(state).toString("hex"));
    for (const secret of [browser, state, verifier, nonce]) expect(whole).not.toContain(secret);
  });
});
