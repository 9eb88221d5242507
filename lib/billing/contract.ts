import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { days, seconds } from "@/lib/time";
import { type Delivery, eventually, inSeconds, NotChecked, type Run } from "./contract-run";
import { currency, intervals, lookupKeyOf, priceOf, trialPlan } from "./plans";
import type { InvoiceState } from "./provider";
import { findPortalConfiguration, setUpBilling } from "./setup";

/*
 * What billing expects of Stripe, as cases: the promises of provider.ts and of `billing:setup`.
 * `npm test` runs them against the stand-in, `npm run billing:verify` against Stripe; no case
 * checks which of the two it is.
 */

export type Case = { name: string; check(run: Run): Promise<void> };

const monthly = priceOf(trialPlan, "month");

export const contract: Case[] = [
  {
    name: "billing:setup makes prices and the portal, and makes them once",
    async check(run) {
      await setUpBilling(run.stripe, null);
      assert.deepEqual(await setUpBilling(run.stripe, null), { made: [], webhookSecret: null });
      assert.ok(await findPortalConfiguration(run.stripe));
      for (const interval of intervals) {
        const price = await run.findPrice(interval);
        assert.equal(price.unit_amount, priceOf(trialPlan, interval));
        assert.equal(price.currency, currency);
        assert.equal(price.recurring?.interval, interval);
        assert.equal(price.metadata.plan, trialPlan);
      }
    },
  },
  {
    name: "the same row gives the same customer, also under another name",
    async check(run) {
      const row = { id: randomUUID(), teamId: randomUUID() };
      const first = await run.createCustomer({ ...row, name: "Before" });
      assert.equal(await run.createCustomer({ ...row, name: "After" }), first);
      const found = await run.stripe.customers.retrieve(first);
      assert.ok(!found.deleted);
      assert.equal(found.name, "After");
      assert.deepEqual(found.metadata, { row: row.id, team: row.teamId });
      assert.notEqual(await run.createCustomer(), first);
    },
  },
  {
    name: "a customer can get another name and email, also without an email",
    async check(run) {
      const row = { id: randomUUID(), teamId: randomUUID() };
      const customer = await run.createCustomer(row);
      const saved = { ...row, customer, name: "Renamed" };
      const email = "renamed@example.com";
      assert.equal(await run.provider.saveCustomer({ ...saved, email }), customer);
      await run.provider.saveCustomer({ ...saved, name: "Again", email: null });
      const found = await run.stripe.customers.retrieve(customer);
      assert.ok(!found.deleted);
      assert.deepEqual([found.name, found.email], ["Again", email]);
    },
  },
  {
    name: "a new customer has no subscription and no invoice",
    async check(run) {
      const state = await run.provider.fetchState(await run.createCustomer());
      assert.deepEqual(state, { subscriptions: [], invoices: [] });
    },
  },
  ...intervals.map((interval) => ({
    name: `a checkout by the ${interval} sells the plan for the seats that were asked for`,
    async check(run: Run) {
      const order = { ...(await run.newOrder()), interval };
      const { id, url } = await run.provider.createCheckout(order);
      assert.match(url, /^https?:\/\//);
      const found = await run.stripe.checkout.sessions.retrieve(id);
      assert.equal(found.customer, order.customer);
      assert.equal(found.amount_total, order.seats * priceOf(trialPlan, interval));
      assert.equal(found.expires_at, inSeconds(order.expiresAt));
      assert.equal(found.success_url, `${order.back}?checkout=done`);
      assert.equal(found.cancel_url, order.back);
      const { data } = await run.stripe.checkout.sessions.listLineItems(id);
      const sold = data.map(({ price, quantity }) => [price?.lookup_key, quantity]);
      assert.deepEqual(sold, [[lookupKeyOf(trialPlan, interval), order.seats]]);
    },
  })),
  {
    name: "a checkout with a trial asks for no payment now",
    async check(run) {
      const trialEndsAt = new Date(Date.now() + days(10));
      const order = { ...(await run.newOrder()), trialEndsAt };
      const { id } = await run.provider.createCheckout(order);
      assert.equal((await run.stripe.checkout.sessions.retrieve(id)).amount_total, 0);
    },
  },
  {
    name: "the same key gives the same checkout",
    async check(run) {
      const order = await run.newOrder();
      const first = await run.provider.createCheckout(order);
      assert.deepEqual(await run.provider.createCheckout(order), first);
      const other = await run.provider.createCheckout({ ...order, key: randomUUID() });
      assert.notEqual(other.id, first.id);
    },
  },
  {
    name: "an open checkout expires when told to, and can be told twice",
    async check(run) {
      const { id } = await run.provider.createCheckout(await run.newOrder());
      assert.equal(await run.provider.expireCheckout(id), true);
      assert.equal((await run.stripe.checkout.sessions.retrieve(id)).status, "expired");
      assert.equal(await run.provider.expireCheckout(id), true);
    },
  },
  {
    name: "a paid checkout does not expire, and its subscription is in the state",
    async check(run) {
      const { payCheckout } = run.target;
      if (!payCheckout) throw new NotChecked("no API pays on the hosted page");
      const order = await run.newOrder();
      const { id } = await run.provider.createCheckout(order);
      await payCheckout(id);
      assert.equal(await run.provider.expireCheckout(id), false);
      const { subscriptions } = await run.provider.fetchState(order.customer);
      const found = subscriptions.map(({ plan, seats, status }) => ({ plan, seats, status }));
      assert.deepEqual(found, [{ plan: trialPlan, seats: order.seats, status: "active" }]);
    },
  },
  {
    name: "the portal has a page for a customer",
    async check(run) {
      const url = await run.provider.createPortal(
        await run.createCustomer(),
        "https://example.com/",
      );
      assert.match(url, /^https?:\/\//);
    },
  },
  {
    name: "ids that do not exist are errors that say so",
    async check({ provider }) {
      await assert.rejects(provider.createPortal("cus_none", "https://example.com/"), /No such/);
      await assert.rejects(provider.expireCheckout("cs_test_none"), /No such/);
      await assert.rejects(provider.setSeats("sub_none", 2), /No such/);
      await assert.rejects(provider.cancelNow("sub_none"), /No such/);
    },
  },
  {
    name: "a subscription is known by plan, interval, seats and period, with its invoice",
    async check(run) {
      const bought = await run.subscribe({ seats: 2 });
      const { subscription, invoices } = await run.stateOf(bought);
      const { createdAt, currentPeriodEnd, ...rest } = subscription;
      assert.deepEqual(rest, {
        ...{ id: bought.subscription, plan: trialPlan, interval: "month", seats: 2 },
        ...{ status: "active", cancelAt: null, endedAt: null },
      });
      const length = (currentPeriodEnd?.getTime() ?? 0) - createdAt.getTime();
      assert.ok(length >= days(28) && length <= days(31), `a month of ${length} ms`);
      assert.deepEqual(invoices.map(billed), [{ status: "paid", total: 2 * monthly, currency }]);
      assert.match(`${invoices[0]?.url}`, /^https?:\/\//);
      assert.ok(invoices[0]?.number);
    },
  },
  {
    name: "a trial costs nothing until its end, and is paid then",
    async check(run) {
      const trialEnd = new Date(Math.floor(Date.now() / seconds(1)) * seconds(1) + days(10));
      const bought = await run.subscribe({ trialEnd });
      const before = await run.stateOf(bought);
      assert.equal(before.subscription.status, "trialing");
      assert.deepEqual(before.subscription.currentPeriodEnd, trialEnd);
      assert.deepEqual(before.invoices.map(billed), [{ status: "paid", total: 0, currency }]);
      await run.endPeriod(bought);
      const { subscription, invoices } = await run.stateOf(bought);
      assert.equal(subscription.status, "active");
      assert.deepEqual(added(before, invoices), [{ status: "paid", total: 2 * monthly, currency }]);
    },
  },
  {
    name: "a renewal moves the end of the period, and adds an invoice",
    async check(run) {
      const bought = await run.subscribe();
      const before = await run.stateOf(bought);
      await run.endPeriod(bought);
      const { subscription, invoices } = await run.stateOf(bought);
      assert.equal(subscription.status, "active");
      const moved =
        Number(subscription.currentPeriodEnd) - Number(before.subscription.currentPeriodEnd);
      assert.ok(moved >= days(28) && moved <= days(31), `the period moved by ${moved} ms`);
      assert.deepEqual(added(before, invoices), [{ status: "paid", total: 2 * monthly, currency }]);
    },
  },
  {
    name: "other seats are billed by the next invoice, with the rest of this period",
    async check(run) {
      const bought = await run.subscribe({ seats: 2 });
      await run.provider.setSeats(bought.subscription, 5);
      const before = await run.stateOf(bought);
      assert.equal(before.subscription.seats, 5);
      assert.equal(before.invoices.length, 1);
      await run.endPeriod(bought);
      const [invoice] = added(before, (await run.stateOf(bought)).invoices);
      // Three more seats for all of the first month: the clock stood still. Each line is rounded.
      const expected = 5 * monthly + 3 * monthly;
      assert.ok(Math.abs((invoice?.total ?? 0) - expected) <= 2, `${invoice?.total}, ${expected}`);
    },
  },
  {
    name: "a failed payment makes it past due, and one with another card active",
    async check(run) {
      const bought = await run.subscribe();
      const before = await run.stateOf(bought);
      await run.payWith(bought.customer, "pm_card_chargeCustomerFail");
      await run.endPeriod(bought);
      const failed = await run.stateOf(bought);
      assert.equal(failed.subscription.status, "past_due");
      assert.deepEqual(added(before, failed.invoices), [
        { status: "open", total: 2 * monthly, currency },
      ]);
      await run.payWith(bought.customer, "pm_card_visa");
      const open = failed.invoices.find(({ status }) => status === "open");
      await run.stripe.invoices.pay(`${open?.id}`);
      const paid = await run.stateOf(bought);
      assert.equal(paid.subscription.status, "active");
      assert.deepEqual(added(before, paid.invoices), [
        { status: "paid", total: 2 * monthly, currency },
      ]);
    },
  },
  {
    name: "one that is cancelled says when it ends, and ends then",
    async check(run) {
      const bought = await run.subscribe();
      await run.stripe.subscriptions.update(bought.subscription, { cancel_at_period_end: true });
      const before = await run.stateOf(bought);
      assert.equal(before.subscription.status, "active");
      assert.ok(before.subscription.cancelAt);
      assert.deepEqual(before.subscription.cancelAt, before.subscription.currentPeriodEnd);
      await run.endPeriod(bought);
      const { subscription, invoices } = await run.stateOf(bought);
      assert.equal(subscription.status, "ended");
      assert.ok(subscription.endedAt);
      assert.deepEqual(added(before, invoices), []);
    },
  },
  {
    name: "one that is kept after all has no end",
    async check(run) {
      const bought = await run.subscribe();
      for (const cancel_at_period_end of [true, false])
        await run.stripe.subscriptions.update(bought.subscription, { cancel_at_period_end });
      assert.equal((await run.stateOf(bought)).subscription.cancelAt, null);
    },
  },
  {
    name: "cancelNow ends it at once, and twice is no error",
    async check(run) {
      const bought = await run.subscribe();
      await run.provider.cancelNow(bought.subscription);
      await run.provider.cancelNow(bought.subscription);
      const { subscription } = await run.stateOf(bought);
      assert.equal(subscription.status, "ended");
      assert.ok(subscription.endedAt);
    },
  },
  {
    name: "a change is an event that names the customer",
    async check(run) {
      const { customer } = await run.subscribe();
      const type = "customer.subscription.created";
      const event = await eventually("The event did not appear", async () => {
        const { data } = await run.stripe.events.list({ type, limit: 100 });
        return data.find(
          ({ data: { object } }) => "customer" in object && object.customer === customer,
        );
      });
      assert.deepEqual(await read(run, JSON.stringify(event)), { id: event.id, type, customer });
    },
  },
  {
    name: "an event counts with our secret, and not tampered with, old or signed by another",
    async check(run) {
      const object = { id: "sub_1", object: "subscription", customer: "cus_1" };
      const event = { id: "evt_1", type: "customer.subscription.updated", customer: "cus_1" };
      const payload = JSON.stringify({ ...event, object: "event", data: { object } });
      assert.deepEqual(await read(run, payload), event);
      assert.equal(await read(run, payload, { sent: `${payload} ` }), null);
      assert.equal(await read(run, payload, { ago: 301 }), null);
      assert.equal(await read(run, payload, { secret: "whsec_other" }), null);
      assert.equal(await run.provider.readEvent(Buffer.from(payload), null), null);
    },
  },
  {
    name: "an event is delivered, signed by the provider",
    async check(run) {
      const { deliveries = "no webhook is forwarded to this run" } = run.target;
      if (typeof deliveries === "string") throw new NotChecked(deliveries);
      const { customer } = await run.subscribe();
      const { payload, signature } = await eventually("No webhook came", async () => {
        for (const each of deliveries)
          if ((await readDelivery(run, each))?.customer === customer) return each;
      });
      const tampered = Buffer.concat([payload, Buffer.from(" ")]);
      assert.equal(await readDelivery(run, { payload: tampered, signature }), null);
    },
  },
];

function billed({ status, total, currency }: InvoiceState) {
  return { status, total, currency };
}

/** Returns the invoices that were not there before. */
function added(before: { invoices: InvoiceState[] }, now: InvoiceState[]) {
  const known = before.invoices.map(({ id }) => id);
  return now.filter(({ id }) => !known.includes(id)).map(billed);
}

const readDelivery = (run: Run, { payload, signature }: Delivery) =>
  run.provider.readEvent(payload, signature);

/** Reads an event as if the provider had signed it. */
function read(
  run: Run,
  payload: string,
  { secret = run.target.secret, ago = 0, sent = payload } = {},
) {
  const timestamp = inSeconds(new Date()) - ago;
  const signature = run.stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });
  return readDelivery(run, { payload: Buffer.from(sent), signature });
}
