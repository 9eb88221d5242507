import { afterAll, describe, expect, it } from "vitest";
import { openPortal, startCheckout } from "@/lib/billing/checkout";
import { ensureCustomer } from "@/lib/billing/customers";
import { plans } from "@/lib/billing/plans";
import {
  back,
  beginCheckout,
  by,
  createCustomer,
  jobsOf,
  pay,
  setUpProvider,
  subscriptionsOf,
} from "@/tests/support/billing";
import { db, racingConnections, sql } from "@/tests/support/database";
import { eventRows } from "@/tests/support/rows";
import { addMember, createOwnedTeam } from "@/tests/support/teams";

const test = await setUpProvider(afterAll);

const monthly = { plan: "pro", interval: "month", back } as const;
const yearly = { ...monthly, interval: "year" } as const;

const sessionsOf = async (customer: string) =>
  (await test.standIn.tell({ do: "state" })).sessions.filter((each) => each.customer === customer);

async function stateOf(teamId: string) {
  const { customers, ...rest } = await test.standIn.tell({ do: "state" });
  return { customers: customers.filter(({ metadata }) => metadata.team === teamId), ...rest };
}

describe("ensureCustomer", () => {
  it("makes one customer with the team's name, even for parallel calls", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const racing = racingConnections(20);
    const found = await Promise.all(
      Array.from({ length: 20 }, () => ensureCustomer(racing.db, test.provider, team.id)),
    );
    await racing.sql.end();
    expect(new Set(found.map(({ customer }) => customer)).size).toBe(1);
    const { customers } = await stateOf(team.id);
    expect(customers).toMatchObject([{ name: team.name, email: owner.user.email }]);
  });

  // A naive variant without the row: no call sees what the others create.
  it("would make several without the row that is written first", async () => {
    const { team } = await createOwnedTeam(db);
    const naive = () =>
      test.provider.saveCustomer({
        ...{ id: crypto.randomUUID(), customer: null, teamId: team.id, name: "X", email: null },
      });
    await Promise.all([naive(), naive()]);
    expect((await stateOf(team.id)).customers).toHaveLength(2);
  });

  it("makes no second customer after the answer was lost", async () => {
    const { team } = await createOwnedTeam(db);
    const lossy = {
      ...test.provider,
      async saveCustomer(...args: Parameters<typeof test.provider.saveCustomer>) {
        await test.provider.saveCustomer(...args);
        throw new Error("The connection was cut.");
      },
    };
    await expect(ensureCustomer(db, lossy, team.id)).rejects.toThrow("cut");
    // The team is renamed meanwhile: the provider would refuse the same key with another name.
    await sql`update teams set name = 'Another Name' where id = ${team.id}`;
    await ensureCustomer(db, test.provider, team.id);
    expect((await stateOf(team.id)).customers).toMatchObject([{ name: "Another Name" }]);
  });
});

describe("startCheckout", () => {
  it("sells a seat for each member, at the plan's price", async () => {
    const { team, owner } = await createOwnedTeam(db);
    for (let n = 0; n < 2; n++) await addMember(db, team, "member");
    await startCheckout(db, test.provider, by({ team, owner }), monthly);
    const [customer] = (await stateOf(team.id)).customers;
    const [session] = await sessionsOf(`${customer?.id}`);
    expect(session?.amount_total).toBe(3 * plans.pro.price.month);
    expect(session?.success_url).toBe(`${back}?checkout=done`);
    expect(
      (await jobsOf(db, "billing-sync")).filter((job) => job.customer === customer?.id),
    ).toHaveLength(3);
  });

  it("leads to the same page again, even from several tabs at once", async () => {
    const owned = await createOwnedTeam(db);
    const racing = racingConnections(10);
    const started = await Promise.all(
      Array.from({ length: 10 }, () => startCheckout(racing.db, test.provider, by(owned), monthly)),
    );
    await racing.sql.end();
    const again = await startCheckout(db, test.provider, by(owned), monthly);
    expect(new Set([again, ...started].map((each) => each.ok && each.url)).size).toBe(1);
  });

  it("leaves one page that can be paid, whatever is chosen in other tabs at the same time", async () => {
    const owned = await createOwnedTeam(db);
    const racing = racingConnections(2);
    await Promise.all(
      [monthly, yearly].map((chosen) => startCheckout(racing.db, test.provider, by(owned), chosen)),
    );
    await racing.sql.end();
    const [customer] = (await stateOf(owned.team.id)).customers;
    const open = (await sessionsOf(`${customer?.id}`)).filter(({ status }) => status === "open");
    expect(open).toHaveLength(1);
    // Each call logs one checkout, including the call that had to retry.
    const opened = (await eventRows(owned.owner.user)).filter(
      ({ kind }) => kind === "team-billing-opened",
    );
    expect(opened).toHaveLength(2);
  });

  it("replaces the page where another interval is chosen, or the number of members has changed", async () => {
    const customer = await beginCheckout(db, test);
    await startCheckout(db, test.provider, by(customer), yearly);
    await addMember(db, customer.team, "member");
    await startCheckout(db, test.provider, by(customer), yearly);
    const sessions = await sessionsOf(customer.id);
    expect(sessions.map(({ status }) => status).sort()).toEqual(["expired", "expired", "open"]);
  });

  it("expires a page that has little time left before it makes another", async () => {
    const customer = await beginCheckout(db, test);
    await sql`update billing_customers set checkout_expires_at = now() + interval '4 minutes'
      where customer_id = ${customer.id}`;
    await startCheckout(db, test.provider, by(customer), monthly);
    const sessions = await sessionsOf(customer.id);
    expect(sessions.map(({ status }) => status).sort()).toEqual(["expired", "open"]);
  });

  it("sells no second subscription, even before a webhook has reported the first", async () => {
    const customer = await beginCheckout(db, test);
    await pay(db, test, customer);
    for (const chosen of [yearly, yearly, monthly])
      expect(await startCheckout(db, test.provider, by(customer), chosen)).toEqual({
        ...{ ok: false, reason: "subscribed" },
      });
    expect(await subscriptionsOf(test, customer)).toHaveLength(1);
  });

  it("leaves the rest of a trial free, where it is long enough", async () => {
    const owned = await createOwnedTeam(db);
    await sql`update teams set trial_ends_at = now() + interval '5 days' where id = ${owned.team.id}`;
    await startCheckout(db, test.provider, by(owned), monthly);
    await pay(db, test, owned);
    const [customer] = (await stateOf(owned.team.id)).customers;
    const [subscription] = await subscriptionsOf(test, { id: `${customer?.id}` });
    expect(subscription?.status).toBe("trialing");

    const short = await createOwnedTeam(db);
    await sql`update teams set trial_ends_at = now() + interval '1 day' where id = ${short.team.id}`;
    await startCheckout(db, test.provider, by(short), monthly);
    await pay(db, test, short);
    const [other] = (await stateOf(short.team.id)).customers;
    expect((await subscriptionsOf(test, { id: `${other?.id}` }))[0]?.status).toBe("active");
  });

  it("continues after the provider was down", async () => {
    const owned = await createOwnedTeam(db);
    await test.standIn.tell({ do: "down", on: true });
    const failing = startCheckout(db, test.provider, by(owned), monthly);
    await expect(failing).rejects.toThrow();
    await test.standIn.tell({ do: "down", on: false });
    expect(await startCheckout(db, test.provider, by(owned), monthly)).toMatchObject({
      ok: true,
    });
  });
});

describe("openPortal", () => {
  it("leads to the page of the team's customer, and nowhere for a team that never paid", async () => {
    const customer = await createCustomer(db, test);
    const { owner } = customer;
    const url = await openPortal(db, test.provider, by(customer), back);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/portal\/bps_/);
    const { portals } = await test.standIn.tell({ do: "state" });
    expect(portals.at(-1)).toMatchObject({ customer: customer.id, return_url: back });
    expect((await eventRows(owner.user)).at(-1)).toMatchObject({ kind: "team-billing-opened" });
    const other = await createOwnedTeam(db);
    expect(await openPortal(db, test.provider, by(other), back)).toBeNull();
  });
});
