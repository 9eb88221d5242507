import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { logInApp } from "@/lib/auth/app-login";
import { refreshAccessToken } from "@/lib/auth/refresh";
import { newToken } from "@/lib/auth/secrets";
import { db, sql } from "@/tests/support/database";
import { createPerson, type Person, password } from "@/tests/support/people";
import { collide, times } from "@/tests/support/races";
import { eventKinds, mailKinds, sessionRows } from "@/tests/support/rows";

const secret = "s".repeat(43);
const with_ = { secret, client: unknownClient };

/** An app that has just logged in. */
async function createApp(person: Person, deviceName: string | null = null) {
  const attempt = { email: person.email, password, deviceName, client: unknownClient };
  const result = await logInApp(db, attempt);
  if (!result.ok) throw new Error(result.reason);
  return { session: result.session, token: result.refresh.token };
}

describe("refreshAccessToken", () => {
  it("gives the next token of the same session, once", async () => {
    const person = await createPerson(db);
    const { token, session } = await createApp(person);
    const next = await refreshAccessToken(db, token, with_);
    expect(next).toMatchObject({ ok: true, session: { id: session.id, user: { id: person.id } } });
    if (next.ok) expect(next.refresh.token).not.toBe(token);
  });

  it("ends nothing for a token that was never given out", async () => {
    const person = await createPerson(db);
    const { session } = await createApp(person);
    for (const garbage of [newToken(), "", session.id, "x".repeat(43)])
      expect(await refreshAccessToken(db, garbage, with_)).toEqual({
        ok: false,
        reason: "invalid",
      });
    expect(await sessionRows(person)).toHaveLength(1);
  });

  it("ends the session when a used token comes back late, and tells its user", async () => {
    const person = await createPerson(db);
    const { token, session } = await createApp(person);
    await refreshAccessToken(db, token, with_);
    await sql`
      update refresh_tokens set used_at = used_at - interval '31 seconds'
      where session_id = ${session.id} and used_at is not null`;
    expect(await refreshAccessToken(db, token, with_)).toEqual({ ok: false, reason: "reused" });
    expect(await sessionRows(person)).toEqual([]);
    expect(await eventKinds(person)).toEqual(["logged-in", "refresh-token-reused"]);
    expect(await mailKinds(person)).toContain("refresh-token-reused");
  });

  it("gives thirty callers at once the same next token", async () => {
    const person = await createPerson(db);
    const { token, session } = await createApp(person);
    const lock = (tx: typeof db) =>
      tx.execute(`select from sessions where id = '${session.id}' for update`);
    const answers = await collide(30, lock, (db) => refreshAccessToken(db, token, with_));
    const given = new Set(answers.map((answer) => answer.ok && answer.refresh.token));
    expect(given.size).toBe(1);
    expect(given.has(false)).toBe(false);
    const rows = await sql`
      select generation, used_at is null as unused from refresh_tokens
      where session_id = ${session.id} order by generation`;
    expect([...rows]).toEqual([
      { generation: 1, unused: false },
      { generation: 2, unused: true },
    ]);
  });

  it("goes on for a hundred generations", async () => {
    const person = await createPerson(db);
    let { token } = await createApp(person);
    for (const _ of times(100, () => 0)) {
      const next = await refreshAccessToken(db, token, with_);
      if (!next.ok) throw new Error(next.reason);
      token = next.refresh.token;
    }
    expect(await sessionRows(person)).toHaveLength(1);
  });
});
