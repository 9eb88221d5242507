import { describe, expect, it } from "vitest";
import { listUsers } from "@/lib/admin/users";
import { listAllEvents, unknownClient } from "@/lib/audit";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import { logIn } from "@/lib/auth/login/log-in";
import { listSessions } from "@/lib/auth/sessions/list";
import { getSession } from "@/lib/auth/sessions/lookup";
import { demoUsers, seed } from "@/lib/dev/seed";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { wholeDatabase } from "@/tests/support/rows";

const visit = { presented: null, client: unknownClient, persistent: true, knownBrowser: true };
const neverHash = () => Promise.reject(new Error("A password was hashed."));

describe("seed", () => {
  it("fills an empty database with the demo users, who can log in", async () => {
    expect(await seed(databaseUrl, hashPassword)).toBe(true);
    for (const { email, password, role } of demoUsers) {
      const answer = await logIn(db, { email, password, ...visit });
      const session = answer.ok ? await getSession(db, answer.token) : null;
      expect(session?.user).toMatchObject({ email, role });
    }
  });

  it("gives the demo user other devices, all live, to look at and to end", async () => {
    const [demo] = demoUsers;
    const answer = await logIn(db, { email: demo.email, password: demo.password, ...visit });
    const session = answer.ok ? await getSession(db, answer.token) : null;
    if (!session) throw new Error("The demo user cannot log in.");
    const others = (await listSessions(db, session)).filter(({ userAgent }) => userAgent);
    const rows = await sql`
      select from sessions where user_id = ${session.userId} and user_agent is not null`;
    expect(others).toHaveLength(rows.length);
    expect(rows.length).toBeGreaterThan(1);
  });

  it("adds enough users for the administration to search, filter and page through", async () => {
    const all = await listUsers(db, { limit: 100 });
    expect(all.length).toBeGreaterThan(25);
    expect(new Set(all.map(({ email }) => email)).size).toBe(all.length);
    for (const { email } of all) expect(email).toMatch(/^[a-z.]+@example\.com$/);
    expect((await listUsers(db, { status: "suspended", limit: 100 })).length).toBeGreaterThan(1);
    expect((await listUsers(db, { role: "admin", limit: 100 })).map(({ email }) => email)).toEqual([
      demoUsers[1].email,
    ]);
    const events = await listAllEvents(db, { kind: "suspended", limit: 100 });
    expect(events[0]?.actor?.email).toBe(demoUsers[1].email);
  });

  it("has two teams, all three roles and an open invitation", async () => {
    const rolesOf = async (email: string) => {
      const rows = await sql<{ name: string; role: string }[]>`
        select t.name, m.role from members m join teams t on t.id = m.team_id
        join users u on u.id = m.user_id where u.email = ${email} order by t.name`;
      return Object.fromEntries(rows.map(({ name, role }) => [name, role]));
    };
    expect(await rolesOf(demoUsers[0].email)).toEqual({ Acme: "owner", Northwind: "member" });
    expect(await rolesOf(demoUsers[1].email)).toEqual({ Acme: "admin" });
    expect(await sql`select from invitations where expires_at > now()`).toHaveLength(1);
    expect(await sql`select from teams`).toHaveLength(2);
    const inactive = await sql`
      select from members m join users u on u.id = m.user_id where u.status <> 'active'`;
    expect(inactive).toEqual([]);
  });

  it("has projects with notes, also archived ones, in both teams", async () => {
    const rows = await sql<{ name: string; archived: boolean; notes: number }[]>`
      select t.name, p.archived_at is not null as archived,
        (select count(*)::int from notes n where n.team_id = t.id and n.project_id = p.id) as notes
      from teams t left join projects p on p.team_id = t.id`;
    for (const team of ["Acme", "Northwind"])
      expect(rows.some(({ name, notes }) => name === team && notes > 0)).toBe(true);
    expect(rows.filter(({ archived }) => archived)).toHaveLength(1);
    expect(await sql`select from notes where author_id is null`).toEqual([]);
  });

  it("changes nothing the second time", async () => {
    const before = await wholeDatabase();
    expect(await seed(databaseUrl, neverHash)).toBe(false);
    expect(await wholeDatabase()).toBe(before);
  });

  it("changes nothing if there is any user, as in production", async () => {
    await sql`delete from teams`; // the last owner of a team cannot be deleted
    await sql`delete from users where email <> ${demoUsers[1].email}`;
    const before = await wholeDatabase();
    expect(await seed(databaseUrl, neverHash)).toBe(false);
    expect(await wholeDatabase()).toBe(before);
  });
});
