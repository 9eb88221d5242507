import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import https from "node:https";
import { passwordPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import type { Connection } from "@/lib/db/client";
import { product } from "@/lib/product";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient, type SentHeaders, send } from "@/tests/support/http-client";
import { allRows, deleteAllRows } from "@/tests/support/snapshot";
import {
  actionNamed,
  allActions,
  createScenario,
  type Fields,
  formBody,
  pathOf,
  shownForm,
} from "@/tests/support/surface";
import { newPassword, password } from "@/tests/support/users";

/*
 * Input that none of our forms sends. The response is a field's error or a clean 4xx, never a 5xx.
 */

test.beforeEach(({ connection }) => deleteAllRows(connection));

/** Fields that accept any text of a valid length. */
const freeText = [
  "saveProfile: name",
  "createKey: name",
  "createKeyOfTeam: name",
  "suspendUser: reason",
  "createAccount: name",
  "createAccount: password",
  "setNewPassword: password",
  "changePassword: next",
  "renamePasskey: name",
  "createAccountWithPasskey: name",
  "createTeam: name",
  "renameTeam: name",
  "createAccountAndJoin: name",
  "createAccountAndJoin: password",
  "createAccountAndJoinWithPasskey: name",
  "createProject: name",
  "renameProject: name",
  "addNote: body",
];

/** A wrong value of a field with one of these names is ignored, and the action runs. */
const notFatal = ["remember", "next"];

/** Makes every proof of identity old: with a recent one, /confirm asks for nothing. */
const lapse = ({ sql }: Connection) =>
  sql`update sessions set authenticated_at = now() - interval '1 day'`;

type Entries = [string, string | Blob][];

/** Replacements of a field's value. `password` may be any text: a wrong one is not malformed. */
const bad: Record<string, (name: string, value: string) => Entries> = {
  missing: () => [],
  empty: (name) => [[name, ""]],
  blank: (name) => [[name, " \t\u00a0"]],
  "with a NUL byte": (name, value) => [[name, `${value}\0`]],
  "with control characters": (name, value) => [[name, `\u0007${value}\u001b[31m`]],
  "a lone surrogate": (name) => [[name, "\ud800@\udfff.example"]],
  "text of every script, right to left": (name) => [[name, "\u202e名前 اسم नाम 👩‍👩‍👧‍👦"]],
  "10,000 characters": (name) => [[name, "x".repeat(10_000)]],
  "1 MB less a little": (name) => [[name, "y".repeat(990_000)]],
  "a file": (name) => [[name, new Blob(["content"], { type: "text/plain" })]],
  "sent twice": (name, value) => [
    [name, value],
    [name, `${value}2`],
  ],
  SQL: (name) => [[name, "'; drop table sessions; --"]],
  markup: (name) => [[name, "<script>alert(1)</script>"]],
  "a prototype's name": (name) => [[name, "__proto__"]],
};

for (const [kind, entries] of Object.entries(bad)) {
  test(`a field that is ${kind} causes no server error and creates no session`, async ({
    app,
    connection,
  }) => {
    let who = await createScenario(connection);
    let before = await allRows(connection);
    for (const action of allActions()) {
      const fields = who.fieldsOf(action);
      for (const name of Object.keys(fields)) {
        const what = `${action.name}: ${name}`;
        const sent = Object.entries(who.fieldsOf(action));
        const others = sent.filter(([other]) => other !== name);
        const body = formBody(action, [...others, ...entries(name, fields[name] ?? "")]);
        const page = pathOf(action, who.fieldsOf(action));
        const answer = await httpClient(app, who.token).post(page, body);
        const advice = `${what}: a field of lib/fields.ts takes nothing that Postgres refuses.`;
        expect(answer.status, advice).toBeLessThan(500);
        expect(answer.body, what).not.toContain("<script>alert(1)");
        // A new key is shown on the same page. Every other success redirects.
        const done = answer.status === 303 || answer.body.includes("Your new key");
        const accepted = done && (freeText.includes(what) || notFatal.includes(name));
        if (accepted) {
          who = await createScenario(connection);
          before = await allRows(connection);
        } else {
          const hint = `Write "${what}" into freeText, if any text is right there.`;
          expect(await allRows(connection), hint).toEqual(before);
        }
      }
    }
  });
}

test("each wrong field has its sentence beside it", async ({ app, connection }) => {
  const { token, team } = await createScenario(connection);
  const expected: [string, Fields, RegExp][] = [
    ["logIn", { email: "no-email", password: "never shown again" }, /Enter an email like/],
    ["logIn", { email: "a@example.com", password: "" }, /Enter your password/],
    ["signUp", { email: `${"a".repeat(300)}@example.com` }, /too long/],
    ["signUp", { email: "a＠b@example.com" }, /Enter an email like/],
    ["saveProfile", { name: "x".repeat(101) }, /at most 100 characters/],
    ["saveProfile", { name: "a\0b" }, /cannot be shown/],
    ["sendResetLink", { email: "no-email" }, /Enter an email like/],
    ["changeEmail", { email: "no-email" }, /Enter an email like/],
    ["createKey", { name: " ", "profile:read": "on", expires: "30" }, /Enter a name/],
    ["createKey", { name: "Backup", expires: "30" }, /at least one thing/],
    ["createKey", { name: "Backup", "profile:read": "on", expires: "1" }, /Choose when/],
    ["createKeyOfTeam", { team: team.handle, name: "Backup", expires: "30" }, /at least one thing/],
    ["deleteAccount", { confirmation: "a@example.com" }, /exactly/],
    ["confirm", { password: "not mine" }, /not your password/],
    ["changePassword", { current: "not mine", next: newPassword }, /not your password/],
    [
      "changePassword",
      { current: password, next: "too short" },
      RegExp(`at least ${passwordPolicy.minLength}`),
    ],
    [
      "changePassword",
      { current: password, next: `${product.name.toLowerCase()}2026!` },
      /little more than/,
    ],
  ];
  for (const [name, fields, sentence] of expected) {
    if (name === "confirm") await lapse(connection);
    const before = await allRows(connection);
    const action = actionNamed(name);
    const from = httpClient(
      app,
      /^\/(settings\/|confirm|t\/)/.test(action.path) ? token : undefined,
    );
    const { body } = await from.post(pathOf(action, fields), await shownForm(from, action, fields));
    expect(body, name).toMatch(sentence);
    expect(body, name).toMatch(/aria-invalid="true"/);
    for (const secret of ["password", "current", "next"])
      if (fields[secret]) expect(body, name).not.toContain(fields[secret]);
    expect(await allRows(connection), name).toEqual(before);
  }
});

test("a password of a megabyte is refused before it is hashed", async ({ app, connection }) => {
  const who = await createScenario(connection);
  await lapse(connection);
  const before = await allRows(connection);
  for (const [name, field, page] of [
    ["logIn", "password", "/login"],
    ["createAccount", "password", `/signup/${who.links["sign-up"]}`],
    ["setNewPassword", "password", `/reset-password/${who.links["password-reset"]}`],
    ["changePassword", "current", "/settings/password"],
    ["changePassword", "next", "/settings/password"],
    ["confirm", "password", "/confirm"],
  ] as const) {
    const action = actionNamed(name);
    for (const length of [passwordPolicy.maxBytes + 1, 900_000, 1024 * 1024, 4_000_000]) {
      const form = { ...who.fieldsOf(action), [field]: "z".repeat(length) };
      const from = httpClient(app, name === "logIn" ? undefined : who.token);
      const answer = await from.post(page, formBody(action, form));
      expect(answer.status, name).toBe(length < 1_000_000 ? 200 : 413);
      expect(answer.setCookie, name).toEqual([]);
      expect(answer.body, name).not.toContain("zzzzzzzz");
    }
  }
  expect(await allRows(connection)).toEqual(before);
});

test("garbage instead of a form does nothing", async ({ app, connection }) => {
  const { token } = await createScenario(connection);
  const from = httpClient(app, token);
  const before = await allRows(connection);
  const multipart = "multipart/form-data; boundary=x";
  const bodies: [string, Record<string, string>][] = [
    ["garbage", { "content-type": multipart }],
    ["--x\r\nContent-Disposition: form-data\r\n\r\n--x--", { "content-type": multipart }],
    ['--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n', { "content-type": multipart }],
    ["a=1", { "content-type": "multipart/form-data" }],
    ["a=1&a=2&%zz", { "content-type": "application/x-www-form-urlencoded" }],
    ["{", { "content-type": "application/json" }],
    ["[]", { "content-type": "text/plain;charset=UTF-8", "next-action": "60".padEnd(42, "0") }],
    ["[]", { "content-type": "text/plain;charset=UTF-8", "next-action": "nothing" }],
    [
      "[",
      { "content-type": "text/plain;charset=UTF-8", "next-action": actionNamed("saveProfile").id },
    ],
    [
      "[]",
      { "content-type": "text/plain;charset=UTF-8", "next-action": actionNamed("saveProfile").id },
    ],
  ];
  for (const [body, headers] of bodies) {
    const answer = await from.post("/settings/profile", body, headers);
    expect(answer.body).not.toMatch(/at .*\.js:\d/);
    expect(answer.setCookie).toEqual([]);
  }
  expect(await allRows(connection)).toEqual(before);
});

test("a malformed request is a clean 4xx, changes nothing and leaves no stack in the log", async ({
  app,
  connection,
}) => {
  const { token } = await createScenario(connection);
  const from = httpClient(app, token);
  const before = await allRows(connection);
  const { id } = actionNamed("saveProfile");
  const length = (await readFile(app.log, "utf8")).length;

  const trace = (path: string) =>
    send(app.origin, path, "TRACE", { cookie: `__Host-session=${token}` });
  for (const path of ["/", "/login", "/logout", "/api/health", "/icon.svg"]) {
    const { status, headers, body } = await trace(path);
    expect([status, headers.allow], path).toEqual([405, "GET, HEAD, POST, PUT, PATCH, DELETE"]);
    expect(body, path).not.toContain(token);
  }
  for (const path of ["/%", "/admin/users/%", "/settings/%zz", "/signup/%ff", "/login%", "/api/%"])
    expect((await from.get(path)).status, path).toBe(400);
  for (const path of ["*", "http://evil.example/login"]) {
    const { status, headers } = await from.get(path);
    expect([status, headers.location], path).toEqual([400, undefined]);
  }
  for (const tree of ["garbage", "%zz", "{}", "null", "%5B%5D", "x".repeat(12_000)]) {
    const headers = { rsc: "1", "next-router-state-tree": tree };
    expect((await from.get("/dashboard", headers)).status, tree).toBe(400);
    expect((await from.post("/settings/profile", "[]", headers)).status, tree).toBe(400);
  }

  const type = "multipart/form-data; boundary=----boundary";
  const part = (head: string, value = "") => `------boundary\r\n${head}\r\n\r\n${value}\r\n`;
  const named = (name: string, value?: string) =>
    part(`Content-Disposition: form-data; name="${name}"`, value);
  const end = "------boundary--\r\n";
  const bound = named("$ACTION_REF_1") + named("$ACTION_1:0", `{"id":"${id}","bound":"$@1"}`);
  const forms: Record<string, string> = {
    empty: "",
    garbage: "garbage",
    "cut off": bound + named("$ACTION_1:1", "[{}]"),
    "a part without a name": part("Content-Disposition: form-data") + end,
    "a part with another header": part("Content-Disposition: nonsense") + end,
    "an id that is none": named("$ACTION_ID_zz") + end,
    "a reference that ends early": named("$ACTION_REF_1") + named("$ACTION_1:0", '{"id') + end,
    "arguments that are missing": bound + end,
    "arguments that end early": bound + named("$ACTION_1:1", "[{") + end,
  };
  for (const [what, body] of Object.entries(forms))
    expect(
      (await from.post("/settings/profile", body, { "content-type": type })).status,
      what,
    ).toBe(400);
  const noBoundary = { "content-type": "multipart/form-data" };
  expect((await from.post("/settings/profile", end, noBoundary)).status).toBe(400);

  const fetched: [string, SentHeaders][] = [
    ["[", {}],
    ["", {}],
    ["{}", {}],
    ["[]", { "next-action": "nothing" }],
    ["[]", { "next-action": "__proto__" }],
    ["garbage", { "content-type": type }],
    [named("0", "[]"), { "content-type": type }],
    [named("0", "nope") + end, { "content-type": type }],
    [named("1_name", "x") + end, { "content-type": type }],
    [end, noBoundary],
  ];
  for (const [body, headers] of fetched) {
    const answer = await from.post("/settings/profile", body, { "next-action": id, ...headers });
    expect(answer.status, body).toBe(400);
  }
  // Well-formed arguments that the action does not accept: errors beside its fields.
  for (const body of ["[]", "[{},null]", "[{}]"])
    expect((await from.post("/settings/profile", body, { "next-action": id })).status, body).toBe(
      200,
    );
  const unbound = await from.post("/settings/profile", named(`$ACTION_ID_${id}`) + end, {
    "content-type": type,
  });
  expect(unbound.status).toBe(200);

  expect(await allRows(connection)).toEqual(before);
  // Next logs an action that it does not find. Once that line is there, all earlier lines are too.
  const unknown = `60${randomBytes(20).toString("hex")}`;
  await from.post("/settings/profile", "[]", { "next-action": unknown });
  await expect.poll(() => readFile(app.log, "utf8")).toContain(unknown);
  const [said = ""] = (await readFile(app.log, "utf8")).slice(length).split(/^.*Failed to find/m);
  // Each request has one line of JSON in the log.
  expect(said.replaceAll(/^\{.*\}\n/gm, "")).toBe("");
});

test("a form that is too large is refused, even if its length is not announced", async ({
  app,
  connection,
}) => {
  const before = await allRows(connection);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const { hostname, port } = new URL(app.origin);
    const headers = {
      ...{ origin: app.origin, "sec-fetch-site": "same-origin", "transfer-encoding": "chunked" },
      "content-type": "multipart/form-data; boundary=----boundary",
    };
    const options = { hostname, port, path: "/login", method: "POST", headers };
    const post = https.request({ ...options, rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    post.on("error", reject);
    post.end("x".repeat(2 * 1024 * 1024));
  });
  expect(status).toBe(413);
  expect(await allRows(connection)).toEqual(before);
});

test("a form of an action that does not exist changes nothing", async ({ app, connection }) => {
  const { token, fieldsOf } = await createScenario(connection);
  const before = await allRows(connection);
  for (const id of ["", "x", "60".padEnd(42, "0"), "../../etc/passwd", "__proto__"]) {
    const action = { ...actionNamed("saveProfile"), id };
    const body = formBody(action, fieldsOf(action));
    const answer = await httpClient(app, token).post("/settings/profile", body);
    expect(answer.status, id).toBeLessThan(500);
  }
  expect(await allRows(connection)).toEqual(before);
});

test("a malformed session cookie gets the answer of a request without a session", async ({
  app,
  connection,
}) => {
  const { token, user } = await createScenario(connection);
  const [row] = await connection.sql`select id from sessions where user_id = ${user.id}`;
  const hash = hashToken(token);
  const values = [
    "",
    "x",
    `${token}x`,
    token.slice(1),
    `"${token}"`,
    ` ${token} x`,
    encodeURIComponent(`${token}==`),
    "%00".repeat(15),
    "é".repeat(43),
    row?.id,
    hash.toString("hex"),
    hash.toString("base64url"),
    "a".repeat(12_000),
  ];
  const cookies = values.map((value) => `__Host-session=${value}`);
  cookies.push(
    `__Host-session=${token}; __Host-session=${"a".repeat(43)}`,
    `session=${token}`,
    `__host-session=${token}`,
    `__Secure-session=${token}`,
    ";;;=;",
  );
  for (const cookie of cookies) {
    const sent = Buffer.from(cookie).toString("latin1");
    const answer = await httpClient(app).get("/dashboard", { cookie: sent });
    expect([307, 431], cookie.slice(0, 60)).toContain(answer.status);
    expect(answer.setCookie, cookie.slice(0, 60)).toEqual([]);
  }
  expect((await httpClient(app, token).get("/settings")).status).toBe(200);
});

test("none of these requests caused an unexpected error in the log", async ({ app }) => {
  const log = await readFile(app.log, "utf8");
  expect(log).not.toMatch(/unhandled|uncaught|out of memory|PostgresError|invalid byte sequence/i);
});
