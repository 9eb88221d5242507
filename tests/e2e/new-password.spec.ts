import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { connect } from "@/lib/db/client";
import { startApp } from "@/tests/support/app";
import { digestOf, rangeOf, startBreachService } from "@/tests/support/breach-service";
import { cookieFor, expect, test } from "@/tests/support/end-to-end";
import { createLogin, createUser, newPassword, password } from "@/tests/support/users";

test("a breached password is refused beside its field; while the service fails it is accepted", async ({
  newDatabase,
  elsewhere,
}) => {
  const service = await startBreachService();
  service.answer((response) => response.end(rangeOf(`${digestOf(newPassword).suffix}:3`)));
  const url = await newDatabase();
  const connection = connect(url, { max: 1 });
  const app = await startApp(url, { env: { BREACHED_PASSWORDS_URL: service.url } });
  const { token } = await createLogin(connection.db, await createUser(connection.db));
  const page = await elsewhere({ baseURL: app.origin });
  await page.context().addCookies([cookieFor(app.origin, token)]);
  const change = async () => {
    await page.goto("/settings/password");
    await page.getByLabel("Current password").fill(password);
    await page.getByLabel("New password").fill(newPassword);
    await page.getByRole("button", { name: "Change password" }).click();
  };

  await change();
  await expect(page.getByLabel("New password")).toHaveAccessibleDescription(
    /appeared in a data breach. Choose another one/,
  );
  service.answer((response) => response.writeHead(500).end());
  await change();
  await expect(page).toHaveURL("/settings/password?notice=password-changed");
  expect(await readFile(app.log, "utf8")).toContain("not checked for breaches");

  // Close this first, because stopping the app resets the connections that the browser keeps open.
  await page.context().close();
  await app.stop();
  await connection.sql.end();
  await service.stop();
});

test("the list of common passwords and the estimator are not sent to browsers", async () => {
  const directory = path.resolve(".next/static");
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const scripts = files.filter((file) => file.isFile() && file.name.endsWith(".js"));
  expect(scripts.length).toBeGreaterThan(0);
  for (const { parentPath, name } of scripts) {
    const text = await readFile(path.join(parentPath, name), "utf8");
    expect(text.includes("1qaz2wsx3edc") || /zxcvbn/i.test(text), name).toBe(false);
  }
});
