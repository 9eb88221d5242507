import { expect, test } from "@/tests/support/end-to-end";
import { password } from "@/tests/support/users";

test("sign up, log in elsewhere, see both devices, end one: its next click leads to the login", async ({
  page,
  elsewhere,
  mailTo,
}) => {
  const email = `walk-${Date.now()}@example.com`;
  await page.goto("/signup");
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();

  const [link] = (await mailTo(email)).text.match(/https:\S+/) ?? [];
  await page.goto(link ?? "");
  await page.getByLabel("Name").fill("Grace Walker");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page).toHaveURL("/dashboard");

  const phone = await elsewhere({
    userAgent:
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
  });
  await phone.goto("/settings/devices");
  await expect(phone).toHaveURL("/login?next=%2Fsettings%2Fdevices");
  await phone.getByLabel("Email").fill(email);
  await phone.getByLabel("Password").fill(password);
  await phone.getByLabel("Remember me").check();
  await phone.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(phone).toHaveURL("/settings/devices");

  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("link", { name: "Devices", exact: true }).click();
  await expect(page.getByRole("listitem")).toHaveCount(2);
  await page.getByRole("button", { name: "Log out Safari on iPhone" }).click();
  await expect(page.getByText("That device is logged out.")).toBeVisible();
  await expect(page.getByRole("listitem")).toHaveCount(1);

  await phone.getByRole("link", { name: "Dashboard" }).click();
  await expect(phone).toHaveURL("/login?next=%2Fdashboard");
});
