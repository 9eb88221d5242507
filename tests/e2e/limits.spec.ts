import type { App } from "@/tests/support/app";
import { newPassword, password } from "@/tests/support/people";
import { expect, logIn, test } from "@/tests/support/story";
import { actionNamed, formBody, ways } from "@/tests/support/surface";
import { type SentHeaders, somewhere, visitor } from "@/tests/support/visitor";

const tooMany = /Too many attempts\. Try again in \d+ (second|minute)s?\./;

const incorrect = "Email or password is incorrect.";

/** The answer to one try, as the page's script gets it. */
async function guess(app: App, email: string, password: string, place: SentHeaders) {
  const call = ways["by fetch"];
  const answer = await call?.(visitor(app), actionNamed("logIn"), { email, password }, place);
  return answer?.body ?? "";
}

test("the eleventh wrong password says when to try again and keeps the address", async ({
  app,
  person,
  elsewhere,
}) => {
  const place = somewhere();
  for (let tried = 0; tried < 10; tried++)
    expect(await guess(app, person.email, "wrong", place)).toContain(incorrect);
  const page = await elsewhere({ extraHTTPHeaders: place });
  await logIn(page, person.email, password);
  await expect(page.locator("form").getByRole("alert")).toHaveText(tooMany);
  await expect(page.locator("form").getByRole("alert")).toBeFocused();
  await expect(page.getByLabel("Email")).toHaveValue(person.email);
  await expect(page.getByLabel("Password")).toHaveValue("");

  // Another account from here, and this account from elsewhere, are free.
  await logIn(page, `other-${person.email}`, password);
  await expect(page.locator("form").getByRole("alert")).toHaveText(incorrect);
  const another = await elsewhere();
  await logIn(another, person.email, password);
  await expect(another).toHaveURL("/dashboard");
});

test("200 wrong passwords from one address, and the owner on a known device logs in meanwhile", async ({
  app,
  page,
  person,
  elsewhere,
}) => {
  await logIn(page, person.email, password);
  await expect(page).toHaveURL("/dashboard");
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL("/login?notice=logged-out");

  const place = somewhere();
  const answers: string[] = [];
  const attack = async (share: number) => {
    for (let tried = 0; tried < 20; tried++) {
      answers.push(await guess(app, person.email, `guess ${share} ${tried}`, place));
    }
  };
  const attacks = Promise.all(Array.from({ length: 10 }, (_, share) => attack(share)));
  await expect.poll(() => answers.length).toBeGreaterThan(20);
  await logIn(page, person.email, password);
  await expect(page).toHaveURL("/dashboard", { timeout: 20_000 }); // the machine is busy
  await attacks;

  expect(answers).toHaveLength(200);
  // A login on a known device forgives that device's own count and not the attacker's.
  const judged = answers.filter((body) => body.includes(incorrect));
  expect(judged.length).toBeGreaterThanOrEqual(10);
  expect(judged.length).toBeLessThanOrEqual(11);
  expect(answers.filter((body) => tooMany.test(body))).toHaveLength(200 - judged.length);

  // The known device, were it at the very address of the attacker.
  await page.context().setExtraHTTPHeaders(place);
  await page.getByRole("button", { name: "Log out" }).click();
  await logIn(page, person.email, password);
  await expect(page).toHaveURL("/dashboard");
  // And a new device of the owner's, elsewhere.
  const fresh = await elsewhere();
  await logIn(fresh, person.email, password);
  await expect(fresh).toHaveURL("/dashboard");
});

test("the fourth reset mail to one address waits, and the address stays in the field", async ({
  app,
  page,
  person,
}) => {
  const form = () => formBody(actionNamed("sendResetLink"), { email: person.email });
  for (let asked = 0; asked < 3; asked++)
    expect((await visitor(app).post("/forgot-password", form())).status).toBe(303);
  await page.goto("/forgot-password");
  await page.getByLabel("Email").fill(person.email);
  await page.getByRole("button", { name: "Send reset link" }).click();
  await expect(page.locator("form").getByRole("alert")).toHaveText(tooMany);
  await expect(page.getByLabel("Email")).toHaveValue(person.email);

  // The same for an address without an account: the limit does not tell them apart.
  const unknown = `nobody-${person.email}`;
  const statuses = [];
  for (let asked = 0; asked < 4; asked++) {
    const asking = formBody(actionNamed("sendResetLink"), { email: unknown });
    statuses.push((await visitor(app).post("/forgot-password", asking)).status);
  }
  expect(statuses).toEqual([303, 303, 303, 200]);
});

test("the eleventh guess at the current password waits, in every form that asks for it", async ({
  loggedIn,
  person,
  connection: { sql },
}) => {
  await loggedIn.goto("/settings/password");
  for (let tried = 0; tried < 10; tried++) {
    await loggedIn.getByLabel("Current password").fill(`guess ${tried}`);
    await loggedIn.getByLabel("New password").fill(newPassword);
    await loggedIn.getByRole("button", { name: "Change password" }).click();
    // The answer has arrived when the fields are empty again: secrets are not sent back.
    await expect(loggedIn.getByLabel("Current password")).toHaveValue("");
    await expect(loggedIn.getByLabel("Current password")).toHaveAttribute("aria-invalid", "true");
  }
  await loggedIn.getByLabel("Current password").fill(password);
  await loggedIn.getByLabel("New password").fill(newPassword);
  await loggedIn.getByRole("button", { name: "Change password" }).click();
  await expect(loggedIn.locator("form").getByRole("alert")).toHaveText(tooMany);

  await sql`
    update sessions set authenticated_at = now() - interval '1 day' where user_id = ${person.id}`;
  await loggedIn.goto("/confirm");
  await loggedIn.getByLabel("Password").fill(password);
  await loggedIn.getByRole("button", { name: "Confirm" }).click();
  await expect(loggedIn.locator("form").getByRole("alert")).toHaveText(tooMany);
});
