import { describe, expect, it } from "vitest";
import { billingPolicy } from "@/lib/billing/policy";
import { startTrial } from "@/lib/billing/trials";
import { getTeamSession } from "@/lib/teams/lookup";
import { createTeam } from "@/lib/teams/teams";
import { jobsOf, planOf, setBillingOn } from "@/tests/support/billing";
import { db, racingConnections, sql } from "@/tests/support/database";
import { createOwnedTeam, createTestTeam, type TestTeam } from "@/tests/support/teams";
import { createLogin, createUser } from "@/tests/support/users";

setBillingOn();

type Subscription = {
  status: string;
  plan?: string | null;
  /** Seconds from now. */
  end?: number;
  pastDue?: number;
  ended?: number;
};

/** Inserts a row as a fetch from the provider would have stored it. */
async function subscribe(
  { id }: TestTeam,
  { status, plan = "pro", end = 86_400, pastDue, ended }: Subscription,
) {
  const customer = `cus_${crypto.randomUUID()}`;
  await sql`insert into billing_customers (team_id, customer_id) values (${id}, ${customer})
    on conflict (team_id) do update set customer_id = excluded.customer_id`;
  const from = (seconds?: number) =>
    seconds === undefined ? sql`null` : sql`now() + ${seconds} * interval '1 second'`;
  await sql`
    insert into subscriptions (id, customer_id, plan, interval, seats, status, current_period_end,
      past_due_since, ended_at, created_at)
    values (${customer}, ${customer}, ${plan}, 'month', 1, ${status}, ${from(end)}, ${from(pastDue)},
      ${from(ended)}, now())`;
}

const seconds = (milliseconds: number) => milliseconds / 1000;
const { grace, lease } = billingPolicy;

const cases: [what: string, subscription: Subscription, plan: "pro" | "free"][] = [
  ["is active", { status: "active" }, "pro"],
  ["is in the provider's trial", { status: "trialing" }, "pro"],
  ["is not paid yet", { status: "incomplete" }, "free"],
  ["was given up by the provider", { status: "unpaid" }, "free"],
  ["has ended", { status: "ended", ended: -1 }, "free"],
  ["has ended, whatever its status says", { status: "active", ended: -1 }, "free"],
  ["is of a plan that is no longer sold", { status: "active", plan: "gold" }, "free"],
  ["is of an unknown price", { status: "active", plan: null }, "free"],
  [
    "was to be renewed, a second within the lease",
    { status: "active", end: 1 - seconds(lease) },
    "pro",
  ],
  [
    "was to be renewed, a second too long ago",
    { status: "active", end: -1 - seconds(lease) },
    "free",
  ],
  [
    "failed to pay, a second within the grace",
    { status: "past_due", pastDue: 2 - seconds(grace) },
    "pro",
  ],
  [
    "failed to pay, a second too long ago",
    { status: "past_due", pastDue: -1 - seconds(grace) },
    "free",
  ],
];

describe("the plan of a team", () => {
  it("is free without anything", async () => {
    const { team } = await createOwnedTeam(db, { gift: false });
    expect(await planOf(db, team)).toBe("free");
  });

  it.each(cases)("whose subscription %s: %o", async (_, subscription, plan) => {
    const { team, owner } = await createOwnedTeam(db, { gift: false });
    await subscribe(team, subscription);
    expect(await planOf(db, team)).toBe(plan);
    // The lookup of a request returns the same plan.
    expect((await getTeamSession(db, owner.token, team.handle))?.team?.plan).toBe(plan);
  });

  it("does not come from another team's subscription", async () => {
    const [one, other] = [
      await createOwnedTeam(db, { gift: false }),
      await createOwnedTeam(db, { gift: false }),
    ];
    await subscribe(one.team, { status: "active" });
    expect(await planOf(db, other.team)).toBe("free");
  });

  it.each([
    ["1 second", "pro"],
    ["-1 second", "free"],
  ])("with a trial that ends in %s is %s", async (left, plan) => {
    const { team } = await createOwnedTeam(db, { gift: false });
    await sql`update teams set trial_ends_at = now() + ${left}::interval where id = ${team.id}`;
    expect(await planOf(db, team)).toBe(plan);
  });

  it.each([
    ["pro", "1 second", "pro"],
    ["pro", "-1 second", "free"],
    ["gold", "1 second", "free"],
  ])("with %s as a gift for %s is %s", async (gift, left, plan) => {
    const { team } = await createOwnedTeam(db, { gift: false });
    await sql`update teams set comped_plan = ${gift}, comped_until = now() + ${left}::interval
      where id = ${team.id}`;
    expect(await planOf(db, team)).toBe(plan);
  });
});

describe("the trial", () => {
  it("begins with a user's first team, without a card, and once", async () => {
    const { session } = await createLogin(db, await createUser(db));
    const made = [await createTeam(db, session, "One"), await createTeam(db, session, "Two")];
    const plansOf = await Promise.all(
      made.map(async (each) => {
        const [team] = await sql`select id from teams where handle = ${each.ok ? each.handle : ""}`;
        return planOf(db, { id: `${team?.id}` });
      }),
    );
    expect(plansOf).toEqual(["pro", "free"]);
    const [trial] = await sql`
      select trial_ends_at - now() between interval '13 days 23 hours' and interval '14 days' as right, teams.id
      from trials join teams on teams.id = trials.team_id where trials.user_id = ${session.userId}`;
    expect(trial?.right).toBe(true);
    const notices = (await jobsOf(db, "billing-notice")).filter(({ team }) => team === trial?.id);
    expect(notices).toEqual([{ team: trial?.id, notice: "trial-ending" }]);
  });

  // A naive variant, which looks for a trial and then begins one, begins several: the next test.
  it("begins once for a user and for a team, even for parallel calls", async () => {
    const user = await createUser(db);
    const teams = await Promise.all(
      Array.from({ length: 10 }, () => createTestTeam(db, { owner: [user] })),
    );
    const racing = racingConnections(30);
    const started = await Promise.all(
      Array.from({ length: 30 }, (_, n) => startTrial(racing.db, user.id, `${teams[n % 10]?.id}`)),
    );
    await racing.sql.end();
    expect(started.filter(Boolean)).toHaveLength(1);
    const [{ id } = { id: "" }] =
      await sql`select team_id as id from trials where user_id = ${user.id}`;
    expect(await startTrial(db, (await createUser(db)).id, id)).toBe(false);
  });

  it("would begin for several teams if each call looked first and then began one", async () => {
    const user = await createUser(db);
    const teams = await Promise.all(
      Array.from({ length: 10 }, () => createTestTeam(db, { owner: [user] })),
    );
    const racing = racingConnections(10);
    const looks = teams.map(() => racing.sql`select from trials where user_id = ${user.id}`);
    const had = (await Promise.all(looks)).map(({ length }) => length > 0);
    const begun = teams.filter((_, n) => !had[n]);
    await Promise.all(
      begun.map(
        ({ id }) => racing.sql`
          with begun as (
            insert into trials (user_id, team_id) values (${user.id}, ${id}) on conflict do nothing)
          update teams set trial_ends_at = now() + interval '14 days' where id = ${id}`,
      ),
    );
    await racing.sql.end();
    const [{ n } = { n: 0 }] = await sql`
      select count(*)::int as n from teams
      where trial_ends_at > now() and id = any(${teams.map(({ id }) => id)})`;
    expect(n).toBeGreaterThan(1);
  });
});
