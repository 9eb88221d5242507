import { afterAll, describe, expect, it } from "vitest";
import { plans } from "@/lib/billing/plans";
import { billingPolicy } from "@/lib/billing/policy";
import type { Provider } from "@/lib/billing/provider";
import { syncCustomer } from "@/lib/billing/sync";
import {
  beginCheckout,
  type Customer,
  createCustomer,
  jobsOf,
  pay,
  planOf,
  setUpProvider,
  subscriptionsOf,
} from "@/tests/support/billing";
import { db, racingConnections, sql } from "@/tests/support/database";

const test = await setUpProvider(afterAll);

const stored = ({ id }: Customer) =>
  sql`select id, plan, interval, seats, status, past_due_since from subscriptions where customer_id = ${id}`;

const kinds = async ({ team }: Customer) =>
  (
    await sql`select kind from audit_events where team_id = ${team.id} and kind like 'team-%'
      and kind <> 'team-billing-opened' order by id`
  ).map(({ kind }) => kind);

const notices = async ({ team }: Customer) =>
  (await jobsOf(db, "billing-notice"))
    .filter((job) => job.team === team.id)
    .map((job) => job.notice);

describe("syncCustomer", () => {
  it("stores what the provider says: the plan, its seats, the invoice", async () => {
    const customer = await createCustomer(db, test);
    expect(await stored(customer)).toEqual([
      {
        ...{ id: customer.subscription, plan: "pro", interval: "month", seats: 1 },
        ...{ status: "active", past_due_since: null },
      },
    ]);
    const invoices =
      await sql`select status, total, currency from invoices where customer_id = ${customer.id}`;
    expect(invoices).toEqual([{ status: "paid", total: plans.pro.price.month, currency: "eur" }]);
    expect(await planOf(db, customer.team)).toBe("pro");
    expect(await kinds(customer)).toEqual(["team-subscribed"]);
  });

  it("keeps the plan of a subscription whose price was replaced by a dearer one", async () => {
    const customer = await createCustomer(db, test);
    const [price] = (await test.stripe.prices.list({ lookup_keys: ["pro_month"] })).data;
    await test.stripe.prices.create({
      ...{ product: `${price?.product}`, currency: "eur", unit_amount: 900 },
      ...{ recurring: { interval: "month" }, lookup_key: "pro_month", transfer_lookup_key: true },
      metadata: { plan: "pro" },
    });
    await syncCustomer(db, test.provider, customer.id);
    expect(await stored(customer)).toMatchObject([{ plan: "pro", interval: "month" }]);
    expect(await planOf(db, customer.team)).toBe("pro");
    // Restores the price for the tests that follow.
    await test.stripe.prices.create({
      ...{ product: `${price?.product}`, currency: "eur", unit_amount: plans.pro.price.month },
      ...{ recurring: { interval: "month" }, lookup_key: "pro_month", transfer_lookup_key: true },
      metadata: { plan: "pro" },
    });
  });

  it("changes nothing where nothing has changed", async () => {
    const customer = await createCustomer(db, test);
    for (let n = 0; n < 3; n++) await syncCustomer(db, test.provider, customer.id);
    expect(await kinds(customer)).toEqual(["team-subscribed"]);
    expect(await stored(customer)).toHaveLength(1);
  });

  it("keeps the plan after a failed payment, tells the owners, and clears it when the card is updated", async () => {
    const customer = await createCustomer(db, test);
    await test.standIn.tell({ do: "fail-next-payment", customer: customer.id });
    await test.standIn.tell({ do: "renew", subscription: customer.subscription });
    await syncCustomer(db, test.provider, customer.id);
    expect(await stored(customer)).toMatchObject([
      { status: "past_due", past_due_since: expect.any(String) },
    ]);
    expect(await planOf(db, customer.team)).toBe("pro");
    expect(await notices(customer)).toEqual([
      ...["payment-failed", "payment-failed-reminder", "payment-failed-reminder"],
    ]);
    const [before] = await stored(customer);
    await syncCustomer(db, test.provider, customer.id);
    expect(await stored(customer)).toEqual([before]);

    await test.standIn.tell({ do: "update-card", customer: customer.id, card: "pays" });
    await syncCustomer(db, test.provider, customer.id);
    expect(await stored(customer)).toMatchObject([{ status: "active", past_due_since: null }]);
    expect(await kinds(customer)).toEqual([
      ...["team-subscribed", "team-payment-failed", "team-billing-changed"],
    ]);
  });

  it("ends the plan of a subscription that has ended, and tells the owners", async () => {
    const customer = await createCustomer(db, test);
    await test.standIn.tell({ do: "cancel", subscription: customer.subscription, now: true });
    await syncCustomer(db, test.provider, customer.id);
    expect(await planOf(db, customer.team)).toBe("free");
    expect(await notices(customer)).toEqual(["plan-ended"]);
    expect(await kinds(customer)).toEqual(["team-subscribed", "team-plan-ended"]);
  });

  it("records that a subscription is cancelled, and that it is kept after all", async () => {
    const customer = await createCustomer(db, test);
    await test.standIn.tell({ do: "cancel", subscription: customer.subscription });
    await syncCustomer(db, test.provider, customer.id);
    expect(await planOf(db, customer.team)).toBe("pro");
    await test.standIn.tell({ do: "keep", subscription: customer.subscription });
    await syncCustomer(db, test.provider, customer.id);
    expect(await kinds(customer)).toEqual([
      ...["team-subscribed", "team-billing-changed", "team-billing-changed"],
    ]);
  });

  it("ends the newer of two subscriptions, and tells the owners", async () => {
    const customer = await createCustomer(db, test);
    const second = await buyAgain(customer);
    await syncCustomer(db, test.provider, customer.id);
    expect(await notices(customer)).toEqual(["second-subscription"]);
    const ended = (await subscriptionsOf(test, customer)).filter(({ ended_at }) => ended_at);
    expect(ended.map(({ id }) => id)).toEqual([second]);
    await syncCustomer(db, test.provider, customer.id);
    expect(await planOf(db, customer.team)).toBe("pro");
    expect(await notices(customer)).toEqual(["second-subscription"]);
    expect(await kinds(customer)).toEqual(["team-subscribed", "team-second-subscription"]);
  });

  it("ends the subscription of a deleted team", async () => {
    const customer = await beginCheckout(db, test);
    await sql`delete from teams where id = ${customer.team.id}`;
    await pay(db, test, customer).catch(() => {});
    const [session] = (await test.standIn.tell({ do: "state" })).sessions.filter(
      (each) => each.customer === customer.id,
    );
    await test.standIn.tell({ do: "pay", checkout: `${session?.id}`, card: "pays" });
    await syncCustomer(db, test.provider, customer.id);
    const all = await subscriptionsOf(test, customer);
    expect(all.map(({ status }) => status)).toEqual(["canceled"]);
  });

  it("ignores a customer of another site", async () => {
    const [id, teamId] = [crypto.randomUUID(), crypto.randomUUID()];
    const foreign = await test.provider.saveCustomer({
      ...{ id, customer: null, teamId, name: "X", email: null },
    });
    await syncCustomer(db, test.provider, foreign);
    expect(await sql`select from subscriptions where customer_id = ${foreign}`).toHaveLength(0);
  });

  it("changes nothing where the provider does not answer", async () => {
    const customer = await createCustomer(db, test);
    const before = await stored(customer);
    await test.standIn.tell({ do: "down", on: true });
    await expect(syncCustomer(db, test.provider, customer.id)).rejects.toThrow();
    await test.standIn.tell({ do: "down", on: false });
    expect(await stored(customer)).toEqual(before);
  });

  // A naive variant without the time of the request stores the older answer: the next test.
  it("stores the answer to the later request, whichever answer comes last", async () => {
    expect(await overlapping(syncCustomer)).toBe("ended");
  });

  it("would store the older answer without the time of the request", async () => {
    expect(
      await overlapping(async (...[own, provider, id]) => {
        const state = await provider.fetchState(id);
        // As if the request had been sent when the answer came.
        await syncCustomer(own, { ...provider, fetchState: async () => state }, id);
      }),
    ).toBe("active");
  });

  // A naive variant that does not update the customer's row notifies more than once: the next test.
  it("stores one state for many calls at once", async () => {
    const customer = await beginCheckout(db, test);
    await pay(db, test, customer);
    const racing = racingConnections(12);
    await Promise.all(
      Array.from({ length: 24 }, () => syncCustomer(racing.db, test.provider, customer.id)),
    );
    await racing.sql.end();
    expect(await stored(customer)).toHaveLength(1);
    expect(await kinds(customer)).toEqual(["team-subscribed"]);
  });

  it("would report a subscription more than once without the update of the customer's row", async () => {
    const customer = await beginCheckout(db, test);
    await pay(db, test, customer);
    const racing = racingConnections(12);
    const looks = Array.from({ length: 12 }, async () => ({
      before: await racing.sql`select id from subscriptions where customer_id = ${customer.id}`,
      state: await test.provider.fetchState(customer.id),
    }));
    const told = (await Promise.all(looks)).map(async ({ before, state }) => {
      const added = state.subscriptions.filter(({ id }) => !before.some((was) => was.id === id));
      for (const { id, seats, status } of added)
        await racing.sql`
          insert into subscriptions (id, customer_id, seats, status, created_at)
          values (${id}, ${customer.id}, ${seats}, ${status}, now()) on conflict do nothing`;
      return added.length;
    });
    const times = (await Promise.all(told)).reduce((sum, each) => sum + each, 0);
    await racing.sql.end();
    expect(await stored(customer)).toHaveLength(1);
    expect(times).toBeGreaterThan(1);
  });
});

/** Syncs twice: the first fetches before the subscription ends, and stores its answer last. */
async function overlapping(sync: typeof syncCustomer): Promise<unknown> {
  const customer = await createCustomer(db, test);
  const [asked, later] = [signal(), signal()];
  const slow: Provider = {
    ...test.provider,
    async fetchState(id) {
      const state = await test.provider.fetchState(id);
      asked.give();
      await later.given;
      return state;
    },
  };
  const first = sync(db, slow, customer.id);
  await asked.given;
  await test.standIn.tell({ do: "cancel", subscription: customer.subscription, now: true });
  await sync(db, test.provider, customer.id);
  later.give();
  await first;
  return (await stored(customer))[0]?.status;
}

function signal(): { given: Promise<void>; give: () => void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give };
}

/** Buys through a checkout made elsewhere. Returns the new subscription. */
async function buyAgain({ id }: Customer): Promise<string> {
  // Subscriptions are ordered by the second of their creation.
  await test.standIn.tell({ do: "skip", days: 1 });
  const checkout = await test.provider.createCheckout({
    ...{ key: crypto.randomUUID(), customer: id, plan: "pro", interval: "year", seats: 1 },
    ...{
      trialEndsAt: null,
      expiresAt: new Date(Date.now() + billingPolicy.checkout),
      back: "https://a.example",
    },
  });
  await test.standIn.tell({ do: "pay", checkout: checkout.id, card: "pays" });
  const [newest] = (await subscriptionsOf(test, { id })).sort((a, b) => b.created - a.created);
  return `${newest?.id}`;
}
