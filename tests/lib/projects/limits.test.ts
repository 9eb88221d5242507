import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { plans } from "@/lib/billing/plans";
import type { Db } from "@/lib/db/client";
import { changeProject, createProject } from "@/lib/projects/projects";
import { setBillingOn } from "@/tests/support/billing";
import { db, sql } from "@/tests/support/database";
import { collide } from "@/tests/support/races";
import { createOwnedTeam, type TestTeam } from "@/tests/support/teams";

/* The limit of projects, on a plan that has one. */

setBillingOn();
const free = () => createOwnedTeam(db, { gift: false });
const most = plans.free.limits.projects;

const lockTeamOf =
  ({ id }: TestTeam) =>
  (tx: Db) =>
    tx.execute(query`select from teams where id = ${id} for no key update`);

const rowsOf = ({ id }: TestTeam) => sql`select id from projects where team_id = ${id}`;

describe("createProject", () => {
  it("counts archived projects, and those of no other team", async () => {
    const [{ owner }, other] = [await free(), await free()];
    await createProject(db, other.owner.scope, "Theirs");
    const made = [];
    for (let n = 0; n < most; n++) made.push(await createProject(db, owner.scope, "Mine"));
    const [first] = made;
    await changeProject(db, owner.scope, first?.ok ? first.id : "", { archived: true });
    expect(made.every(({ ok }) => ok)).toBe(true);
    expect(await createProject(db, owner.scope, "More")).toEqual({ ok: false, reason: "too-many" });
  });

  it("makes no more than the limit, even for parallel calls", async () => {
    const { team, owner } = await free();
    const made = await collide(30, lockTeamOf(team), (own) =>
      createProject(own, owner.scope, "One more"),
    );
    expect(made.filter(({ ok }) => ok)).toHaveLength(most);
    expect(await rowsOf(team)).toHaveLength(most);
  });

  // A naive variant: it counts and inserts in one statement, which waits for the team's lock
  // like the others. Its snapshot is older than the lock, so each call counts the rows before
  // all of them.
  it("would make more, if it counted in the statement that locks", async () => {
    const { team } = await free();
    await collide(30, lockTeamOf(team), (own) =>
      own.execute(query`
        with locked as materialized (select id from teams where id = ${team.id} for no key update)
        insert into projects (team_id, name) select id, 'One more' from locked
        where (select count(*) from projects where team_id = ${team.id}) < ${most}`),
    );
    expect((await rowsOf(team)).length).toBeGreaterThan(most);
  });
});
