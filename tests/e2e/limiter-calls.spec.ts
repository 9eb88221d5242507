import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Connection } from "@/lib/db/client";
import { type LimitName, limits } from "@/lib/rate-limits";
import { createKey } from "@/tests/support/api-keys";
import type { App } from "@/tests/support/app";
import { limiterCalls } from "@/tests/support/limiter-calls";
import { createLogin, password } from "@/tests/support/people";
import { allRows } from "@/tests/support/snapshot";
import { expect, test } from "@/tests/support/story";
import { actionNamed, type Everybody, everybody, ways } from "@/tests/support/surface";
import { type Answer, type SentHeaders, send, somewhere, visitor } from "@/tests/support/visitor";

/*
 * Every call of the rate limiter, as the source has them (support/limiter-calls.ts). For each: with
 * one of its limits used up, the caller says so and nothing is done; with the limit free, the same
 * request does what it is for. So an entry fails where the call is missing, comes too late or counts
 * by something else.
 */

/** A user with everything that an action or a route needs, and where the request comes from. */
type Scene = Everybody & {
  app: App;
  connection: Connection;
  ip: string;
  headers: SentHeaders;
  /** An API key that may do everything, and the id of a session that it may end. */
  apiKey: string;
  device: string;
  /** Of an app, where the case logs one in. */
  accessToken?: string;
};

type Case = {
  limit: LimitName;
  fill(scene: Scene): Promise<unknown>;
  /** If it is not the form of the action that makes the call. */
  request?(scene: Scene): Promise<Answer>;
};

const ofUser = (limit: LimitName): Case[] => [by(limit, ({ person }) => [person.id])];
const ofNetwork = (limit: LimitName): Case[] => [by(limit, ({ ip }) => [ip])];
/** `consumeMail`: each of its two limits refuses alone. */
const ofMail = (kind: string, to: (scene: Scene) => string): Case[] => [
  ...ofNetwork("mailPerAddress"),
  by("mailPerRecipient", (scene) => [kind, to(scene)]),
];

/** By function and file. A call without an entry fails and says what to write here. */
const cases: Record<string, Case[]> = {
  "logIn app/(auth)/login/actions.ts": [
    by("logInPerAccountAndAddress", ({ person, ip }) => [person.email, ip]),
    ...ofNetwork("logInPerAddress"),
    ...ofSite(),
    { limit: "logInPerAccountAndDevice", fill: fillOfDevice },
  ],
  "signUp app/(auth)/signup/actions.ts": ofMail("sign-up", typedEmail("signUp")),
  "createAccount app/(auth)/signup/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "sendResetLink app/(auth)/forgot-password/actions.ts": ofMail(
    "password-reset",
    typedEmail("sendResetLink"),
  ),
  "setNewPassword app/(auth)/reset-password/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "confirmEmail app/(auth)/change-email/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "restoreEmail app/(auth)/restore-email/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "disownLogin app/(auth)/not-me/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "sendBrowserLink app/(auth)/confirm-browser/actions.ts": ofMail(
    "confirm-browser",
    typedEmail("sendBrowserLink"),
  ),
  "confirmBrowser app/(auth)/confirm-browser/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "confirm app/(app)/confirm/actions.ts": ofUser("confirmPerUser"),
  "changePassword app/(app)/settings/password/actions.ts": ofUser("confirmPerUser"),
  "saveProfile app/(app)/settings/profile/actions.ts": ofUser("profilePerUser"),
  "POST app/(app)/settings/profile/data/route.ts": ofUser("exportPerUser").map((each) => ({
    ...each,
    request: downloadData,
  })),
  "changeEmail app/(app)/settings/profile/actions.ts": ofMail(
    "email-change",
    typedEmail("changeEmail"),
  ),
  "createKey app/(app)/settings/api-keys/actions.ts": ofUser("apiKeyPerUser"),
  "revokeKey app/(app)/settings/api-keys/actions.ts": ofUser("endPerUser"),
  "logOutDevice app/(app)/settings/devices/actions.ts": ofUser("endPerUser"),
  "logOutOtherDevices app/(app)/settings/devices/actions.ts": ofUser("endPerUser"),
  "logOutEverywhere app/(app)/settings/devices/actions.ts": ofUser("endPerUser"),
  "changeRole app/(app)/admin/users/[id]/actions.ts": ofUser("administerPerUser"),
  "suspendUser app/(app)/admin/users/[id]/actions.ts": ofUser("administerPerUser"),
  "reinstateUser app/(app)/admin/users/[id]/actions.ts": ofUser("administerPerUser"),
  "logOutUserDevice app/(app)/admin/users/[id]/actions.ts": ofUser("administerPerUser"),
  "logOutUser app/(app)/admin/users/[id]/actions.ts": ofUser("administerPerUser"),
  "sendUserResetLink app/(app)/admin/users/[id]/actions.ts": ofMail(
    "reset-by-administrator",
    ({ target }) => target.id,
  ),
  "POST app/api/v1/token/route.ts": [
    by("logInPerAccountAndAddress", ({ person, ip }) => [person.email, ip]),
    ...ofNetwork("logInPerAddress"),
    ...ofSite(),
  ].map((each) => ({ ...each, request: logInApp })),
  "POST app/api/v1/token/confirm/route.ts": ofUser("confirmPerUser").map((each) => ({
    ...each,
    async fill(scene) {
      const login = await logInApp(scene);
      scene.accessToken = JSON.parse(login.body).access_token;
      await each.fill(scene);
    },
    request: confirmApp,
  })),
  "DELETE app/api/v1/sessions/[id]/route.ts": ofUser("endPerUser").map((each) => ({
    ...each,
    request: endSession,
  })),
};

const calls = limiterCalls();

for (const call of calls) {
  test(`${call} does nothing past its limits, and says so`, async ({ app, connection }) => {
    const entry = cases[call];
    if (!entry)
      throw new Error(
        `Write into \`cases\` of tests/e2e/limiter-calls.spec.ts what ${call} counts by: ` +
          "ofUser(limit), ofNetwork(limit), ofMail(kind, to), or a case with its own request.",
      );
    for (const { limit, fill, request = post(call) } of entry) {
      const scene = await createScene(app, connection);
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

test("every entry is of a call, and every limit refuses somewhere", () => {
  expect(Object.keys(cases).sort()).toEqual([...calls].sort());
  const refusing = Object.values(cases).flatMap((entry) => entry.map(({ limit }) => limit));
  expect([...new Set(refusing)].sort()).toEqual(Object.keys(limits).sort());
});

async function createScene(app: App, connection: Connection): Promise<Scene> {
  const all = await everybody(connection);
  const { session } = await createLogin(connection.db, all.person);
  const { id, key } = await createKey(connection.db, session);
  // Used a moment ago, or each request would note that the key was used.
  await connection.sql`update api_keys set last_used_at = now() where id = ${id}`;
  const headers = somewhere();
  const ip = `${headers["x-forwarded-for"]}`;
  return { ...all, app, connection, ip, headers, apiKey: key, device: session.id };
}

/** What a request could change: rows, and mails that were sent. */
async function everything({ app, connection }: Scene) {
  const rows = await allRows(connection); // first: it waits for the mails
  return { rows, mails: await readFile(app.mails, "utf8").catch(() => "") };
}

function expectLimited(call: string, answer: Answer, limit: LimitName): void {
  expect(answer.setCookie, limit).toEqual([]);
  if (call.endsWith("/actions.ts")) {
    expect([answer.status, answer.headers["x-action-redirect"]], limit).toEqual([200, undefined]);
    expect(answer.body, limit).toMatch(/Too many tries\. Try again in \d+ (second|minute)s?\./);
  } else {
    expect(answer.status, limit).toBe(429);
    expect(Number(answer.headers["retry-after"]), limit).toBeGreaterThan(0);
    if (!call.includes(" app/api/")) return;
    expect(answer.headers["content-type"], limit).toBe("application/problem+json");
    expect(JSON.parse(answer.body), limit).toMatchObject({ status: 429, code: "rate-limited" });
  }
}

function by(limit: LimitName, parts: (scene: Scene) => (string | null)[]): Case {
  return {
    limit,
    fill(scene) {
      // As lib/rate-limits.ts names its rows.
      const subject = createHash("sha256").update(JSON.stringify(parts(scene)));
      const key = `${limit}:${subject.digest("base64url")}`;
      return scene.connection.sql`
        insert into rate_limits (key, tat) values (${key}, now() + interval '1 day')`;
    },
  };
}

/** An IPv6 network of 48 bits, from which each request of the case then comes. */
function ofSite(): Case[] {
  const fromSite = (each: Case): Case => ({
    ...each,
    fill(scene) {
      scene.headers["x-forwarded-for"] = "2001:db8:5:1::7";
      return each.fill(scene);
    },
  });
  return [
    by("logInPerSite", () => ["2001:db8:5::/48"]),
    by("logInPerAccountAndSite", ({ person }) => [person.email, "2001:db8:5::/48"]),
  ].map(fromSite);
}

/** A device is known by a cookie of the server's, so the server counts a first try itself. */
async function fillOfDevice(scene: Scene): Promise<void> {
  const { setCookie } = await post("logIn")(scene);
  const device = setCookie.find((line) => line.startsWith("__Host-device="));
  scene.headers.cookie = `${device}`.replace(/;.*/, "");
  const { email } = scene.person;
  const call = ways["by fetch"];
  await call?.(
    visitor(scene.app),
    actionNamed("logIn"),
    { email, password: "wrong" },
    scene.headers,
  );
  const aged = await scene.connection.sql`
    update rate_limits set tat = now() + interval '1 day'
    where key like 'logInPerAccountAndDevice:%' returning key`;
  expect(aged).toHaveLength(1);
}

/** As the page's script sends it: then the answer is what the action returned. */
function post(call: string): (scene: Scene) => Promise<Answer> {
  const [name = ""] = call.split(" ");
  return ({ app, token, fieldsOf, headers }) => {
    const send = ways["by fetch"];
    if (!send) throw new Error("tests/support/surface.ts no longer calls an action by fetch.");
    const action = actionNamed(name);
    return send(visitor(app, token), action, fieldsOf(action), headers);
  };
}

function typedEmail(action: string): (scene: Scene) => string {
  return ({ fieldsOf }) => `${fieldsOf({ name: action }).email}`;
}

function logInApp({ app, person, headers }: Scene): Promise<Answer> {
  const body = Buffer.from(JSON.stringify({ email: person.email, password }));
  const sent = { ...headers, "content-type": "application/json" };
  return send(app.origin, "/api/v1/token", "POST", sent, body);
}

function downloadData({ app, token, headers }: Scene): Promise<Answer> {
  return visitor(app, token).post("/settings/profile/data", new FormData(), headers);
}

function confirmApp({ app, accessToken, headers }: Scene): Promise<Answer> {
  const body = Buffer.from(JSON.stringify({ password }));
  const sent = {
    ...headers,
    authorization: `Bearer ${accessToken}`,
    "content-type": "application/json",
  };
  return send(app.origin, "/api/v1/token/confirm", "POST", sent, body);
}

function endSession({ app, apiKey, device, headers }: Scene): Promise<Answer> {
  const sent = { ...headers, authorization: `Bearer ${apiKey}` };
  return send(app.origin, `/api/v1/sessions/${device}`, "DELETE", sent);
}
