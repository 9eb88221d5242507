import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { givePlan, takePlanBack } from "@/lib/billing/gifts";
import { jobsOf, planOf, setBillingOn } from "@/tests/support/billing";
import { db, sql } from "@/tests/support/database";
import { createOwnedTeam } from "@/tests/support/teams";
import { createLogin, createUser } from "@/tests/support/users";

setBillingOn();

async function anAdmin() {
  const user = await createUser(db, { role: "admin" });
  return { user, ...(await createLogin(db, user)) };
}

const eventsOf = ({ id }: { id: string }) => sql`
  select kind, user_id, actor_id, detail from audit_events
  where team_id = ${id} and kind like 'team-plan-%' order by id`;

const tomorrow = { plan: "pro", lastDay: inDays(1) } as const;

function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

describe("givePlan", () => {
  it("gives the plan until the end of the day, and tells the owners", async () => {
    const { user, session } = await anAdmin();
    const { team } = await createOwnedTeam(db, { gift: false });
    expect(await givePlan(db, session, team.id, tomorrow)).toEqual({ ok: true });
    expect(await planOf(db, team)).toBe("pro");
    const [row] = await sql`select comped_until at time zone 'UTC' = ${inDays(2)}::timestamp
      - interval '1 second' as right from teams where id = ${team.id}`;
    expect(row?.right).toBe(true);
    expect(await eventsOf(team)).toMatchObject([
      {
        ...{ kind: "team-plan-given", user_id: null, actor_id: user.id },
        detail: { plan: "pro", until: inDays(1), by: "administrator" },
      },
    ]);
    expect(await jobsOf(db, "billing-notice")).toContainEqual({
      ...{ team: team.id, notice: "plan-given" },
    });
  });

  it("gives a plan that ends by itself", async () => {
    const { session } = await anAdmin();
    const { team } = await createOwnedTeam(db, { gift: false });
    await givePlan(db, session, team.id, { ...tomorrow, lastDay: inDays(-1) });
    expect(await planOf(db, team)).toBe("free");
  });

  it("is for administrators with a strong session, and for a team that exists", async () => {
    const { user, session } = await anAdmin();
    const { team, owner } = await createOwnedTeam(db, { gift: false });
    const weak = await createLogin(db, user, { amr: ["pwd"] });
    for (const actor of [owner.session, weak.session])
      expect(await givePlan(db, actor, team.id, tomorrow)).toEqual({
        ...{ ok: false, reason: "not-allowed" },
      });
    expect(await planOf(db, team)).toBe("free");
    expect(await eventsOf(team)).toEqual([]);
    expect(await givePlan(db, session, randomUUID(), tomorrow)).toEqual({
      ...{ ok: false, reason: "gone" },
    });
  });
});

describe("takePlanBack", () => {
  it("ends the given plan at once, and does nothing if none was given", async () => {
    const { session } = await anAdmin();
    const { team, owner } = await createOwnedTeam(db);
    expect(await planOf(db, team)).toBe("pro");
    expect(await takePlanBack(db, owner.session, team.id)).toMatchObject({ ok: false });
    expect(await planOf(db, team)).toBe("pro");
    expect(await takePlanBack(db, session, team.id)).toEqual({ ok: true });
    expect(await planOf(db, team)).toBe("free");
    expect(await takePlanBack(db, session, team.id)).toEqual({ ok: false, reason: "gone" });
    expect(await eventsOf(team)).toMatchObject([{ kind: "team-plan-taken-back" }]);
  });
});
