import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { sql } from "drizzle-orm";
import type Stripe from "stripe";
import { startCheckout } from "@/lib/billing/checkout";
import { entitledPlan } from "@/lib/billing/entitlements";
import { type Plan, trialPlan } from "@/lib/billing/plans";
import type { Provider } from "@/lib/billing/provider";
import { setUpBilling } from "@/lib/billing/setup";
import { type StandIn, startStandIn } from "@/lib/billing/stand-in/start";
import type { Card } from "@/lib/billing/stand-in/state";
import { stripeClient, stripeProvider } from "@/lib/billing/stripe";
import { syncCustomer } from "@/lib/billing/sync";
import type { Connection, Db } from "@/lib/db/client";
import { setEnv } from "@/lib/env";
import { createOwnedTeam, type TestMember, type TestTeam } from "./teams";

/* Billing for tests: the real SDK against the stand-in provider, which is a process of its own. */

/** Turns billing on; else every team has the full plan "pro". Call it at the top of a test file. */
export function setBillingOn(url = "http://127.0.0.1:1"): void {
  setEnv({
    STRIPE_SECRET_KEY: "sk_test_latchkey",
    STRIPE_WEBHOOK_SECRET: webhookSecret,
    STRIPE_API_URL: url,
  });
}

export const webhookSecret = "whsec_latchkey";

export type TestProvider = { standIn: StandIn; provider: Provider; stripe: Stripe };

/** Starts a provider with the prices of plans.ts. It posts no webhooks. */
export async function startTestProvider(): Promise<TestProvider> {
  const webhook = { url: null, secret: webhookSecret };
  const standIn = await startStandIn({ port: 0, file: null, webhook });
  const account = { key: standIn.secretKey, url: standIn.origin, secrets: [webhookSecret] };
  const stripe = await stripeClient(account);
  await setUpBilling(stripe, null);
  return { standIn, provider: stripeProvider(account), stripe };
}

/** Turns billing on, with a provider until `afterAll`. Call it at the top of a test file. */
export async function setUpProvider(
  afterAll: (end: () => Promise<void>) => void,
): Promise<TestProvider> {
  setBillingOn();
  const test = await startTestProvider();
  afterAll(() => test.standIn.stop());
  return test;
}

const ofDatabase = new Map<string, TestProvider>();

/** Remembers which provider the app of this database has. */
export function setPayments(databaseUrl: string, payments: TestProvider): void {
  ofDatabase.set(new URL(databaseUrl).pathname.slice(1), payments);
}

/** Makes the team a customer, as a visit to the checkout does, if the app has a provider. */
export async function addCustomer({ sql }: Connection, teamId: string): Promise<void> {
  const payments = ofDatabase.get(sql.options.database);
  if (!payments) return;
  const { id } = await payments.stripe.customers.create({});
  await sql`insert into billing_customers (team_id, customer_id) values (${teamId}, ${id})`;
}

export type Customer = {
  team: TestTeam;
  owner: TestMember;
  /** The customer's id at the provider. */
  id: string;
};

/** The team, with its owner as the acting user. */
export const by = ({ team, owner }: Pick<Customer, "team" | "owner">) => ({
  ...{ teamId: team.id, actor: owner.session },
});

export const back = "https://app.example.com/t/handle/settings/billing";

/** Creates a team that has paid for the plan with this card, and fetches its state. */
export async function createCustomer(
  db: Db,
  test: TestProvider,
  card: Card = "pays",
): Promise<Customer & { subscription: string }> {
  const customer = await beginCheckout(db, test);
  await pay(db, test, customer, card);
  await syncCustomer(db, test.provider, customer.id);
  return { ...customer, subscription: `${(await subscriptionsOf(test, customer))[0]?.id}` };
}

/** Creates a team with an open checkout. */
export async function beginCheckout(db: Db, { provider }: TestProvider): Promise<Customer> {
  const { team, owner } = await createOwnedTeam(db, { name: "Acme", gift: false });
  const chosen = { plan: trialPlan, interval: "month", back } as const;
  const started = await startCheckout(db, provider, by({ team, owner }), chosen);
  if (!started.ok) throw new Error(started.reason);
  const [row] = await db.execute<{ customer_id: string }>(sql`
    select customer_id from billing_customers where team_id = ${team.id}`);
  return { team, owner, id: `${row?.customer_id}` };
}

/** Pays the team's checkout at the provider. */
export async function pay(
  db: Db,
  { standIn }: TestProvider,
  { team }: { team: TestTeam },
  card: Card = "pays",
): Promise<void> {
  const [row] = await db.execute<{ checkout_id: string }>(sql`
    select checkout_id from billing_customers where team_id = ${team.id}`);
  await standIn.tell({ do: "pay", checkout: `${row?.checkout_id}`, card });
}

export async function subscriptionsOf(
  { standIn }: TestProvider,
  { id }: { id: string },
): Promise<Stripe.Subscription[]> {
  const { subscriptions } = await standIn.tell({ do: "state" });
  return subscriptions.filter(({ customer }) => customer === id);
}

/** Starts a proxy that passes each response of the stand-in through `corrupt`. */
export async function startProxy(
  { standIn }: TestProvider,

  corrupt: (body: string) => string,
): Promise<{ url: string; stop(): void }> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url } = incoming;
    const sent = request(new URL(url ?? "/", standIn.origin), { method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => {
        const body = corrupt(Buffer.concat(chunks).toString());
        outgoing.writeHead(answer.statusCode ?? 500, { "Content-Type": "application/json" });
        outgoing.end(body);
      });
    });
    incoming.pipe(sent);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

/** Returns the plan that a request's lookup finds for the team. */
export async function planOf(db: Db, { id }: { id: string }): Promise<Plan> {
  const [row] = await db.execute<{ plan: Plan }>(sql`
    select ${entitledPlan()} as plan from teams where id = ${id}`);
  if (!row) throw new Error("planOf: no such team.");
  return row.plan;
}

/** Returns the payloads of the queued jobs of this task. */
export async function jobsOf(db: Db, task: string): Promise<Record<string, unknown>[]> {
  const rows = await db.execute<{ payload: Record<string, unknown> }>(sql`
    select payload from graphile_worker._private_jobs jobs
    join graphile_worker._private_tasks tasks on tasks.id = jobs.task_id
    where tasks.identifier = ${task} order by jobs.id`);
  return rows.map(({ payload }) => payload);
}
