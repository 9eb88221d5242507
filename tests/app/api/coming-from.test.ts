import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { logIn } from "@/lib/auth/login/log-in";
import { renderMail } from "@/lib/auth/mails/jobs";
import { getSession } from "@/lib/auth/sessions/lookup";
import { db, sql } from "@/tests/support/database";
import { password, withPassword } from "@/tests/support/users";

/*
 * Runs the SQL of app/api/README.md on the tables from each library's documentation, and checks
 * that its users can log in.
 */

const readme = readFileSync("app/api/README.md", "utf8");

function statementsFrom(library: string): string {
  const [, text] = readme.split(`\`\`\`sql ${library}\n`);
  const [found] = text?.split("```") ?? [];
  if (!found) throw new Error(`app/api/README.md has no SQL for ${library}.`);
  return found;
}

/** The tables from authjs.dev for @auth/pg-adapter, with rows of all kinds. */
const authJs = (stem: string) => `
  create table old.verification_token (
    identifier text not null, expires timestamptz not null, token text not null,
    primary key (identifier, token));
  create table old.accounts (
    id serial, "userId" integer not null, type varchar(255) not null,
    provider varchar(255) not null, "providerAccountId" varchar(255) not null,
    refresh_token text, access_token text, expires_at bigint, id_token text, scope text,
    session_state text, token_type text, primary key (id));
  create table old.sessions (
    id serial, "userId" integer not null, expires timestamptz not null,
    "sessionToken" varchar(255) not null, primary key (id));
  create table old.users (
    id serial, name varchar(255), email varchar(255), "emailVerified" timestamptz, image text,
    primary key (id));
  insert into old.users (name, email) values
    ('Ada Lovelace', '${stem}@Example.com'), ('Another Ada', '${stem.toUpperCase()}@example.com'),
    (null, 'nameless-${stem}@example.com'), ('${"x".repeat(250)}', 'long-${stem}@example.com'),
    ('Without an address', null);`;

/** The tables that better-auth's own migration creates on Postgres. */
const betterAuth = (stem: string) => `
  create table old."user" (
    id text primary key, name text not null, email text not null unique,
    "emailVerified" boolean not null, image text,
    "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz not null default current_timestamp);
  create table old.session (
    id text primary key, "expiresAt" timestamptz not null, token text not null unique,
    "createdAt" timestamptz not null default current_timestamp, "updatedAt" timestamptz not null,
    "ipAddress" text, "userAgent" text, "userId" text not null references old."user" (id));
  create table old.account (
    id text primary key, "accountId" text not null, "providerId" text not null,
    "userId" text not null references old."user" (id), "accessToken" text, "refreshToken" text,
    "idToken" text, "accessTokenExpiresAt" timestamptz, "refreshTokenExpiresAt" timestamptz,
    scope text, password text, "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz not null);
  insert into old."user" (id, name, email, "emailVerified", "createdAt") values
    ('a1', 'Ada Lovelace', '${stem}@Example.com', true, '2024-05-01Z'),
    ('a2', 'Another Ada', '${stem.toUpperCase()}@example.com', false, '2024-06-01Z'),
    ('n1', ' ', 'nameless-${stem}@example.com', true, '2024-07-01Z'),
    ('l1', '${"x".repeat(250)}', 'long-${stem}@example.com', true, '2024-08-01Z');
  insert into old.account (id, "accountId", "providerId", "userId", password, "updatedAt") values
    ('c1', 'a1', 'credential', 'a1', '${"ab".repeat(16)}:${"cd".repeat(64)}', '2024-05-01Z');`;

const libraries = { "auth.js": authJs, "better-auth": betterAuth };

/** Creates the library's tables and rows, and runs the README's SQL. Its emails are unique. */
async function carry(library: keyof typeof libraries): Promise<string> {
  const stem = `u${randomUUID().slice(0, 8)}`;
  await sql.unsafe(
    `drop schema if exists old cascade; create schema old; ${libraries[library](stem)}`,
  );
  await sql.begin((tx) => tx.unsafe(statementsFrom(library)));
  return stem;
}

async function carried(stem: string) {
  return sql<{ email: string; name: string; old: string[]; hasPassword: boolean }[]>`
    select email, left(name, 30) as name, array_agg(old_id order by nth) as old,
      exists (select from passwords where user_id = users.id) as "hasPassword"
    from users join old.carried on user_id = users.id
    where email like ${`%${stem}@example.com`} group by users.id order by email`;
}

describe.each(Object.keys(libraries) as (keyof typeof libraries)[])("from %s", (library) => {
  it("imports every user with an email once, and maps the old ids to the new", async () => {
    const stem = await carry(library);
    const ids = library === "auth.js" ? [["4"], ["3"], ["1", "2"]] : [["l1"], ["n1"], ["a1", "a2"]];
    expect(await carried(stem)).toEqual([
      { email: `long-${stem}@example.com`, name: "x".repeat(30), old: ids[0], hasPassword: false },
      {
        email: `nameless-${stem}@example.com`,
        name: `nameless-${stem}`,
        old: ids[1],
        hasPassword: false,
      },
      { email: `${stem}@example.com`, name: "Ada Lovelace", old: ids[2], hasPassword: false },
    ]);
  });

  it("requires the mailbox to set a password, and then logs the user in", async () => {
    const email = `${await carry(library)}@example.com`;
    const attempt = (typed: string) =>
      logIn(db, {
        ...{ email, password: typed, persistent: true, presented: null },
        ...{ knownBrowser: true, client: unknownClient },
      });
    expect((await attempt("")).ok).toBe(false);
    expect((await attempt(password)).ok).toBe(false);

    const mail = await renderMail(
      db,
      { mail: "password-reset", to: email },
      "https://app.example.com",
    );
    const [, link = ""] = /reset-password\/([\w-]{43})/.exec(`${mail?.text}`) ?? [];
    expect(
      await redeemPasswordReset(db, link, withPassword(password), unknownClient),
    ).toMatchObject({ ok: true });
    const answer = await attempt(password);
    const session = answer.ok ? await getSession(db, answer.token) : null;
    expect(session?.user).toMatchObject({ email, name: "Ada Lovelace", role: "user" });
  });
});

it("better-auth's users keep the day they signed up", async () => {
  const email = `${await carry("better-auth")}@example.com`;
  const [row] = await sql<{ day: string }[]>`
    select (created_at at time zone 'UTC')::date::text as day from users where email = ${email}`;
  expect(row?.day).toBe("2024-05-01");
});
