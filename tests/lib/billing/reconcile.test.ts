import { afterAll, describe, expect, it } from "vitest";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { endDeleted, reconcile, updateTeam } from "@/lib/billing/reconcile";
import { settleTeams } from "@/lib/teams/account-end";
import { deleteTeam } from "@/lib/teams/deletion";
import { leaveTeam, removeMember, transferOwnership } from "@/lib/teams/members";
import { renameTeam } from "@/lib/teams/teams";
import {
  beginCheckout,
  createCustomer,
  jobsOf,
  setUpProvider,
  subscriptionsOf,
} from "@/tests/support/billing";
import { db, sql } from "@/tests/support/database";
import { addMember, createOwnedTeam } from "@/tests/support/teams";

const test = await setUpProvider(afterAll);

const teamJobs = async ({ id }: { id: string }) =>
  (await jobsOf(db, "billing-team")).filter(({ team }) => team === id).length;

const seatsAt = async (customer: { id: string }) =>
  (await subscriptionsOf(test, customer))[0]?.items.data[0]?.quantity;

describe("seats", () => {
  it("follow members who leave or are removed, with one job for any number of changes", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [one, two] = [await addMember(db, team, "member"), await addMember(db, team, "member")];
    expect(await teamJobs(team)).toBe(0);
    await leaveTeam(db, one.scope);
    await removeMember(db, owner.scope, two.user.id);
    expect(await teamJobs(team)).toBe(1);
  });

  it("are counted when the job runs, and then sent to the provider", async () => {
    const customer = await createCustomer(db, test);
    for (let n = 0; n < 3; n++) await addMember(db, customer.team, "member");
    await updateTeam(db, test.provider, customer.team.id);
    expect(await seatsAt(customer)).toBe(4);
    expect(await sql`select seats from subscriptions where id = ${customer.subscription}`).toEqual([
      { seats: 4 },
    ]);
    await updateTeam(db, test.provider, customer.team.id);
    expect(await seatsAt(customer)).toBe(4);
  });

  it("are not sent for a team that pays nothing", async () => {
    const { team } = await createOwnedTeam(db);
    await updateTeam(db, test.provider, team.id);
  });
});

describe("the provider's name and email of a team", () => {
  const knownOf = async ({ id }: { id: string }) => {
    const { customers } = await test.standIn.tell({ do: "state" });
    const found = customers.find((each) => each.id === id);
    return [found?.name, found?.email];
  };

  it("follow a new name and the owner who joined first", async () => {
    const customer = await createCustomer(db, test);
    const { team, owner } = customer;
    expect(await knownOf(customer)).toEqual([team.name, owner.user.email]);
    const second = await addMember(db, team, "admin");
    await renameTeam(db, owner.scope, "Renamed");
    await transferOwnership(db, owner.scope, second.user.id);
    expect(await teamJobs(team)).toBe(1);
    await updateTeam(db, test.provider, team.id);
    expect(await knownOf(customer)).toEqual(["Renamed", second.user.email]);
  });

  it("are not sent if nothing has changed, and stay while no owner is active", async () => {
    const customer = await createCustomer(db, test);
    const { team, owner } = customer;
    let told = 0;
    const counting = {
      ...test.provider,
      saveCustomer(...args: Parameters<typeof test.provider.saveCustomer>) {
        told++;
        return test.provider.saveCustomer(...args);
      },
    };
    await updateTeam(db, counting, team.id);
    expect(told).toBe(0);
    await sql`update users set status = 'suspended', suspension_reason = 'Test.' where id = ${owner.user.id}`;
    await updateTeam(db, counting, team.id);
    expect(told).toBe(1);
    expect(await knownOf(customer)).toEqual([team.name, owner.user.email]);
  });

  it("are compared each night, because an owner's email changes without the team", async () => {
    const customer = await createCustomer(db, test);
    const before = await jobsAfterReconcile();
    await sql`update users set email = 'new-' || email where id = ${customer.owner.user.id}`;
    const after = await jobsAfterReconcile();
    expect(before).not.toContainEqual({ team: customer.team.id });
    expect(after).toContainEqual({ team: customer.team.id });
  });

  async function jobsAfterReconcile() {
    await sql`delete from graphile_worker._private_jobs`;
    await reconcile(db);
    return jobsOf(db, "billing-team");
  }
});

describe("the deletion of a paying team", () => {
  it("ends its subscription, even if the provider is down meanwhile", async () => {
    const customer = await createCustomer(db, test);
    await test.standIn.tell({ do: "down", on: true });
    expect(await deleteTeam(db, customer.owner.scope)).toEqual({ ok: true });
    const [job] = (await jobsOf(db, "billing-end")).slice(-1);
    await expect(endDeleted(db, test.provider, `${job?.row}`)).rejects.toThrow();
    await test.standIn.tell({ do: "down", on: false });
    await endDeleted(db, test.provider, `${job?.row}`);
    expect((await subscriptionsOf(test, customer)).map(({ status }) => status)).toEqual([
      "canceled",
    ]);
  });

  it("expires a checkout that could still be paid", async () => {
    const customer = await beginCheckout(db, test);
    await deleteTeam(db, customer.owner.scope);
    const [job] = (await jobsOf(db, "billing-end")).slice(-1);
    await endDeleted(db, test.provider, `${job?.row}`);
    const { sessions } = await test.standIn.tell({ do: "state" });
    expect(sessions.filter((each) => each.customer === customer.id)).toMatchObject([
      { status: "expired" },
    ]);
  });

  it("is also queued when its only member deletes the account", async () => {
    const customer = await createCustomer(db, test);
    const deleted = await deleteAccount(db, customer.owner.session, settleTeams);
    expect(deleted).toMatchObject({ ok: true });
    const [row] = await sql`select id from billing_customers where customer_id = ${customer.id}`;
    expect(await jobsOf(db, "billing-end")).toContainEqual({ row: row?.id });
  });

  it("does not end the subscription of a team that still exists", async () => {
    const customer = await createCustomer(db, test);
    const [row] = await sql`select id from billing_customers where customer_id = ${customer.id}`;
    await endDeleted(db, test.provider, `${row?.id}`);
    expect((await subscriptionsOf(test, customer)).map(({ status }) => status)).toEqual(["active"]);
  });
});

describe("reconcile", () => {
  it("looks at every customer that has something to pay, and at seats that differ", async () => {
    const [paying, begun, ended, past] = [
      await createCustomer(db, test),
      await beginCheckout(db, test),
      await createCustomer(db, test),
      await createCustomer(db, test),
    ];
    await addMember(db, paying.team, "member");
    await sql`update subscriptions set status = 'ended', ended_at = now() where id = ${ended.subscription}`;
    // The state of `past` was fetched just now: if that counted, it would be fetched every night.
    await sql`update subscriptions set status = 'ended', ended_at = now() - interval '3 days'
      where id = ${past.subscription}`;
    await sql`update billing_customers set checkout_expires_at = now() - interval '3 days'
      where customer_id in (${paying.id}, ${ended.id}, ${past.id})`;
    await sql`delete from graphile_worker._private_jobs`;
    await reconcile(db);
    const looks = (await jobsOf(db, "billing-sync")).map(({ customer }) => customer);
    for (const each of [paying, begun, ended]) expect(looks).toContain(each.id);
    expect(looks).not.toContain(past.id);
    const updates = (await jobsOf(db, "billing-team")).map(({ team }) => team);
    expect(updates).toContain(paying.team.id);
    expect(updates).not.toContain(begun.team.id);
  });

  it("finds the subscription of a deleted team", async () => {
    const customer = await createCustomer(db, test);
    await sql`delete from teams where id = ${customer.team.id}`;
    await sql`delete from graphile_worker._private_jobs`;
    await reconcile(db);
    expect(await jobsOf(db, "billing-sync")).toContainEqual({ customer: customer.id });
  });
});
