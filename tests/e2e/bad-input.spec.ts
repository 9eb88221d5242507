import { readFile } from "node:fs/promises";
import { hashToken } from "@/lib/auth/secrets";
import { allRows } from "@/tests/support/snapshot";
import { expect, test } from "@/tests/support/story";
import {
  type Action,
  allActions,
  everybody,
  type Fields,
  formBody,
  shownForm,
} from "@/tests/support/surface";
import { visitor } from "@/tests/support/visitor";

/* What no form of ours sends. The answer is an error beside a field or a clean 4xx, never a 5xx. */

/** The fields each action reads; every other one is ignored. */
const fieldsOf: Record<string, string[]> = {
  logIn: ["email", "password", "remember", "next"],
  signUp: ["email"],
  createAccount: ["token", "name", "password"],
  saveProfile: ["name"],
  logOutDevice: ["id"],
  setTheme: ["theme"],
};

type Entries = [string, string | Blob][];

/** Instead of one field's value. `password` may be any text: what is wrong is wrong, not malformed. */
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
  test(`a field that is ${kind} is no server error, and nobody is logged in by it`, async ({
    app,
    connection,
  }) => {
    for (const action of allActions()) {
      for (const name of fieldsOf[action.name] ?? []) {
        const { token, fields } = await everybody(connection);
        const others = Object.entries(fields).filter(([other]) => other !== name);
        const body = formBody(action, [...others, ...entries(name, fields[name] ?? "")]);
        const before = await allRows(connection);
        const answer = await visitor(app, token).post(action.path, body);
        expect(answer.status, `${action.name}: ${name}`).toBeLessThan(500);
        // A name of any script is a name; a checkbox or a next that is wrong is not fatal.
        const isRefused = !(action.name === "saveProfile" || ["next", "remember"].includes(name));
        if (isRefused && name !== "theme" && answer.setCookie.length === 0)
          expect(withoutSignUps(await allRows(connection)), `${action.name}: ${name}`).toEqual(
            withoutSignUps(before),
          );
        expect(answer.body).not.toContain("<script>alert(1)");
      }
    }
  });
}

function withoutSignUps(rows: Record<string, string[]>) {
  return { ...rows, pending_sign_ups: [] };
}

test("each wrong field has its sentence beside it", async ({ app, connection }) => {
  const expected: [string, Fields, RegExp][] = [
    ["logIn", { email: "nobody", password: "never shown again" }, /Enter an address like/],
    ["logIn", { email: "a@example.com", password: "" }, /Enter your password/],
    ["signUp", { email: `${"a".repeat(300)}@example.com` }, /too long/],
    ["signUp", { email: "a＠b@example.com" }, /Enter an address like/],
    ["saveProfile", { name: "x".repeat(101) }, /at most 100 characters/],
    ["saveProfile", { name: "a\0b" }, /cannot be shown/],
  ];
  const { token } = await everybody(connection);
  const before = await allRows(connection);
  for (const [name, fields, sentence] of expected) {
    const action = actionNamed(name);
    const from = visitor(app, name === "saveProfile" ? token : undefined);
    const { body } = await from.post(action.path, await shownForm(from, action, fields));
    expect(body, name).toMatch(sentence);
    expect(body, name).toMatch(/aria-invalid="true"/);
    if (fields.password) expect(body, name).not.toContain(fields.password);
  }
  expect(await allRows(connection)).toEqual(before);
});

test("a password of a megabyte is refused before it is hashed", async ({ app, connection }) => {
  const { fields } = await everybody(connection);
  for (const name of ["logIn", "createAccount"]) {
    for (const length of [1025, 900_000, 1024 * 1024, 4_000_000]) {
      const action = { ...actionNamed(name) };
      if (name === "createAccount") action.path = `/signup/${fields.token}`;
      const form = { ...fields, password: "z".repeat(length) };
      const answer = await visitor(app).post(action.path, formBody(action, form));
      expect(answer.status).toBe(length < 1_000_000 ? 200 : 413);
      expect(answer.setCookie).toEqual([]);
      expect(answer.body).not.toContain("zzzzzzzz");
    }
  }
});

test("garbage instead of a form does nothing", async ({ app, connection }) => {
  const { token } = await everybody(connection);
  const from = visitor(app, token);
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

test("a form of an action that is no more is refused", async ({ app, connection }) => {
  const { token, fields } = await everybody(connection);
  const before = await allRows(connection);
  for (const id of ["", "x", "60".padEnd(42, "0"), "../../etc/passwd", "__proto__"]) {
    const action = { ...actionNamed("saveProfile"), id };
    const answer = await visitor(app, token).post("/settings/profile", formBody(action, fields));
    expect(answer.status, id).toBeLessThan(500);
  }
  expect(await allRows(connection)).toEqual(before);
});

test("whatever stands in the cookie, the answer is that to nobody", async ({ app, connection }) => {
  const { token, person } = await everybody(connection);
  const [row] = await connection.sql`select id from sessions where user_id = ${person.id}`;
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
    const answer = await visitor(app).get("/dashboard", { cookie: sent });
    expect([307, 431], cookie.slice(0, 60)).toContain(answer.status);
    expect(answer.setCookie, cookie.slice(0, 60)).toEqual([]);
  }
  expect((await visitor(app, token).get("/dashboard")).status).toBe(200);
});

test("none of it made the server stumble", async ({ app }) => {
  const log = await readFile(app.log, "utf8");
  expect(log).not.toMatch(/unhandled|uncaught|out of memory|PostgresError|invalid byte sequence/i);
});

function actionNamed(name: string): Action {
  const action = allActions().find((each) => each.name === name);
  if (!action) throw new Error(`The build has no action ${name}.`);
  return action;
}
