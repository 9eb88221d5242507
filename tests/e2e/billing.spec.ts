import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import type { Connection } from "@/lib/db/client";
import { connect } from "@/lib/db/client";
import { startApp } from "@/tests/support/app";
import { webhookSecret } from "@/tests/support/billing";
import { bothWays, expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { startTcpProxy } from "@/tests/support/tcp-proxy";
import { createTestTeam, type TestTeam } from "@/tests/support/teams";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

/* A team buys a plan from the provider's stand-in, and what it sees until the plan ends. */

const createTeam = ({ db }: Connection, owner: TestUser): Promise<TestTeam> =>
  createTestTeam(db, { owner: [owner] }, { name: "Acme", gift: false });

const billingOf = ({ handle }: TestTeam) => `/t/${handle}/settings/billing`;

/** Goes from the billing page to the end of the provider's checkout. */
async function buy(page: Page, team: TestTeam, card: RegExp, interval = "Monthly"): Promise<void> {
  await page.goto(billingOf(team));
  await page.getByLabel(interval).check();
  await page.getByRole("button", { name: "Upgrade to Pro" }).click();
  await expect(page.getByText("No money moves.")).toBeVisible();
  await page.getByLabel(card).check();
  await page.getByRole("button", { name: "Pay" }).click();
}

/** Reloads until the webhook has been processed. */
const shows = (page: Page, team: TestTeam, text: string | RegExp) =>
  expect(async () => {
    await page.goto(billingOf(team));
    await expect(page.getByRole("main")).toContainText(text, { timeout: 500 });
  }).toPass();

for (const { javaScriptEnabled, how } of bothWays)
  test(`an owner upgrades${how}`, async ({ connection, user, logInElsewhere }) => {
    const team = await createTeam(connection, user);
    const page = await logInElsewhere(user, { javaScriptEnabled });
    await page.goto(billingOf(team));
    await expect(page.getByRole("heading", { name: "Free plan" })).toBeVisible();
    await expect(page.getByText("1 of 3")).toBeVisible();

    await buy(page, team, /0002/);
    await expect(page.getByText("Your card was declined.")).toBeVisible();
    await page.getByLabel(/4242/).check();
    await page.getByRole("button", { name: "Pay" }).click();
    await expect(page).toHaveURL(new RegExp(`${billingOf(team)}\\?checkout=done`));
    // If the event has not arrived yet, the page reloads by itself.
    await expect(page.getByRole("heading", { name: "Pro plan" })).toBeVisible({ timeout: 30_000 });
    await expect(page.getByText(/Paid for 1 member, by the month/)).toBeVisible();
    await expect(page.getByRole("table")).toContainText("€8");
    await expect(page.getByRole("button", { name: "Upgrade to Pro" })).toBeHidden();

    await page.getByRole("button", { name: "Manage billing" }).click();
    await page.getByRole("button", { name: /^Cancel/ }).click();
    await shows(page, team, /Pro until .* Then Free: nothing is deleted/);
  });

test("after a failed payment the plan stays until a shown day, and the owner gets a mail", async ({
  connection,
  payments,
  user,
  loggedIn: page,
  mailTo,
}) => {
  const team = await createTeam(connection, user);
  await buy(page, team, /0341/);
  await shows(page, team, "Pro plan");
  const { subscriptions } = await payments.standIn.tell({ do: "state" });
  const [row] = await connection.sql`
    select s.id from subscriptions s join billing_customers c using (customer_id) where c.team_id = ${team.id}`;
  expect(subscriptions.map(({ id }) => id)).toContain(row?.id);
  await payments.standIn.tell({ do: "renew", subscription: `${row?.id}` });
  await shows(page, team, /The payment of .* failed\. Pro stays until/);
  expect((await mailTo(user.email)).subject).toBe("A payment for Acme failed");

  await page.getByRole("button", { name: "Update card" }).click();
  await page.getByLabel(/4242/).check();
  await page.getByRole("button", { name: "Update card" }).click();
  await shows(page, team, "Paid for 1 member");
});

test("each page of the team shows its owners a failed payment until it is made", async ({
  connection,
  payments,
  user,
  loggedIn: page,
  logInElsewhere,
}) => {
  const member = await createUser(connection.db);
  const team = await createTestTeam(
    ...[connection.db, { owner: [user], member: [member] }, { name: "Acme", gift: false }],
  );
  const home = `/t/${team.handle}`;
  const bar = page.getByRole("region", { name: "Plan" });
  await buy(page, team, /0341/);
  await shows(page, team, "Pro plan");
  await page.goto(home);
  await expect(page.getByRole("link", { name: "Billing" })).toBeVisible();
  await expect(bar).toBeHidden();

  const [row] = await connection.sql`
    select s.id from subscriptions s join billing_customers c using (customer_id) where c.team_id = ${team.id}`;
  await payments.standIn.tell({ do: "renew", subscription: `${row?.id}` });
  await shows(page, team, "failed. Pro stays until");
  await expect(bar).toBeHidden(); // the billing page itself shows it
  for (const path of [home, `${home}/settings/members`]) {
    await page.goto(path);
    await expect(bar).toContainText(/The payment of .* failed\. Pro stays until/);
  }
  const [membersPage, plainPage] = [
    await logInElsewhere(member),
    await logInElsewhere(user, { javaScriptEnabled: false }),
  ];
  await membersPage.goto(home);
  await expect(membersPage.getByRole("link", { name: "Members" })).toBeVisible();
  await expect(membersPage.getByText("failed")).toBeHidden();
  await plainPage.goto(home);
  await expect(plainPage.getByRole("region", { name: "Plan" })).toContainText("failed");

  // Also on client-side navigation, without a new document.
  await bar.getByRole("link", { name: "Update card" }).click();
  await expect(page).toHaveURL(billingOf(team));
  await expect(bar).toBeHidden();
  await page.getByRole("button", { name: "Update card" }).click();
  await page.getByLabel(/4242/).check();
  await page.getByRole("button", { name: "Update card" }).click();
  await shows(page, team, "Paid for 2 members");
  await page.goto(home);
  await expect(page.getByRole("link", { name: "Billing" })).toBeVisible();
  await expect(bar).toBeHidden();
});

test("the bar of the last days of a trial leads to the plans", async ({
  connection,
  user,
  loggedIn: page,
}) => {
  const team = await createTeam(connection, user);
  await connection.sql`update teams set trial_ends_at = now() + interval '2 days' where id = ${team.id}`;
  await page.goto(`/t/${team.handle}`);
  const bar = page.getByRole("region", { name: "Plan" });
  await expect(bar).toContainText(/Pro until .* Then Free: nothing is deleted\./);
  await bar.getByRole("link", { name: "Upgrade to Pro" }).click();
  await expect(page.getByRole("button", { name: "Upgrade to Pro" })).toBeVisible();
  // A plan given as a gift shows no offer to buy.
  await connection.sql`update teams set comped_plan = 'pro', comped_until = 'infinity' where id = ${team.id}`;
  await page.goto(`/t/${team.handle}`);
  await expect(page.getByRole("link", { name: "Billing" })).toBeVisible();
  await expect(bar).toBeHidden();
});

test("a team's page queries the billing only if there is something to show", async ({
  newDatabase,
  payments: { standIn },
}) => {
  const url = await newDatabase();
  const [connection, proxy] = [connect(url, { max: 1 }), await startTcpProxy(url)];
  const app = await startApp(proxy.url, {
    instances: 1, // so that only its requests cause messages
    env: {
      ...{ STRIPE_SECRET_KEY: standIn.secretKey, STRIPE_WEBHOOK_SECRET: webhookSecret },
      ...{ STRIPE_API_URL: standIn.origin, DATABASE_POOL_MAX: "1", CRON_SECRET: "c".repeat(43) },
    },
  });
  try {
    const user = await createUser(connection.db);
    const team = await createTeam(connection, user);
    const from = httpClient(app, (await createLogin(connection.db, user)).token);
    const sent = async () => {
      for (const _ of [1, 2]) {
        proxy.clear();
        await from.get(`/t/${team.handle}`);
      }
      return proxy.messages.join("");
    };
    // The lookup and the page's list, both prepared. The first visits prepare them and store the
    // team as the last opened one.
    await expect.poll(sent).toBe("BESBES");
    await connection.sql`update teams set trial_ends_at = now() + interval '4 days'`;
    expect(await sent()).toBe("BESBES");
    await connection.sql`update teams set trial_ends_at = now() + interval '2 days'`;
    expect((await sent()).length).toBeGreaterThan("BESBES".length);
  } finally {
    await app.stop();
    proxy.stop();
    await connection.sql.end();
  }
});

test("the pricing page leads visitors to the sign-up and users to their team", async ({
  connection,
  user,
  page,
  logInElsewhere,
}) => {
  await page.goto("/");
  await page.getByRole("link", { name: "Pricing" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Pricing");
  await expect(page.getByRole("region", { name: "Pro" })).toContainText("€8");
  await page.getByRole("link", { name: "Get Pro" }).click();
  await expect(page.getByRole("heading", { name: "Create an account" })).toBeVisible();
  await expect(page.getByRole("main").getByRole("link", { name: "Log in" })).toHaveAttribute(
    ...["href", "/login?next=%2Fupgrade"],
  );

  const loggedIn = await logInElsewhere(user);
  await createTestTeam(connection.db, { member: [user], owner: [await createUser(connection.db)] });
  const getPro = async () => {
    await loggedIn.goto("/pricing");
    await loggedIn.getByRole("link", { name: "Get Pro" }).click();
  };
  await getPro();
  await expect(loggedIn).toHaveURL(/\/t\/\w+$/); // through /dashboard
  const team = await createTeam(connection, user);
  await getPro();
  await expect(loggedIn).toHaveURL(billingOf(team));
});

test("without billing there is no upgrade, and the log warns of a build with prices", async ({
  proxied: { app },
}) => {
  const from = httpClient(app);
  expect((await from.get("/upgrade")).status).toBe(404);
  expect((await from.get("/sitemap.xml")).body).not.toContain("/pricing");
  expect(await readFile(app.log, "utf8")).toContain("The public pages were built with prices");
});

test("only owners can open the billing", async ({ app, connection, user, logInElsewhere }) => {
  const admin = await createUser(connection.db);
  const team = await createTestTeam(connection.db, { owner: [user], admin: [admin] });
  const page = await logInElsewhere(admin);
  await page.goto(`/t/${team.handle}`);
  await expect(page.getByRole("link", { name: "Members" })).toBeVisible();
  await expect(page.getByRole("link", { name: "Billing" })).toBeHidden();
  expect((await page.goto(billingOf(team)))?.status()).toBe(404);
  expect((await httpClient(app).get(billingOf(team))).status).toBe(307);
});

test("while the provider is down, the page says so; afterwards the upgrade works", async ({
  connection,
  payments,
  user,
  loggedIn: page,
}) => {
  const team = await createTeam(connection, user);
  await payments.standIn.tell({ do: "down", on: true });
  await page.goto(billingOf(team));
  await page.getByLabel("Yearly").check();
  await page.getByRole("button", { name: "Upgrade to Pro" }).click();
  await expect(page.getByText("The payment provider does not answer.")).toBeVisible();
  await payments.standIn.tell({ do: "down", on: false });
  await page.getByRole("button", { name: "Upgrade to Pro" }).click();
  await expect(page.getByText("No money moves.")).toBeVisible();
});

test("a webhook without a valid signature is refused, and stores nothing", async ({
  app,
  connection,
}) => {
  const from = httpClient(app);
  const event = JSON.stringify({ id: "evt_1", type: "invoice.paid", data: { object: {} } });
  for (const headers of [{}, { "stripe-signature": "t=1,v1=00" }]) {
    const answer = await from.post("/api/webhooks/stripe", event, {
      "content-type": "application/json",
      ...headers,
    });
    expect(answer.status).toBe(400);
  }
  expect(await connection.sql`select from billing_events where id = 'evt_1'`).toHaveLength(0);
});
