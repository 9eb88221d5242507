import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as argon2 from "@node-rs/argon2";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import { redeemSignUp } from "@/lib/auth/account/sign-up";
import { isBreached } from "@/lib/auth/credentials/breached-passwords";
import { createLink } from "@/lib/auth/links";
import { passwordPolicy } from "@/lib/auth/policy";
import { newToken } from "@/lib/auth/secrets";
import { createSignUp } from "@/lib/auth/sign-up-links";
import type { Db } from "@/lib/db/client";
import { setEnv } from "@/lib/env";
import { digestOf, rangeOf, startBreachService } from "@/tests/support/breach-service";
import { db, racingConnections } from "@/tests/support/database";
import { wholeDatabase } from "@/tests/support/rows";
import {
  createLogin,
  createUser,
  newPassword,
  password,
  withPassword,
} from "@/tests/support/users";

// Spied on, not replaced: every hash is real, and counted.
vi.mock("@node-rs/argon2", { spy: true });

const service = await startBreachService();
afterAll(() => service.stop());

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const { prefix, suffix } = digestOf(newPassword);
const hit = rangeOf(`${suffix}:3`);
const log = vi.spyOn(console, "warn").mockImplementation(() => {});

beforeEach(() => {
  service.requests.length = 0;
  service.answer((response) => response.end(hit));
  log.mockClear();
});

/** Expects the password to be allowed, and logged with this reason and no part of the password. */
async function expectUnchecked(reason: string | RegExp, url = service.url): Promise<void> {
  expect(await isBreached(newPassword, url)).toBe(false);
  expect(log).toHaveBeenCalledTimes(1);
  const line = `${log.mock.lastCall}`;
  expect(line).toMatch(reason);
  for (const secret of [newPassword, prefix, suffix, suffix.slice(0, 8)])
    expect(line.toUpperCase()).not.toContain(secret.toUpperCase());
}

describe("isBreached", () => {
  it("is true for a password in the range, whatever the case of its digits", async () => {
    expect(await isBreached(newPassword, service.url)).toBe(true);
    service.answer((response) => response.end(hit.toLowerCase().replaceAll("\r", "")));
    expect(await isBreached(newPassword, service.url)).toBe(true);
    expect(log).not.toHaveBeenCalled();
  });

  it("is false for a password that is not in the range", async () => {
    service.answer((response) => response.end(rangeOf()));
    expect(await isBreached(newPassword, service.url)).toBe(false);
    expect(log).not.toHaveBeenCalled();
  });

  it("treats an entry with the count 0 as padding", async () => {
    service.answer((response) => response.end(rangeOf(`${suffix}:0`)));
    expect(await isBreached(newPassword, service.url)).toBe(false);
    expect(log).not.toHaveBeenCalled();
  });

  it("sends five digits of the SHA-1, asks for padding, and sends nothing else", async () => {
    await isBreached(newPassword, service.url);
    const [request, ...more] = service.requests;
    expect(more).toEqual([]);
    expect(request).toMatchObject({ method: "GET", url: `/range/${prefix}` });
    expect(request?.headers).toMatchObject({ "add-padding": "true" });
    expect(JSON.stringify(request)).not.toContain(suffix.slice(0, 5));
    expect(request?.headers["content-length"]).toBeUndefined();
  });

  it("sends no request if no URL is set, as in every other test", async () => {
    expect(await isBreached(newPassword)).toBe(false);
    expect(service.requests).toEqual([]);
    expect(log).not.toHaveBeenCalled();
  });
});

describe("isBreached, while the service is away, slow or wrong", () => {
  it("allows the password when nothing listens there", async () => {
    const gone = await startBreachService();
    await gone.stop();
    await expectUnchecked("ECONNREFUSED", gone.url);
  });

  it("allows it when the connection breaks", async () => {
    service.answer((response) => response.destroy());
    await expectUnchecked("TypeError");
  });

  it("allows it when no answer begins in time", async () => {
    service.answer(() => {});
    await expectUnchecked("TimeoutError");
  });

  // Fails if only fetch holds the signal: Node then waits for its own body timeout, 5 minutes.
  it("allows it when the answer does not end in time, though garbage is collected", async () => {
    service.answer((response) => response.write(hit));
    const collecting = setInterval(collectGarbage, 100);
    await expectUnchecked("TimeoutError").finally(() => clearInterval(collecting));
  });

  it.each([
    [500, hit],
    [404, ""],
    [429, hit],
  ])("allows it when the answer is a %i", async (status, body) => {
    service.answer((response) => response.writeHead(status).end(body));
    await expectUnchecked(`${status}`);
  });

  it.each([
    ["nothing", ""],
    ["a page", `<!doctype html><title>Log in to the Wi-Fi</title>${suffix}`],
    ["JSON", JSON.stringify({ [suffix]: 3 })],
    ["bytes", Buffer.from([0, 255, 254, 10, 0])],
  ])("allows it when the answer is %s", async (_, body) => {
    service.answer((response) => response.end(body));
    await expectUnchecked("no range");
  });

  it("does not follow a redirect", async () => {
    service.answer((response) => response.writeHead(302, { Location: "/elsewhere" }).end());
    await expectUnchecked("TypeError");
    expect(service.requests).toHaveLength(1);
  });

  it("stops reading an answer that is too long, and closes the connection", async () => {
    const closed = new Promise((resolve) => {
      service.answer((response) => {
        response.once("close", resolve);
        const send = () => {
          while (!response.destroyed && response.write(`${hit}\r\n`));
          if (!response.destroyed) response.once("drain", send);
        };
        send();
      });
    });
    await expectUnchecked("too long");
    await closed;
    expect(hit.length).toBeLessThan(passwordPolicy.breached.maxBytes);
  });
});

describe("a new password that is breached", () => {
  beforeEach(() => {
    setEnv({ BREACHED_PASSWORDS_URL: service.url });
    return () => setEnv({ BREACHED_PASSWORDS_URL: "" });
  });

  type Choose = (chosen: string) => Promise<{ ok: boolean }>;
  type Way = (on: Db) => Promise<Choose>;

  const ways: [string, Way][] = [
    [
      "sign-up",
      async (on) => {
        const token = `${await createSignUp(db, `${newToken()}@example.com`.toLowerCase())}`;
        const visit = { presented: null, client: unknownClient };
        return (password) => redeemSignUp(on, token, { name: "Grace Walker", password }, visit);
      },
    ],
    [
      "reset",
      async (on) => {
        const { id: userId, email: sentTo } = await createUser(db);
        const token = await createLink(db, { userId, sentTo, purpose: "password-reset" });
        return (chosen) => redeemPasswordReset(on, token, withPassword(chosen), unknownClient);
      },
    ],
    [
      "change",
      async (on) => {
        const { session, token } = await createLogin(db, await createUser(db));
        return (next) => changePassword(on, session, { presented: token, current: password, next });
      },
    ],
  ];

  it.each(ways)("is refused at %s before it is hashed, and changes no row", async (_, way) => {
    const choose = await way(db);
    const before = await wholeDatabase();
    vi.mocked(argon2.hash).mockClear();
    expect(await choose(newPassword)).toEqual({ ok: false, reason: "password", fault: "breached" });
    expect(argon2.hash).not.toHaveBeenCalledWith(newPassword, expect.anything());
    expect(await wholeDatabase()).toBe(before);
    service.answer((response) => response.end(rangeOf()));
    expect(await choose(newPassword)).toMatchObject({ ok: true });
  });

  it.each(ways)("is accepted at %s while the service answers 500", async (_, way) => {
    service.answer((response) => response.writeHead(500).end());
    expect(await (await way(db))(newPassword)).toMatchObject({ ok: true });
    expect(log).toHaveBeenCalledTimes(1);
  });

  it.each(ways)("is looked up at %s while no database connection is held", async (_, way) => {
    const one = racingConnections(1);
    const choose = await way(one.db);
    // The only connection responds meanwhile. If it were held, this would wait until the timeout.
    service.answer(async (response) => {
      await one.sql`select 1`;
      response.end(hit);
    });
    expect(await choose(newPassword)).toMatchObject({ fault: "breached" });
    await one.sql.end();
  });

  it.each(ways)("is looked up at %s after the checks that need no network", async (_, way) => {
    const choose = await way(db);
    for (const refused of [
      "too short",
      "x".repeat(passwordPolicy.maxLength + 1),
      "1234567890123456",
      "P@ssword2026!",
    ])
      expect(await choose(refused)).toMatchObject({ ok: false, reason: "password" });
    expect(service.requests).toEqual([]);
  });

  it("is not looked up without a working link or the current password", async () => {
    const visit = { presented: null, client: unknownClient };
    const chosen = { name: "Grace Walker", password: newPassword };
    await redeemSignUp(db, newToken(), chosen, visit);
    await redeemPasswordReset(db, newToken(), withPassword(newPassword), unknownClient);
    const { session, token } = await createLogin(db, await createUser(db));
    const change = { presented: token, current: "not this one", next: newPassword };
    await changePassword(db, session, change);
    expect(service.requests).toEqual([]);
  });
});
