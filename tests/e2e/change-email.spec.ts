import type { Page } from "@playwright/test";
import {
  expect,
  expectLoggedIn,
  expectLoggedOut,
  linkIn,
  logIn,
  test,
} from "@/tests/support/end-to-end";
import { allMails } from "@/tests/support/smtp";
import { untilJobsAreDone } from "@/tests/support/snapshot";
import { createUser, newPassword, password } from "@/tests/support/users";

async function askForChange(page: Page, to: string): Promise<void> {
  await page.goto("/settings/profile");
  const form = page.locator("form").filter({ hasText: "Change email" });
  await form.getByLabel("Email").fill(to);
  await form.getByRole("button", { name: "Change email" }).click();
}

const sent = "We have sent a link to your new email. Open it to make the change.";

test("changed by the link: this browser stays logged in, the other is logged out, the old email can undo it", async ({
  loggedIn,
  user,
  logInElsewhere,
  elsewhere,
  mailTo,
}) => {
  const other = await logInElsewhere(user);
  const next = `next-${user.email}`;
  await askForChange(loggedIn, next);
  await expect(loggedIn.getByRole("status").first()).toHaveText(sent);
  await expect(loggedIn.getByText(`You log in with ${user.email}.`)).toBeVisible();
  await expectLoggedIn(other);

  await loggedIn.goto(linkIn(await mailTo(next)));
  await expect(loggedIn.getByText(`You will log in with ${next}`)).toBeVisible();
  await loggedIn.getByRole("button", { name: "Use this email" }).click();
  await expect(loggedIn).toHaveURL("/settings/profile?notice=email-changed");
  await expect(loggedIn.getByText(`You log in with ${next}.`)).toBeVisible();
  await expectLoggedOut(other);

  // The old email can undo the change for a week, even if an attacker made the change.
  const notice = await mailTo(user.email);
  expect(notice.subject).toBe("The email of your account was changed");
  const owner = await elsewhere();
  await owner.goto(linkIn(notice));
  await expectLoggedIn(loggedIn);
  await owner.getByRole("button", { name: "Take it back" }).click();
  await expect(owner).toHaveURL("/login?notice=email-restored");
  await expectLoggedOut(loggedIn);
  await owner.goto(linkIn(notice));
  await expect(owner.getByRole("heading", { name: "This link no longer works" })).toBeVisible();

  await logIn(owner, next, password);
  await expect(owner.locator("form").getByRole("alert")).toHaveText(
    "Email or password is incorrect.",
  );
  // The attacker who changed the email may know the password, so it has ended too.
  await logIn(owner, user.email, password);
  await expect(owner.locator("form").getByRole("alert")).toHaveText(
    "Email or password is incorrect.",
  );
  await expect.poll(async () => (await mailTo(user.email)).subject).toBe("Choose a new password");
  await owner.goto(linkIn(await mailTo(user.email)));
  await owner.getByLabel("New password").fill(newPassword);
  await owner.getByRole("button", { name: "Set new password" }).click();
  await expect(owner).toHaveURL("/login?notice=password-reset");
  await logIn(owner, user.email, newPassword);
  await expect(owner).toHaveURL("/dashboard");
});

test("opened in a browser that is not logged in, the link works and creates no session", async ({
  loggedIn,
  user,
  elsewhere,
  mailTo,
}) => {
  const next = `next-${user.email}`;
  await askForChange(loggedIn, next);
  await expect(loggedIn.getByRole("status").first()).toHaveText(sent);
  const phone = await elsewhere();
  await phone.goto(linkIn(await mailTo(next)));
  await phone.getByRole("button", { name: "Use this email" }).click();
  await expect(phone).toHaveURL("/login?notice=email-changed");
  await expectLoggedOut(phone);
  await expectLoggedOut(loggedIn);
  await logIn(phone, next, password);
  await expect(phone).toHaveURL("/dashboard");
});

test("an email of another account gets the same answer; only its owner gets a mail", async ({
  loggedIn,
  connection: { db },
  mailTo,
}) => {
  const neighbour = await createUser(db);
  await askForChange(loggedIn, neighbour.email);
  await expect(loggedIn).toHaveURL("/settings/profile?notice=email-link-sent");
  await expect(loggedIn.getByRole("status").first()).toHaveText(sent);
  const { subject, text } = await mailTo(neighbour.email);
  expect(subject).toBe("This email already has an account");
  expect(text).not.toContain("https:");
});

test("a change to the same email requests nothing", async ({ loggedIn, user, app, connection }) => {
  const form = loggedIn.locator("form").filter({ hasText: "Change email" });
  await askForChange(loggedIn, user.email.toUpperCase());
  await expect(form.getByLabel("Email")).toHaveAccessibleDescription("This is already your email.");
  await untilJobsAreDone(connection);
  const receivers = (await allMails(app.mails)).map(({ to }) => to);
  expect(receivers).not.toContain(user.email);
});
