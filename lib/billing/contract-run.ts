import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type Stripe from "stripe";
import { hours, minutes, seconds } from "@/lib/time";
import { type Interval, lookupKeyOf, trialPlan } from "./plans";
import type { Provider } from "./provider";

/*
 * One run of the contract (contract.ts): the account it uses, what it buys there, how it
 * advances time, and the deletion of what it made. Cards are Stripe's test cards; time is that
 * of Stripe's test clocks.
 */

export type Target = {
  provider: Provider;
  /** A client for the same account, for the actions of customers at the provider. */
  stripe: Stripe;
  /** The webhook secret: signatures made with it count as the provider's. */
  secret: string;
  /** Pays on the hosted page. Without it, that case is not checked. */
  payCheckout?: (id: string) => Promise<void>;
  /** The received webhooks, or why there are none. Without webhooks, that case is not checked. */
  deliveries?: Delivery[] | string;
};

export type Delivery = { payload: Buffer; signature: string };

/** Thrown by a case that this target does not allow to be checked. */
export class NotChecked extends Error {}

/** The time that Stripe may take to advance a test clock or to send an event. */
const PATIENCE = minutes(2);

/** Starts a server that receives webhooks on this machine. */
export async function startReceiver(): Promise<{
  url: string;
  deliveries: Delivery[];
  stop(): void;
}> {
  const deliveries: Delivery[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const signature = String(request.headers["stripe-signature"]);
    deliveries.push({ payload: Buffer.concat(chunks), signature });
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { url: `http://127.0.0.1:${port}/`, deliveries, stop: () => server.close() };
}

export type Bought = { customer: string; subscription: string; clock: string };

export class Run {
  readonly provider: Provider;
  readonly stripe: Stripe;
  private readonly made = new Map<string, () => Promise<unknown>>();

  constructor(readonly target: Target) {
    this.provider = target.provider;
    this.stripe = target.stripe;
  }

  async createCustomer(given: { id?: string; teamId?: string; name?: string } = {}) {
    const row = { id: randomUUID(), teamId: randomUUID(), name: "Contract", ...given };
    const id = await this.provider.saveCustomer({
      ...{ ...row, customer: null, email: "contract@example.com" },
    });
    this.made.set(id, () => this.stripe.customers.del(id));
    return id;
  }

  async newOrder(): Promise<Parameters<Provider["createCheckout"]>[0]> {
    return {
      ...{ key: randomUUID(), customer: await this.createCustomer(), plan: trialPlan },
      ...{ interval: "month", seats: 3, trialEndsAt: null },
      expiresAt: new Date(Date.now() + hours(1)),
      back: "https://app.example.com/t/contract/settings/billing",
    };
  }

  /**
   * Creates, without a hosted page, a customer with a test clock, a card that pays, and
   * a monthly subscription.
   */
  async subscribe({ seats = 2, trialEnd }: { seats?: number; trialEnd?: Date } = {}) {
    const clock = await this.stripe.testHelpers.testClocks.create({
      ...{ frozen_time: inSeconds(new Date()), name: "billing:verify" },
    });
    // Deleting a clock also deletes its customers.
    this.made.set(clock.id, () => this.stripe.testHelpers.testClocks.del(clock.id));
    const { id: customer } = await this.stripe.customers.create({ test_clock: clock.id });
    await this.payWith(customer, "pm_card_visa");
    const { id: subscription } = await this.stripe.subscriptions.create({
      ...{ customer, items: [{ price: (await this.findPrice("month")).id, quantity: seats }] },
      ...(trialEnd && { trial_end: inSeconds(trialEnd) }),
    });
    return { customer, subscription, clock: clock.id };
  }

  /** Makes the customer pay with this Stripe test card from now on. */
  async payWith(customer: string, card: string): Promise<void> {
    const { id } = await this.stripe.paymentMethods.attach(card, { customer });
    const settings = { default_payment_method: id };
    await this.stripe.customers.update(customer, { invoice_settings: settings });
  }

  async findPrice(interval: Interval): Promise<Stripe.Price> {
    const key = lookupKeyOf(trialPlan, interval);
    const { data } = await this.stripe.prices.list({ lookup_keys: [key], active: true });
    if (!data[0]) throw new Error(`There is no price ${key}.`);
    return data[0];
  }

  async stateOf({ customer }: Bought) {
    const { subscriptions, invoices } = await this.provider.fetchState(customer);
    const [subscription] = subscriptions;
    if (!subscription || subscriptions.length > 1)
      throw new Error(`There are ${subscriptions.length} subscriptions, not one.`);
    return { subscription, invoices };
  }

  /** Advances the clock past the period's end. An invoice is final an hour after its creation. */
  async endPeriod(bought: Bought): Promise<void> {
    const { subscription } = await this.stateOf(bought);
    const end = new Date((subscription.currentPeriodEnd?.getTime() ?? 0) + hours(6));
    const { testClocks } = this.stripe.testHelpers;
    await testClocks.advance(bought.clock, { frozen_time: inSeconds(end) });
    await eventually("The test clock was not advanced", async () => {
      return (await testClocks.retrieve(bought.clock)).status === "ready";
    });
  }

  /** Deletes what the run made. Returns what could not be deleted, one line each. */
  async cleanUp(): Promise<string[]> {
    const left: string[] = [];
    for (const [id, remove] of this.made)
      await remove().catch((error) => left.push(`${id}: ${error.message}`));
    this.made.clear();
    return left;
  }
}

/** Polls until `find` finds something, and returns it. */
export async function eventually<T>(
  failure: string,
  find: () => Promise<T | undefined | false>,
): Promise<T> {
  for (const start = performance.now(); performance.now() - start < PATIENCE; ) {
    const found = await find();
    if (found) return found;
    await pause(seconds(0.5));
  }
  throw new Error(`${failure} in ${PATIENCE / seconds(1)} seconds.`);
}

export const inSeconds = (date: Date): number => Math.floor(date.getTime() / seconds(1));
