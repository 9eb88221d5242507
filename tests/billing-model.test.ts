import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { openPortal, startCheckout } from "@/lib/billing/checkout";
import { receiveEvent } from "@/lib/billing/events";
import type { Plan } from "@/lib/billing/plans";
import { endDeleted, reconcile, updateTeam } from "@/lib/billing/reconcile";
import { syncCustomer } from "@/lib/billing/sync";
import { readVariable } from "@/lib/env";
import { deleteTeam } from "@/lib/teams/deletion";
import {
  back,
  by,
  type Customer,
  planOf,
  setUpProvider,
  type TestProvider,
  webhookSecret,
} from "@/tests/support/billing";
import { db, sql } from "@/tests/support/database";
import { addMember, createOwnedTeam } from "@/tests/support/teams";

/*
 * Runs random sequences of events of a team, its card and the provider, against the stand-in.
 * Webhooks arrive late, in any order, twice or never; the state is fetched at any moment, and jobs
 * run when they are drawn. Then the nightly comparison and the jobs run until none is left, and
 * everything must agree. MODEL_RUNS=300 runs 300 sequences instead of 40.
 *
 * @module-tag thorough
 */

const test = await setUpProvider(afterAll);

type World = Pick<Customer, "team" | "owner"> & { deleted: boolean };

type Step = (world: World, draw: number) => Promise<unknown>;

const customerOf = async ({ team }: World) => {
  const { customers } = await test.standIn.tell({ do: "state" });
  return customers.find(({ metadata }) => metadata.team === team.id)?.id;
};

const subscriptionsOf = async (world: World) => {
  const customer = await customerOf(world);
  const { subscriptions } = await test.standIn.tell({ do: "state" });
  return subscriptions.filter((each) => each.customer === customer);
};

const isLive = ({ status }: { status: string }) =>
  !["canceled", "incomplete_expired"].includes(status);

/** Picks one element, or undefined from an empty list. */
const pick = <T>(all: T[], draw: number): T | undefined => all[draw % Math.max(1, all.length)];

const withLive =
  (act: (id: string) => Parameters<TestProvider["standIn"]["tell"]>[0]): Step =>
  async (world, draw) => {
    const found = pick((await subscriptionsOf(world)).filter(isLive), draw);
    if (found) await test.standIn.tell(act(found.id));
  };

const steps: Record<string, Step> = {
  async checkout(world, draw) {
    if (world.deleted) return;
    const interval = draw % 2 ? "month" : "year";
    const chosen = { plan: "pro", interval, back } as const;
    await startCheckout(db, test.provider, by(world), chosen);
  },
  async pay(world, draw) {
    const customer = await customerOf(world);
    const { sessions } = await test.standIn.tell({ do: "state" });
    const session = pick(
      sessions.filter((each) => each.customer === customer),
      draw,
    );
    const card = draw % 3 ? "pays" : "fails-later";
    if (session) await test.standIn.tell({ do: "pay", checkout: session.id, card });
  },
  /** Buys through a page of the provider that we did not create, or whose id was lost. */
  async buyElsewhere(world) {
    const customer = await customerOf(world);
    if (!customer) return;
    const expiresAt = new Date(Date.now() + 3_600_000);
    const checkout = await test.provider.createCheckout({
      ...{ key: randomUUID(), customer, plan: "pro", interval: "month", seats: 1 },
      ...{ trialEndsAt: null, expiresAt, back },
    });
    await test.standIn.tell({ do: "pay", checkout: checkout.id, card: "pays" });
  },
  renew: withLive((subscription) => ({ do: "renew", subscription })),
  cancel: withLive((subscription) => ({ do: "cancel", subscription })),
  cancelNow: withLive((subscription) => ({ do: "cancel", subscription, now: true })),
  keep: withLive((subscription) => ({ do: "keep", subscription })),
  async failNext(world) {
    const customer = await customerOf(world);
    if (customer) await test.standIn.tell({ do: "fail-next-payment", customer });
  },
  async updateCard(world) {
    const customer = await customerOf(world);
    if (customer) await test.standIn.tell({ do: "update-card", customer, card: "pays" });
  },
  async portal(world) {
    if (!world.deleted) await openPortal(db, test.provider, by(world), back);
  },
  async join(world) {
    if (!world.deleted) await addMember(db, world.team, "member");
  },
  async leave(world) {
    await sql`delete from members where (team_id, user_id) in (
      select team_id, user_id from members where team_id = ${world.team.id} and role = 'member' limit 1)`;
  },
  async look(world) {
    const customer = await customerOf(world);
    if (customer) await syncCustomer(db, test.provider, customer);
  },
  /** Delivers any earlier event once more. */
  async webhook(world, draw) {
    const customer = await customerOf(world);
    const { events } = await test.standIn.tell({ do: "state" });
    const about = events.filter((each) => JSON.stringify(each).includes(`"${customer}"`));
    const found = pick(about, draw);
    if (!found) return;
    const payload = JSON.stringify(found);
    const signature = test.stripe.webhooks.generateTestHeaderString({
      payload,
      secret: webhookSecret,
    });
    expect(await receiveEvent(db, test.provider, Buffer.from(payload), signature)).toBe(true);
  },
  async job(_, draw) {
    await runJobs(1 + (draw % 3));
  },
  /** Deletes all jobs, as if the provider was down for three days and the queue gave up. */
  async loseJobs() {
    await sql`delete from graphile_worker._private_jobs`;
  },
  async deleteTeam(world, draw) {
    if (world.deleted || draw % 3) return;
    world.deleted = (await deleteTeam(db, world.owner.scope)).ok;
  },
};

// More steps of subscribing, because little can go wrong without a subscription.
const oftenDrawn = ["checkout", "pay", "checkout", "pay", "look"];

/** Runs due jobs as the worker does. */
async function runJobs(most: number): Promise<number> {
  const jobs = await sql<{ id: string; task: string; payload: Record<string, string> }[]>`
    select jobs.id, tasks.identifier as task, jobs.payload from graphile_worker._private_jobs jobs
    join graphile_worker._private_tasks tasks on tasks.id = jobs.task_id
    where tasks.identifier in ('billing-sync', 'billing-team', 'billing-end') order by jobs.id limit ${most}`;
  for (const { id, task, payload } of jobs) {
    await sql`delete from graphile_worker._private_jobs where id = ${id}`;
    const { customer = "", team = "", row = "" } = payload;
    if (task === "billing-sync") await syncCustomer(db, test.provider, customer);
    if (task === "billing-team") await updateTeam(db, test.provider, team);
    if (task === "billing-end") await endDeleted(db, test.provider, row);
  }
  return jobs.length;
}

/** Runs the nightly comparison and all jobs that follow from it. */
async function rest(): Promise<void> {
  for (let night = 0; night < 2; night++) {
    await reconcile(db);
    while ((await runJobs(100)) > 0);
  }
}

/** Returns the plan that the team should have, derived in a few lines from the provider's state. */
async function truth(world: World): Promise<Plan> {
  const now = Date.now() / 1000;
  const paid = (await subscriptionsOf(world)).filter(({ status, ended_at, items }) => {
    const [item] = items.data;
    const isCurrent = (item?.current_period_end ?? 0) > now - 3 * 86_400;
    const counts = status === "past_due" || (["active", "trialing"].includes(status) && isCurrent);
    return !ended_at && counts && item?.price.lookup_key?.startsWith("pro_");
  });
  return paid.length > 0 ? "pro" : "free";
}

async function expectAgreement(world: World): Promise<void> {
  const all = await subscriptionsOf(world);
  const live = all.filter(isLive);
  expect(live.length, "subscriptions that run").toBeLessThanOrEqual(world.deleted ? 0 : 1);
  const rows = await sql`
    select s.id, s.plan || '_' || s.interval as key, s.seats, s.status = 'ended' as ended
    from subscriptions s where s.customer_id = ${(await customerOf(world)) ?? ""} order by s.id`;
  expect([...rows]).toEqual(
    all
      .map(({ id, items, ended_at }) => ({
        ...{ id, key: items.data[0]?.price.lookup_key, seats: items.data[0]?.quantity },
        ended: ended_at !== null,
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
  );
  if (world.deleted) return;
  expect(await planOf(db, world.team)).toBe(await truth(world));
  const [count] =
    await sql`select count(*)::int as n from members where team_id = ${world.team.id}`;
  for (const { items, status } of live)
    if (status !== "unpaid") expect(items.data[0]?.quantity, "seats").toBe(count?.n);
}

it("a team has what the provider says, whatever happens in whatever order", {
  timeout: 1_800_000,
}, async () => {
  const step = fc.tuple(fc.constantFrom(...Object.keys(steps), ...oftenDrawn), fc.nat({ max: 59 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 25, size: "max" }),
      fc.boolean(),
      async (drawn, isDeletedInTheEnd) => {
        await sql`delete from graphile_worker._private_jobs`;
        const { team, owner } = await createOwnedTeam(db, { gift: false });
        const world: World = { team, owner, deleted: false };
        for (const [name, draw] of drawn) await steps[name]?.(world, draw);
        if (isDeletedInTheEnd) await steps.deleteTeam?.(world, 0);
        await rest();
        await expectAgreement(world);
        // Leaves no rows for the next run, whose comparison would include them.
        await sql`update billing_customers set fetched_at = '-infinity', checkout_expires_at = null`;
        await sql`delete from subscriptions`;
      },
    ),
    { numRuns: Number(readVariable("MODEL_RUNS") ?? 40) },
  );
});
