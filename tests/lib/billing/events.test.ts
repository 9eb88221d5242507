import { afterAll, describe, expect, it } from "vitest";
import { deleteOldEvents, receiveEvent } from "@/lib/billing/events";
import { stripeProvider } from "@/lib/billing/stripe";
import { jobsOf, setUpProvider, webhookSecret } from "@/tests/support/billing";
import { db, racingConnections, sql } from "@/tests/support/database";

const test = await setUpProvider(afterAll);

/** Returns an event as the provider posts it. Its object has only the fields that are read. */
function eventOf(customer: string | null, type = "customer.subscription.updated") {
  const id = `evt_${crypto.randomUUID()}`;
  const object = { id: "sub_1", object: "subscription", ...(customer && { customer }) };
  return { id, payload: JSON.stringify({ id, object: "event", type, data: { object } }) };
}

const sign = (payload: string, { secret = webhookSecret, ago = 0 } = {}) =>
  test.stripe.webhooks.generateTestHeaderString({
    ...{ payload, secret, timestamp: Math.floor(Date.now() / 1000) - ago },
  });

const receive = (payload: string, signature: string | null, own = db) =>
  receiveEvent(own, test.provider, Buffer.from(payload), signature);

const jobsFor = async (customer: string) =>
  (await jobsOf(db, "billing-sync")).filter((job) => job.customer === customer);

describe("receiveEvent", () => {
  it("stores the event and a job that looks at its customer", async () => {
    const { id, payload } = eventOf("cus_one");
    expect(await receive(payload, sign(payload))).toBe(true);
    expect(await sql`select type, customer_id from billing_events where id = ${id}`).toEqual([
      { type: "customer.subscription.updated", customer_id: "cus_one" },
    ]);
    expect(await jobsFor("cus_one")).toHaveLength(1);
  });

  it("handles an event that arrives twenty times at once only once", async () => {
    const { payload } = eventOf("cus_twenty");
    const racing = racingConnections(20);
    const received = await Promise.all(
      Array.from({ length: 20 }, () => receive(payload, sign(payload), racing.db)),
    );
    await racing.sql.end();
    expect(new Set(received)).toEqual(new Set([true]));
    expect(await jobsFor("cus_twenty")).toHaveLength(1);
  });

  it("finds the customer in an event about the customer itself, and accepts an event without one", async () => {
    const id = `evt_${crypto.randomUUID()}`;
    const about = (object: object) =>
      JSON.stringify({ id, object: "event", type: "customer.updated", data: { object } });
    const customer = about({ id: "cus_self", object: "customer" });
    await receive(customer, sign(customer));
    expect(await jobsFor("cus_self")).toHaveLength(1);
    const none = eventOf(null);
    expect(await receive(none.payload, sign(none.payload))).toBe(true);
  });

  const refused: [what: string, of: (payload: string) => [string, string | null]][] = [
    ["no signature", (payload) => [payload, null]],
    ["an empty signature", (payload) => [payload, ""]],
    [
      "a signature by another secret",
      (payload) => [payload, sign(payload, { secret: "whsec_other" })],
    ],
    ["a signature of 301 seconds ago", (payload) => [payload, sign(payload, { ago: 301 })]],
    [
      "another payload than was signed",
      (payload) => [payload.replace("sub_1", "sub_2"), sign(payload)],
    ],
    [
      "the payload written anew",
      (payload) => [JSON.stringify(JSON.parse(payload), null, 1), sign(payload)],
    ],
    ["an older kind of signature", (payload) => [payload, sign(payload).replace("v1=", "v0=")]],
  ];

  it.each(refused)("refuses %s, and stores nothing", async (_, of) => {
    const { id, payload } = eventOf("cus_refused");
    expect(await receive(...of(payload))).toBe(false);
    expect(await sql`select from billing_events where id = ${id}`).toHaveLength(0);
    expect(await jobsFor("cus_refused")).toEqual([]);
  });

  it("accepts each of two secrets while one replaces the other", async () => {
    const { secretKey: key, origin: url } = test.standIn;
    const provider = stripeProvider({ key, url, secrets: ["whsec_new", webhookSecret] });
    for (const secret of ["whsec_new", webhookSecret]) {
      const { payload } = eventOf("cus_rotated");
      expect(
        await receiveEvent(db, provider, Buffer.from(payload), sign(payload, { secret })),
      ).toBe(true);
    }
  });

  it("stores an event that is deleted after thirty days, not before", async () => {
    const { id, payload } = eventOf("cus_old");
    await receive(payload, sign(payload));
    await sql`update billing_events set received_at = now() - interval '29 days 23 hours' where id = ${id}`;
    await deleteOldEvents(db);
    expect(await sql`select from billing_events where id = ${id}`).toHaveLength(1);
    await sql`update billing_events set received_at = now() - interval '30 days 1 minute' where id = ${id}`;
    await deleteOldEvents(db);
    expect(await sql`select from billing_events where id = ${id}`).toHaveLength(0);
  });
});
