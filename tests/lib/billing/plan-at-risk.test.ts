import { describe, expect, it } from "vitest";
import { billingPolicy } from "@/lib/billing/policy";
import { getTeamSession } from "@/lib/teams/lookup";
import { listTeams } from "@/lib/teams/teams";
import { days, minutes } from "@/lib/time";
import { setBillingOn } from "@/tests/support/billing";
import { db, sql } from "@/tests/support/database";
import { createOwnedTeam } from "@/tests/support/teams";

/* Whether a request's lookup reports that a page has to check the team's billing. */

setBillingOn();

const { remindBefore, lease, grace } = billingPolicy;
const near = remindBefore - minutes(1);
const far = remindBefore + minutes(1);

type Stored = { status: string; plan?: string; end?: number; cancel?: number; pastDue?: number };

/** Looks up a new team with this subscription. Times are in milliseconds from now. */
async function lookUp(stored?: Stored, trial?: number, ended = false) {
  const { team, owner } = await createOwnedTeam(db, { gift: false });
  const from = (milliseconds?: number) =>
    milliseconds === undefined
      ? sql`null`
      : sql`now() + ${milliseconds / 1000} * interval '1 second'`;
  await sql`update teams set trial_ends_at = ${from(trial)} where id = ${team.id}`;
  const customer = `cus_${team.handle}`;
  await sql`insert into billing_customers (team_id, customer_id) values (${team.id}, ${customer})`;
  if (stored)
    await sql`
      insert into subscriptions (id, customer_id, plan, interval, seats, status, current_period_end,
        cancel_at, past_due_since, ended_at, created_at)
      values (${customer}, ${customer}, ${stored.plan ?? "pro"}, 'month', 1, ${stored.status},
        ${from(stored.end ?? days(20))}, ${from(stored.cancel)}, ${from(stored.pastDue)},
        ${from(ended ? -1 : undefined)}, now())`;
  const found = await getTeamSession(db, owner.token, team.handle);
  const [listed] = await listTeams(db, owner.session);
  expect(listed?.plan).toBe(found?.team?.plan);
  return { plan: found?.team?.plan, planAtRisk: found?.team?.planAtRisk };
}

describe("planAtRisk", () => {
  it.each<[string, Stored]>([
    ["is paid", { status: "active" }],
    ["is in the provider's trial", { status: "trialing", end: minutes(1) }],
    ["is cancelled for a later day", { status: "active", cancel: far }],
    ["was to be renewed a moment ago", { status: "active", end: -minutes(1) }],
  ])("is false where a subscription %s", async (_, stored) => {
    expect(await lookUp(stored)).toEqual({ plan: "pro", planAtRisk: false });
  });

  it.each<[string, Stored, plan: string]>([
    ["failed to pay", { status: "past_due", pastDue: -minutes(1) }, "pro"],
    ["failed to pay too long ago", { status: "past_due", pastDue: -grace - minutes(1) }, "free"],
    ["was given up by the provider", { status: "unpaid" }, "free"],
    ["is cancelled, and ends within days", { status: "active", cancel: near }, "pro"],
    ["was to be renewed too long ago", { status: "active", end: -lease - minutes(1) }, "free"],
  ])("is true where a subscription %s", async (_, stored, plan) => {
    expect(await lookUp(stored)).toEqual({ plan, planAtRisk: true });
  });

  it("is false where nothing was bought, or what was bought has ended", async () => {
    const expected = { plan: "free", planAtRisk: false };
    expect(await lookUp()).toEqual(expected);
    expect(await lookUp({ status: "ended" }, undefined, true)).toEqual(expected);
    expect(await lookUp({ status: "past_due", pastDue: -1 }, undefined, true)).toEqual(expected);
    expect(await lookUp({ status: "incomplete" })).toEqual(expected);
  });

  it.each([
    ["within days", near, { plan: "pro", planAtRisk: true }],
    ["later", far, { plan: "pro", planAtRisk: false }],
    ["ago", -minutes(1), { plan: "free", planAtRisk: false }],
  ])("of a trial that ends %s", async (_, trial, expected) => {
    expect(await lookUp(undefined, trial)).toEqual(expected);
  });
});
