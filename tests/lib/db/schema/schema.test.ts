import { describe, expect, it } from "vitest";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { db, sql } from "@/tests/support/database";
import { createUser } from "@/tests/support/users";

/** Inserts one row. Columns that are not given have their defaults. */
async function insert(table: string, row: Record<string, unknown>): Promise<unknown> {
  return sql`insert into ${sql(table)} ${sql(row)}`;
}

/** Matches an error that names this constraint. */
function refusal(constraint: string) {
  return expect.objectContaining({ constraint_name: constraint });
}

const user = (given: object) => ({ email: "a@example.com", name: "A", ...given });

describe("users", () => {
  it.each([
    ["an address that is not lower case", "users_email_normalised", { email: "A@example.com" }],
    ["an endless address", "users_email_normalised", { email: `${"x".repeat(250)}@example.com` }],
    ["no name", "users_name_length", { name: "" }],
    ["an endless name", "users_name_length", { name: "x".repeat(101) }],
    ["an unknown role", "users_role", { role: "root" }],
    ["an unknown status", "users_status", { status: "deleted" }],
  ])("refuses %s", async (_, constraint, given) => {
    await expect(insert("users", user(given))).rejects.toEqual(refusal(constraint));
  });

  it("gives each user a unique passkey handle of 32 bytes", async () => {
    const { id } = await createUser(db);
    await createUser(db);
    const handles = await sql`select distinct passkey_handle from users`;
    const [{ n } = { n: 0 }] = await sql<{ n: number }[]>`select count(*)::int as n from users`;
    expect(handles).toHaveLength(n);
    const short = sql`update users set passkey_handle = ${Buffer.alloc(31)} where id = ${id}`;
    await expect(short).rejects.toEqual(refusal("users_passkey_handle_length"));
  });

  it("refuses a second user with one email", async () => {
    const { email } = await createUser(db);
    await expect(insert("users", user({ email }))).rejects.toEqual(refusal("users_email"));
  });

  it("has no password hash in the users row", async () => {
    const columns = await sql`
      select column_name from information_schema.columns where table_name = 'users'`;
    expect(columns.filter(({ column_name }) => /hash|password/.test(column_name))).toEqual([]);
  });
});

describe("sessions", () => {
  const session = async (given: object) => ({
    user_id: (await createUser(db)).id,
    token_hash: hashToken(newToken()),
    auth_version: 1,
    amr: sql.array(["pwd"]),
    expires_at: "tomorrow",
    ...given,
  });

  const unknownUserId = "00000000-0000-4000-8000-000000000000";

  it.each([
    ["a short hash", "sessions_token_hash_length", { token_hash: Buffer.from("short") }],
    ["a plain token", "sessions_token_hash_length", { token_hash: Buffer.from(newToken()) }],
    ["a browser without a token", "sessions_web_has_token", { token_hash: null }],
    ["an app with one", "sessions_web_has_token", { kind: "app" }],
    ["an unknown kind", "sessions_kind", { kind: "robot", token_hash: null }],
    ["an endless user agent", "sessions_user_agent_length", { user_agent: "x".repeat(513) }],
    ["more than 4 KB of data", "sessions_data_size", { data: `{"x":"${"x".repeat(4096)}"}` }],
    ["a session of an unknown user", "sessions_user_id_users_id_fk", { user_id: unknownUserId }],
  ])("refuses %s", async (_, constraint, given) => {
    const row = await session(given);
    await expect(insert("sessions", row)).rejects.toEqual(refusal(constraint));
  });

  it("refuses the same token twice", async () => {
    const token_hash = hashToken(newToken());
    await insert("sessions", await session({ token_hash }));
    const second = insert("sessions", await session({ token_hash }));
    await expect(second).rejects.toEqual(refusal("sessions_token_hash"));
  });

  it("is deleted with its user, as is the password", async () => {
    const row = await session({});
    await insert("sessions", row);
    await sql`delete from users where id = ${row.user_id}`;
    expect(await sql`select from sessions where user_id = ${row.user_id}`).toHaveLength(0);
    expect(await sql`select from passwords where user_id = ${row.user_id}`).toHaveLength(0);
  });

  it("has no index on the columns a touch writes, so that it stays a HOT update", async () => {
    const indexed = await sql<{ columns: string }[]>`
      select string_agg(indexdef, ' ') as columns from pg_indexes where tablename = 'sessions'`;
    expect(indexed[0]?.columns).toContain("expires_at");
    expect(indexed[0]?.columns).not.toMatch(/last_seen_at|\bip\b/);
  });
});

describe("pending_sign_ups, links", () => {
  const link = { token_hash: hashToken(newToken()), expires_at: "tomorrow" };

  it("refuse anything but a SHA-256 as a token's hash", async () => {
    const plain = { ...link, token_hash: Buffer.from(newToken()) };
    await expect(insert("pending_sign_ups", { ...plain, email: "a@example.com" })).rejects.toEqual(
      refusal("pending_sign_ups_token_hash_length"),
    );
    const { id, email } = await createUser(db);
    const mailed = { user_id: id, sent_to: email, purpose: "password-reset" };
    await expect(insert("links", { ...plain, ...mailed })).rejects.toEqual(
      refusal("links_token_hash_length"),
    );
  });

  it("hold one link for a user and a purpose", async () => {
    const { id, email } = await createUser(db);
    const mailed = { user_id: id, sent_to: email, purpose: "password-reset" };
    await insert("links", { ...link, ...mailed });
    const second = { ...link, ...mailed, token_hash: hashToken(newToken()) };
    await expect(insert("links", second)).rejects.toEqual(refusal("links_user_purpose"));
  });
});

describe("identities", () => {
  const identity = async (given: object = {}) => ({
    user_id: (await createUser(db)).id,
    ...{ issuer: "https://id.example", subject: newToken(), provider: "oidc", label: "Ada" },
    ...given,
  });

  it.each([
    ["no subject", "identities_subject_length", { subject: "" }],
    ["an endless subject", "identities_subject_length", { subject: "x".repeat(256) }],
    ["no issuer", "identities_issuer_length", { issuer: "" }],
    ["no label", "identities_label_length", { label: "" }],
  ])("refuses %s", async (_, constraint, given) => {
    await expect(insert("identities", await identity(given))).rejects.toEqual(refusal(constraint));
  });

  it("refuse a second user of one account, and a second account of one provider", async () => {
    const first = await identity();
    await insert("identities", first);
    const same = await identity({ subject: first.subject });
    await expect(insert("identities", same)).rejects.toEqual(refusal("identities_issuer_subject"));
    const second = await identity({ user_id: first.user_id });
    await expect(insert("identities", second)).rejects.toEqual(refusal("identities_user_issuer"));
  });

  it("store no token of a provider, and no secret that finishes a visit", async () => {
    const columns = await sql<{ name: string }[]>`
      select column_name as name from information_schema.columns
      where table_name in ('identities', 'provider_visits')`;
    expect(columns.length).toBeGreaterThan(12);
    const secret = columns.filter(({ name }) => /token|secret|verifier|nonce|code/.test(name));
    expect(secret).toEqual([]);
  });

  it("need no token column in any table, apart from our own", async () => {
    const columns = await sql<{ name: string }[]>`
      select distinct table_name || '.' || column_name as name
      from information_schema.columns
      where table_schema = 'public' and column_name ~ 'token|secret|verifier|nonce|bearer|jwt'
        and column_name not like '%\\_hash'
      order by name`;
    const own = ["refresh_tokens.successor_nonce", "totp_secrets.secret"];
    expect(columns.map(({ name }) => name)).toEqual(own);
  });
});

describe("every table", () => {
  it("keeps no hint of a password, no answer to a question and no phone number", async () => {
    const columns = await sql<{ name: string }[]>`
      select table_name || '.' || column_name as name from information_schema.columns
      where table_schema = 'public'`;
    expect(columns.length).toBeGreaterThan(100);
    const forbidden = /hint|question|answer|phone|mobile|sms|maiden|birth/;
    expect(columns.filter(({ name }) => forbidden.test(name))).toEqual([]);
  });
});

describe("provider_visits", () => {
  const visit = (given: object) => ({
    ...{ state_hash: hashToken(newToken()), browser_hash: hashToken(newToken()) },
    ...{ provider: "oidc", purpose: "log-in", persistent: true, expires_at: "tomorrow" },
    ...given,
  });

  it.each([
    ["an unknown purpose", "provider_visits_purpose", { purpose: "steal" }],
    ["a connection without a session", "provider_visits_session", { purpose: "connect" }],
    ["a plain state", "provider_visits_state_hash_length", { state_hash: Buffer.from("state") }],
    ["an endless path", "provider_visits_next_length", { next: "/".repeat(2001) }],
  ])("refuse %s", async (_, constraint, given) => {
    await expect(insert("provider_visits", visit(given))).rejects.toEqual(refusal(constraint));
  });
});
