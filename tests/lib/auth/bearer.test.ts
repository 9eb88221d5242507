import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { createApiKey, findApiKey, revokeApiKey } from "@/lib/auth/api-keys";
import { logInApp } from "@/lib/auth/app-login";
import { findBearer } from "@/lib/auth/bearer";
import { type AccessClaims, importSigningKeys, signAccessToken } from "@/lib/auth/jwt";
import { invalidateSession } from "@/lib/auth/sessions";
import { privateJwk } from "@/lib/commands/dev-secrets";
import { minutes } from "@/lib/time";
import { db, sql } from "@/tests/support/database";
import { createLogin, createPerson, type Person, password } from "@/tests/support/people";

const issuer = "https://app.example.com";
const keys = await importSigningKeys(JSON.stringify({ keys: [privateJwk()] }));
const sign = (claims: AccessClaims) => signAccessToken(keys, issuer, claims, minutes(10));
const find = (presented: string) => findBearer(db, presented, { keys, issuer });

async function createApp(person: Person) {
  const attempt = { email: person.email, password, deviceName: null, client: unknownClient };
  const result = await logInApp(db, attempt);
  if (!result.ok) throw new Error(result.reason);
  const { id } = result.session;
  return {
    id,
    accessToken: await sign({ sub: person.id, role: "user", sid: id }),
    refreshToken: result.refresh.token,
  };
}

async function createKeyOf(person: Person) {
  const { session } = await createLogin(db, person);
  const created = await createApiKey(db, session, {
    ...{ name: "Test", scopes: ["profile:read", "sessions:read"], lifetime: null },
  });
  if (!created.ok) throw new Error(created.reason);
  return { ...created, session };
}

describe("findBearer", () => {
  it("finds the app's session and its user by an access token", async () => {
    const person = await createPerson(db);
    const { accessToken, id } = await createApp(person);
    expect(await find(accessToken)).toEqual({
      user: { ...person, role: "user" },
      scopes: "all",
      session: { id },
    });
  });

  it("finds nobody from the moment the session ends, though the token is good for minutes", async () => {
    const person = await createPerson(db);
    const { accessToken, id } = await createApp(person);
    const { session } = await createLogin(db, person);
    await invalidateSession(db, session, id);
    expect(await find(accessToken)).toBeNull();
  });

  it.each([
    ["suspended", "status = 'suspended'"],
    ["logged out everywhere", "auth_version = auth_version + 1"],
  ])("finds nobody whose user is %s", async (_, change) => {
    const person = await createPerson(db);
    const { accessToken } = await createApp(person);
    await sql.unsafe(`update users set ${change} where id = '${person.id}'`);
    expect(await find(accessToken)).toBeNull();
  });

  it("believes the role of the row, and not that of the token", async () => {
    const person = await createPerson(db);
    const { id } = await createApp(person);
    const forgotten = await sign({ sub: person.id, role: "admin", sid: id });
    expect((await find(forgotten))?.user.role).toBe("user");
  });

  it("takes no browser's session for an app's", async () => {
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    expect(await find(await sign({ sub: person.id, role: "user", sid: session.id }))).toBeNull();
  });

  it("takes no session's id, cookie or refresh token for a bearer", async () => {
    const person = await createPerson(db);
    const { id, refreshToken } = await createApp(person);
    const { token } = await createLogin(db, person);
    for (const wrong of [id, refreshToken, token, "", "."]) expect(await find(wrong)).toBeNull();
  });

  it("finds an API key, with its scopes", async () => {
    const person = await createPerson(db);
    const { key, id } = await createKeyOf(person);
    const scopes = ["profile:read", "sessions:read"];
    expect(await find(key)).toMatchObject({ user: { id: person.id }, scopes, apiKey: { id } });
  });

  it("lets a key's token do what both allow, and nothing when the key is gone", async () => {
    const person = await createPerson(db);
    const { key, id, session } = await createKeyOf(person);
    const own = { sub: person.id, role: "user" as const, client_id: id };
    const token = await sign({ ...own, scope: "profile:read sessions:write" });
    expect(await find(token)).toMatchObject({ scopes: ["profile:read"], apiKey: { id } });
    expect((await find(await sign(own)))?.scopes).toEqual([]);
    await revokeApiKey(db, session, id);
    expect(await find(token)).toBeNull();
    expect(await findApiKey(db, key)).toBeNull();
  });

  it("finds nobody for a token that names neither a session nor a key", async () => {
    const person = await createPerson(db);
    expect(await find(await sign({ sub: person.id, role: "user" }))).toBeNull();
  });
});
