import {
  askForReset,
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

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

test("a login from a browser that is not known mails its owner; from a known one it does not", async ({
  page,
  user,
  elsewhere,
  app,
  connection,
}) => {
  const mails = async () => {
    await untilJobsAreDone(connection);
    return (await allMails(app.mails)).filter(({ to }) => to === user.email);
  };
  await logIn(page, user.email, password);
  await expect(page).toHaveURL("/dashboard");
  expect(await mails()).toHaveLength(1);

  // The same browser again, after a log-out.
  await page.getByRole("button", { name: "Log out" }).click();
  await expect(page).toHaveURL("/login?notice=logged-out");
  await logIn(page, user.email, password);
  await expect(page).toHaveURL("/dashboard");
  expect(await mails()).toHaveLength(1);

  const second = await elsewhere({
    userAgent: FIREFOX,
    extraHTTPHeaders: { "x-forwarded-for": "203.0.113.9" },
  });
  await logIn(second, user.email, "a wrong password first");
  await expect(second.locator("form").getByRole("alert")).toBeVisible();
  expect(await mails()).toHaveLength(1);
  await logIn(second, user.email, password);
  await expect(second).toHaveURL("/dashboard");
  const [, mail] = await mails();
  expect(mail?.subject).toBe("New login to your account");
  expect(mail?.text).toMatch(/Firefox on Linux, IP address 203\.0\.113\.9/);
  expect(mail?.text).toMatch(/on \d+ \w+ \d{4} at \d\d:\d\d \(UTC\)/);
});

test("a browser known to one account is new to another", async ({
  page,
  user,
  loggedIn: _,
  connection,
  app,
}) => {
  const mallory = `${user.id}-other@example.com`;
  const { sql } = connection;
  await sql`insert into users (email, name) values (${mallory}, 'Other')`;
  await sql`insert into passwords (user_id, hash)
    select other.id, hash from users other, passwords
    where other.email = ${mallory} and passwords.user_id = ${user.id}`;
  for (const email of [user.email, mallory, user.email, mallory]) {
    await logIn(page, email, password);
    await expect(page).toHaveURL("/dashboard");
    await page.getByRole("button", { name: "Log out" }).click();
    await expect(page).toHaveURL("/login?notice=logged-out");
  }
  await untilJobsAreDone(connection);
  const receivers = (await allMails(app.mails)).map(({ to }) => to);
  expect(receivers.filter((to) => to === user.email)).toHaveLength(1);
  expect(receivers.filter((to) => to === mallory)).toHaveLength(1);
});

test("This was not me: opening changes nothing, the button ends every session and mails a reset link", async ({
  loggedIn,
  user,
  elsewhere,
  mailTo,
}) => {
  const attacker = await elsewhere({ userAgent: FIREFOX });
  await logIn(attacker, user.email, password);
  await expect(attacker).toHaveURL("/dashboard");
  const link = linkIn(await mailTo(user.email));

  // The owner's mailbox is open in a browser without a session.
  const owner = await elsewhere();
  for (let visit = 0; visit < 3; visit++) await owner.goto(link);
  await expect(owner.getByRole("heading", { name: "This was not me" })).toBeVisible();
  await expect(owner.getByText(user.email)).toBeVisible();
  await expectLoggedIn(attacker);
  await expectLoggedIn(loggedIn);

  await owner
    .getByRole("button")
    .filter({ hasText: /log out|every device/i })
    .click();
  await expect(owner).toHaveURL("/login?notice=disowned");
  await expectLoggedOut(attacker);
  await expectLoggedOut(loggedIn);
  await expect.poll(async () => (await mailTo(user.email)).subject).toBe("Choose a new password");
  await owner.goto(linkIn(await mailTo(user.email)));
  await expect(owner.getByRole("heading", { name: "Choose a new password" })).toBeVisible();

  await owner.goto(link);
  await expect(owner.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
});

test("a mailed link does not log out the other user of its browser", async ({
  user,
  connection: { db },
  logInElsewhere,
  elsewhere,
  mailTo,
}) => {
  const other = await logInElsewhere(await createUser(db));
  await askForReset(await elsewhere(), user.email);
  await other.goto(linkIn(await mailTo(user.email)));
  await other.getByLabel("New password").fill(newPassword);
  await other.getByRole("button", { name: "Set new password" }).click();
  await expect(other).toHaveURL("/login?notice=password-reset");
  await expect(other.getByRole("status")).toHaveText("Your new password is set. Log in with it.");
  await expect(other.getByText("you are logged in to another account")).toBeVisible();
  await expectLoggedIn(other);
});
