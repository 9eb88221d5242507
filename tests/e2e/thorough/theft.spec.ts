import { hashToken } from "@/lib/auth/secrets";
import { newApiKey } from "@/lib/auth/tokens/api-key-format";
import { expect, expectLoggedOut, linkIn, logIn, test } from "@/tests/support/end-to-end";
import { randomClientIp, send } from "@/tests/support/http-client";
import { allMails } from "@/tests/support/smtp";
import { untilJobsAreDone } from "@/tests/support/snapshot";
import { newPassword, password } from "@/tests/support/users";

const apiKey = newApiKey("user");
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

test("after a theft the button removes all access of the attacker, and the owner can log in again", async ({
  user,
  elsewhere,
  mailTo,
  app,
  connection,
}) => {
  const mails = async () => {
    await untilJobsAreDone(connection);
    return (await allMails(app.mails)).filter(({ to }) => to === user.email);
  };
  const json = { "content-type": "application/json", ...randomClientIp() };
  const post = (path: string, data: object) =>
    send(app.origin, `/api/v1/${path}`, "POST", json, Buffer.from(JSON.stringify(data)));

  // The attacker knows the password, logs in with a browser and an app, and creates a key.
  const attacker = await elsewhere({ userAgent: FIREFOX });
  await logIn(attacker, user.email, password);
  await expect(attacker).toHaveURL("/dashboard");
  const link = linkIn(await mailTo(user.email));
  const login = await post("token", { email: user.email, password });
  const { refresh_token, access_token } = JSON.parse(login.body);
  const { id } = user;
  const keyHash = hashToken(apiKey);
  await connection.sql`
    insert into api_keys (user_id, name, prefix, key_hash, scopes)
    values (${id}, 'Backup', 'lk_live_0000', ${keyHash}, '{profile:read}')`;
  const me = (bearer: string) =>
    send(app.origin, "/api/v1/me", "GET", { authorization: `Bearer ${bearer}` });
  for (const bearer of [access_token, apiKey]) expect((await me(bearer)).status).toBe(200);

  const owner = await elsewhere();
  await owner.goto(link);
  await owner.getByRole("button", { name: "Log out every device" }).click();
  await expect(owner).toHaveURL("/login?notice=disowned");

  // Session, password, known browser, refresh token, access token and key have all ended.
  await expectLoggedOut(attacker);
  await logIn(attacker, user.email, password);
  await expect(attacker.locator("form").getByRole("alert")).toHaveText(
    "Email or password is incorrect.",
  );
  expect((await post("token", { email: user.email, password })).status).toBe(401);
  expect((await post("token/refresh", { refresh_token })).status).toBe(401);
  for (const bearer of [access_token, apiKey]) expect((await me(bearer)).status).toBe(401);

  await expect.poll(async () => (await mailTo(user.email)).subject).toBe("Choose a new password");
  await owner.goto(linkIn(await mailTo(user.email)));
  await owner.getByLabel("New password").fill(newPassword);
  await owner.getByRole("button", { name: "Set new password" }).click();
  await expect(owner).toHaveURL("/login?notice=password-reset");
  const before = (await mails()).length;
  await logIn(owner, user.email, newPassword);
  await expect(owner).toHaveURL("/dashboard");
  // The browser that set the password is known again. The attacker's browser is not, even with
  // the new password.
  expect(await mails()).toHaveLength(before);
  await logIn(attacker, user.email, password);
  await expect(attacker.locator("form").getByRole("alert")).toBeVisible();
  await logIn(attacker, user.email, newPassword);
  await expect(attacker).toHaveURL("/dashboard");
  expect(await mails()).toHaveLength(before + 1);
});
