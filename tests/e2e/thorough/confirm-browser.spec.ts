import { createLink } from "@/lib/auth/links";
import { logInPolicy } from "@/lib/auth/policy";
import { hashToken } from "@/lib/auth/secrets";
import { expect, linkIn, logIn, test } from "@/tests/support/end-to-end";
import { httpClient, randomClientIp, send, withoutRandom } from "@/tests/support/http-client";
import { allRows } from "@/tests/support/snapshot";
import { actionNamed, createScenario, formBody, shownForm } from "@/tests/support/surface";
import { failLogIns, password } from "@/tests/support/users";

const { failures } = logInPolicy;
const tooMany = /^There were too many wrong passwords for this email\./;

for (const javaScriptEnabled of [true, false])
  test.describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", () => {
    test.use({ javaScriptEnabled });

    test("after too many failures a new browser needs a mailed link, and a known one does not", async ({
      page,
      user,
      elsewhere,
      mailTo,
      connection: { db, sql },
    }) => {
      await logIn(page, user.email, password);
      await expect(page).toHaveURL("/dashboard");
      await page.getByRole("button", { name: "Log out" }).click();
      await expect(page).toHaveURL("/login?notice=logged-out");
      await failLogIns(db, user.email, failures);

      const fresh = await elsewhere({ javaScriptEnabled });
      await logIn(fresh, user.email, password);
      const alert = fresh.locator("form").getByRole("alert");
      await expect(alert).toHaveText(tooMany);
      await expect(fresh.getByLabel("Email")).toHaveValue(user.email);
      await expect(fresh.getByLabel("Password")).toHaveValue("");
      await logIn(page, user.email, password);
      await expect(page).toHaveURL("/dashboard");

      await alert.getByRole("link", { name: "Confirm this browser" }).click();
      await expect(fresh).toHaveURL("/confirm-browser");
      await fresh.getByLabel("Email").fill(user.email);
      await fresh.getByRole("button", { name: "Send link" }).click();
      await expect(fresh.getByRole("heading", { name: "Check your email" })).toBeVisible();
      // The newest mail is for the known browser's login or for this one.
      await expect
        .poll(async () => (await mailTo(user.email)).subject)
        .toBe("Confirm your browser");
      const link = linkIn(await mailTo(user.email));
      await fresh.goto(link);
      await fresh.getByRole("button", { name: "Confirm this browser" }).click();
      await expect(fresh).toHaveURL("/login?notice=browser-confirmed");
      await expect(fresh.getByRole("status").first()).toContainText("This browser is confirmed.");
      await fresh.goto("/dashboard");
      await expect(fresh).toHaveURL(/^[^?]*\/login\?next=/);

      // The browser is known from now on: even another hundred failures do not lock it out.
      await failLogIns(db, user.email, failures);
      await logIn(fresh, user.email, password);
      await expect(fresh).toHaveURL("/dashboard");
      const events = await sql<{ kind: string }[]>`
        select kind from audit_events where user_id = ${user.id} order by id`;
      expect(events.map(({ kind }) => kind)).toContain("browser-confirmed");
      await fresh.goto(link);
      await expect(fresh.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
    });
  });

test("an email without an account is refused and answered in the same way", async ({
  app,
  user,
  connection: { db },
}) => {
  const bodies = [];
  for (const email of [user.email, `unknown-${user.email}`]) {
    await failLogIns(db, email, failures);
    const from = httpClient(app);
    const tried = await from.post(
      "/login",
      await shownForm(from, actionNamed("logIn"), { email, password }),
    );
    expect([tried.status, tried.setCookie]).toEqual([200, []]);
    expect(tried.body).toContain("There were too many wrong passwords for this email.");
    const asked = await from.post(
      "/confirm-browser",
      formBody(actionNamed("sendBrowserLink"), { email }),
    );
    expect([asked.status, asked.headers.location]).toEqual([
      303,
      "/confirm-browser?notice=check-your-email",
    ]);
    bodies.push(withoutRandom(tried.body).replaceAll(email, ""));
  }
  expect(bodies[0]).toBe(bodies[1]);
});

test("the fourth link to one email is refused with a wait, and the email stays in the field", async ({
  app,
  page,
  user,
}) => {
  const form = () => formBody(actionNamed("sendBrowserLink"), { email: user.email });
  for (let asked = 0; asked < 3; asked++)
    expect((await httpClient(app).post("/confirm-browser", form())).status).toBe(303);
  await page.goto("/confirm-browser");
  await page.getByLabel("Email").fill(user.email);
  await page.getByRole("button", { name: "Send link" }).click();
  await expect(page.locator("form").getByRole("alert")).toHaveText(/^Too many attempts\./);
  await expect(page.getByLabel("Email")).toHaveValue(user.email);
});

test("a link that was used, has expired or is for something else changes nothing and sets no cookie", async ({
  app,
  page,
  connection,
}) => {
  const [used, expired] = [await createScenario(connection), await createScenario(connection)];
  const { sql } = connection;
  await sql`delete from links where token_hash = ${hashToken(used.links["confirm-browser"])}`;
  await sql`update links set expires_at = now() - interval '1 second'
    where token_hash = ${hashToken(expired.links["confirm-browser"])}`;
  const before = await allRows(connection);
  for (const token of [
    ...[used.links["confirm-browser"], expired.links["confirm-browser"]],
    ...[used.links["password-reset"], "x", "a".repeat(43), "%00"],
  ]) {
    await page.goto(`/confirm-browser/${token}`);
    await expect(page.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Get a new link" })).toBeVisible();
    const form = formBody(actionNamed("confirmBrowser"), { token });
    const answer = await httpClient(app).post("/confirm-browser/x", form);
    expect([answer.status, answer.setCookie]).toEqual([200, []]);
  }
  expect(await allRows(connection)).toEqual(before);
});

test("an app gets a detail for its user, and logs in after the confirmation", async ({
  app,
  user,
  connection: { db, sql },
}) => {
  const logInApp = (email: string) =>
    send(
      app.origin,
      "/api/v1/token",
      "POST",
      { "content-type": "application/json", ...randomClientIp() },
      Buffer.from(JSON.stringify({ email, password })),
    );
  const unknown = `unknown-${user.email}`;
  for (const email of [user.email, unknown]) await failLogIns(db, email, failures);
  const refused = await logInApp(user.email);
  expect([refused.status, JSON.parse(refused.body).code]).toEqual([
    403,
    "browser-confirmation-required",
  ]);
  expect(JSON.parse(refused.body).detail).toContain(`${app.origin}/confirm-browser`);
  expect((await logInApp(unknown)).body).toBe(refused.body);
  expect(await sql`select from sessions where user_id = ${user.id}`).toHaveLength(0);

  const link = { userId: user.id, purpose: "confirm-browser", sentTo: user.email } as const;
  const token = await createLink(db, link);
  const redeemed = await httpClient(app).post(
    "/confirm-browser/x",
    formBody(actionNamed("confirmBrowser"), { token }),
  );
  expect(redeemed.headers.location).toBe("/login?notice=browser-confirmed");
  expect((await logInApp(user.email)).status).toBe(200);
});
