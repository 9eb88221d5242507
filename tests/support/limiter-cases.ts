import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Connection } from "@/lib/db/client";
import { type LimitName, limits } from "@/lib/rate-limits";
import type { App } from "./app";
import { expect, test } from "./end-to-end";
import { type Answer, httpClient, randomClientIp, type SentHeaders } from "./http-client";
import type { Call } from "./limiter-calls";
import type { ProviderProcess } from "./provider-process";
import { allRows } from "./snapshot";
import { actionNamed, createScenario, type Scenario, ways } from "./surface";

/*
 * Tests each call of the rate limiter (limiter-calls.ts). With one of its limits used up, the
 * response reports it and nothing is changed; with the limit free, the same request succeeds. Such
 * a test fails if the call is missing, comes too late or counts by something else.
 */

/** A user with everything that an action needs, and the client that sends the request. */
export type Scene = Scenario & {
  app: App;
  connection: Connection;
  github: ProviderProcess;
  ip: string;
  /** Headers of the request. */
  headers: SentHeaders;
};

export type Case = {
  limit: LimitName;
  /** Uses up the limit, and prepares what the request needs. */
  fill(scene: Scene): Promise<unknown>;
  /** The request, unless it is the form of the action that makes the call. */
  request?: ((scene: Scene) => Promise<Answer>) | undefined;
};

export const ofUser = (limit: LimitName, request?: Case["request"]): Case[] => [
  { ...by(limit, ({ user }) => [user.id]), request },
];

/** Returns the cases of all actions that count only by the acting user, as found in the source. */
export function ofActingUsers(calls: Call[]): Record<string, Case[]> {
  const isLimit = (name: string): name is LimitName => name in limits;
  return Object.fromEntries(
    calls.flatMap(({ id, limitPerUser = "" }) =>
      id.endsWith("actions.ts") && isLimit(limitPerUser) ? [[id, ofUser(limitPerUser)]] : [],
    ),
  );
}

export const ofNetwork = (limit: LimitName): Case[] => [by(limit, ({ ip }) => [ip])];

/** Returns the cases of a login from an IPv6 /48 network. */
export function ofSite(request?: Case["request"]): Case[] {
  const prefix = "2001:db8:5::/48";
  const counts = [
    by("logInPerSite", () => [prefix]),
    by("logInPerAccountAndSite", ({ user }) => [user.email, prefix]),
  ];
  return counts.map((each) => ({
    ...each,
    request,
    fill(scene) {
      scene.headers["x-forwarded-for"] = "2001:db8:5:1::7";
      return each.fill(scene);
    },
  }));
}

/** The cases of `consumeMail`: each of its two limits must refuse by itself. */
export const ofMail = (kind: string, to: (scene: Scene) => string): Case[] => [
  ...ofNetwork("mailPerAddress"),
  by("mailPerRecipient", (scene) => [kind, to(scene)]),
];

/** A limit that counts by these `parts`, as the call passes them to the limiter. */
export function by(limit: LimitName, parts: (scene: Scene) => (string | null)[]): Case {
  return {
    limit,
    fill(scene) {
      // The row's key has the same format as in lib/rate-limits.ts.
      const subject = createHash("sha256").update(JSON.stringify(parts(scene)));
      const key = `${limit}:${subject.digest("base64url")}`;
      return scene.connection.sql`
        insert into rate_limits (key, tat) values (${key}, now() + interval '1 day')`;
    },
  };
}

/** Defines a test for each call, and one for cases of removed calls. `file` holds the cases. */
export function testCases(file: string, calls: Call[], cases: Record<string, Case[]>): void {
  const ids = calls.map(({ id }) => id);
  for (const call of ids) {
    test(`${call} does nothing past its limits, and says so`, async ({
      app,
      connection,
      github,
    }) => {
      const entry = cases[call];
      if (!entry)
        throw new Error(
          `Add to \`cases\` in ${file} what ${call} counts by: ofUser(limit), ` +
            "ofNetwork(limit), ofMail(kind, to) or by(limit, parts), with a request if it is not " +
            "the form of an action.",
        );
      for (const { limit, fill, request = post(call) } of entry) {
        const scene = { ...(await createScene(app, connection, call)), github };
        await fill(scene);
        const before = await everything(scene);
        expectLimited(call, await request(scene), limit);
        expect(await everything(scene), limit).toEqual(before);

        await connection.sql`delete from rate_limits`;
        const { status } = await request(scene);
        expect(status, limit).toBeLessThan(400);
        expect(await everything(scene), limit).not.toEqual(before);
      }
    });
  }

  test(`${file} has no entry of a call that is gone`, () => {
    expect(Object.keys(cases).filter((call) => !ids.includes(call))).toEqual([]);
  });
}

async function createScene(app: App, connection: Connection, call: string) {
  const [action] = call.split(" ");
  const headers = randomClientIp();
  const ip = `${headers["x-forwarded-for"]}`;
  return { ...(await createScenario(connection, "admin", action)), app, connection, ip, headers };
}

/** Returns what a request could change: the rows, and the mails sent. */
async function everything({ app, connection }: Scene) {
  const rows = await allRows(connection); // first, because it waits for the mails
  return { rows, mails: await readFile(app.mails, "utf8").catch(() => "") };
}

function expectLimited(call: string, answer: Answer, limit: LimitName): void {
  expect(answer.setCookie, limit).toEqual([]);
  if (/actions\.ts( #\d+)?$/.test(call) || call.startsWith("checkSecondFactor ")) {
    expect([answer.status, answer.headers["x-action-redirect"]], limit).toEqual([200, undefined]);
    expect(answer.body, limit).toMatch(
      /Too many (attempts|codes)\. Try again in \d+ (second|minute)s?[.,]/,
    );
    return;
  }
  expect(answer.status, limit).toBe(429);
  expect(Number(answer.headers["retry-after"]), limit).toBeGreaterThan(0);
  if (!call.includes(" app/api/")) return;
  expect(answer.headers["content-type"], limit).toBe("application/problem+json");
  expect(JSON.parse(answer.body), limit).toMatchObject({ status: 429, code: "rate-limited" });
}

/** Calls the action as the page's script does: the response is what the action returned. */
export function post(call: string): (scene: Scene) => Promise<Answer> {
  const [name = ""] = call.split(" ");
  return ({ app, token, fieldsOf, headers }) => {
    const call = ways["by fetch"];
    if (!call) throw new Error("tests/support/surface.ts no longer calls an action by fetch.");
    const action = actionNamed(name);
    return call(httpClient(app, token), action, fieldsOf(action), headers);
  };
}
