import { AssertionError } from "node:assert";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { contract } from "@/lib/billing/contract";
import { Run, startReceiver } from "@/lib/billing/contract-run";
import { stripeClient, stripeProvider } from "@/lib/billing/stripe";
import {
  startProxy,
  startTestProvider,
  type TestProvider,
  webhookSecret,
} from "@/tests/support/billing";

/*
 * Runs the contract against the stand-in, and against stand-ins that each give one wrong answer,
 * which a case must detect.
 */

let test: TestProvider;
let run: Run;
let receiver: Awaited<ReturnType<typeof startReceiver>>;

beforeAll(async () => {
  test = await startTestProvider();
  receiver = await startReceiver();
  await test.standIn.tell({ do: "webhook", url: receiver.url, secret: webhookSecret });
  run = new Run({ ...test, secret: webhookSecret, payCheckout, deliveries: receiver.deliveries });
});
afterAll(async () => {
  receiver.stop();
  await test.standIn.stop();
});

async function payCheckout(checkout: string): Promise<void> {
  await test.standIn.tell({ do: "pay", checkout, card: "pays" });
}

describe("the contract", () => {
  it.each(contract.map(({ name, check }) => [name, check]))("%s", async (_, check) => {
    await check(run);
  });

  it("leaves no customer behind", async () => {
    expect(await run.cleanUp()).toEqual([]);
    const { customers, testClocks } = await test.standIn.tell({ do: "state" });
    expect({ customers, testClocks }).toEqual({ customers: [], testClocks: [] });
  });
});

describe("a provider that breaks the contract", () => {
  const renewal = "a renewal moves the end of the period, and adds an invoice";
  const known = "a subscription is known by plan, interval, seats and period, with its invoice";
  const wrong: [what: string, from: RegExp, to: string, seen: string][] = [
    ["forgets the plan of a price", /"plan": "pro"/g, '"plan": "none"', known],
    ["counts one seat", /"quantity": \d+/g, '"quantity": 1', known],
    ["bills nothing", /"total": \d+/g, '"total": 0', renewal],
    ["has nothing but trials", /"status": "active"/g, '"status": "trialing"', renewal],
    [
      ...(["never says that a payment has failed", /"past_due"/g, '"active"'] as const),
      "a failed payment makes it past due, and one with another card active",
    ],
    [
      ...([
        "never says that it ends",
        /"cancel_at(\w*)": (true|\d+)/g,
        '"cancel_at$1": null',
      ] as const),
      "one that is cancelled says when it ends, and ends then",
    ],
    [
      ...(["sells in dollars", /"currency": "eur"/g, '"currency": "usd"'] as const),
      "billing:setup makes prices and the portal, and makes them once",
    ],
    [
      ...(["has each checkout expired", /"status": "complete"/g, '"status": "expired"'] as const),
      "a paid checkout does not expire, and its subscription is in the state",
    ],
  ];

  it.each(wrong)("%s: a case sees it", async (_, from, to, seen) => {
    const proxy = await startProxy(test, (body) => body.replace(from, to));
    onTestFinished(proxy.stop);
    const account = { key: test.standIn.secretKey, url: proxy.url, secrets: [webhookSecret] };
    const [stripe, provider] = [await stripeClient(account), stripeProvider(account)];
    const broken = new Run({ stripe, provider, secret: webhookSecret, payCheckout });
    const found = contract.find(({ name }) => name === seen);
    await expect(found?.check(broken)).rejects.toThrow(AssertionError);
    await broken.cleanUp();
  });
});
