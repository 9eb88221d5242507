import type { App } from "@/tests/support/app";
import { expect, logIn, test } from "@/tests/support/end-to-end";
import { httpClient, randomClientIp, type SentHeaders } from "@/tests/support/http-client";
import { actionNamed, formBody, ways } from "@/tests/support/surface";
import { newPassword, password } from "@/tests/support/users";

const tooMany = /Too many attempts\. Try again in \d+ (second|minute)s?\./;

const incorrect = "Email or password is incorrect.";

/** Returns the response to one attempt, as the page's script receives it. */
async function guess(app: App, email: string, password: string, place: SentHeaders) {
  const call = ways["by fetch"];
  const answer = await call?.(httpClient(app), actionNamed("logIn"), { email, password }, place);
  return answer?.body ?? "";
}

test("the eleventh wrong password says when to try again and keeps the email", async ({
  app,
  user,
  elsewhere,
}) => {
  const place = randomClientIp();
  for (let tried = 0; tried < 10; tried++)
    expect(await guess(app, user.email, "wrong", place)).toContain(incorrect);
  const page = await elsewhere({ extraHTTPHeaders: place });
  await logIn(page, user.email, password);
  await expect(page.locator("form").getByRole("alert")).toHaveText(tooMany);
  await expect(page.locator("form").getByRole("alert")).toBeFocused();
  await expect(page.getByLabel("Email")).toHaveValue(user.email);
  await expect(page.getByLabel("Password")).toHaveValue("");

  // Another account from here and this account from elsewhere are not limited.
  await logIn(page, `other-${user.email}`, password);
  await expect(page.locator("form").getByRole("alert")).toHaveText(incorrect);
  const another = await elsewhere();
  await logIn(another, user.email, password);
  await expect(another).toHaveURL("/dashboard");
});

test("during 200 wrong passwords from one IP address, the owner logs in in a known browser", async ({
  app,
  page,
  user,
  elsewhere,
}) => {
  await logIn(page, user.email, password);
  await expect(page).toHaveURL("/dashboard");
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL("/login?notice=logged-out");

  const place = randomClientIp();
  const answers: string[] = [];
  const attack = async (share: number) => {
    for (let tried = 0; tried < 20; tried++) {
      answers.push(await guess(app, user.email, `guess ${share} ${tried}`, place));
    }
  };
  const attacks = Promise.all(Array.from({ length: 10 }, (_, share) => attack(share)));
  await expect.poll(() => answers.length).toBeGreaterThan(20);
  await logIn(page, user.email, password);
  await expect(page).toHaveURL("/dashboard");
  await attacks;

  expect(answers).toHaveLength(200);
  // A login in a known browser resets that browser's own count, not the attacker's.
  const judged = answers.filter((body) => body.includes(incorrect));
  expect(judged.length).toBeGreaterThanOrEqual(10);
  expect(judged.length).toBeLessThanOrEqual(11);
  expect(answers.filter((body) => tooMany.test(body))).toHaveLength(200 - judged.length);

  // The known browser also gets in from the attacker's own IP address.
  await page.context().setExtraHTTPHeaders(place);
  await page.getByRole("button", { name: "Log out" }).click();
  await logIn(page, user.email, password);
  await expect(page).toHaveURL("/dashboard");
  // And so does a new browser of the owner, from elsewhere.
  const fresh = await elsewhere();
  await logIn(fresh, user.email, password);
  await expect(fresh).toHaveURL("/dashboard");
});

test("the fourth reset mail to one email is refused with a wait, and the email stays in the field", async ({
  app,
  page,
  user,
}) => {
  const form = () => formBody(actionNamed("sendResetLink"), { email: user.email });
  for (let asked = 0; asked < 3; asked++)
    expect((await httpClient(app).post("/forgot-password", form())).status).toBe(303);
  await page.goto("/forgot-password");
  await page.getByLabel("Email").fill(user.email);
  await page.getByRole("button", { name: "Send reset link" }).click();
  await expect(page.locator("form").getByRole("alert")).toHaveText(tooMany);
  await expect(page.getByLabel("Email")).toHaveValue(user.email);

  // The same for an email without an account: the limit does not distinguish them.
  const unknown = `unknown-${user.email}`;
  const statuses = [];
  for (let asked = 0; asked < 4; asked++) {
    const asking = formBody(actionNamed("sendResetLink"), { email: unknown });
    statuses.push((await httpClient(app).post("/forgot-password", asking)).status);
  }
  expect(statuses).toEqual([303, 303, 303, 200]);
});

test("the eleventh guess at the current password is refused with a wait, in every form that asks for it", async ({
  loggedIn,
  user,
  connection: { sql },
}) => {
  await loggedIn.goto("/settings/password");
  for (let tried = 0; tried < 10; tried++) {
    await loggedIn.getByLabel("Current password").fill(`guess ${tried}`);
    await loggedIn.getByLabel("New password").fill(newPassword);
    await loggedIn.getByRole("button", { name: "Change password" }).click();
    // The response has arrived when the fields are empty again: secrets are not sent back.
    await expect(loggedIn.getByLabel("Current password")).toHaveValue("");
    await expect(loggedIn.getByLabel("Current password")).toHaveAttribute("aria-invalid", "true");
  }
  await loggedIn.getByLabel("Current password").fill(password);
  await loggedIn.getByLabel("New password").fill(newPassword);
  await loggedIn.getByRole("button", { name: "Change password" }).click();
  await expect(loggedIn.locator("form").getByRole("alert")).toHaveText(tooMany);

  await sql`
    update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
  await loggedIn.goto("/confirm");
  await loggedIn.getByLabel("Password").fill(password);
  await loggedIn.getByRole("button", { name: "Confirm" }).click();
  await expect(loggedIn.locator("form").getByRole("alert")).toHaveText(tooMany);
});
