import { minutes } from "@/lib/time";
import { startDevelopment } from "./development";
import { isLeftOut, named } from "./engine";
import {
  askForSignUp,
  test as base,
  createAccount,
  engines,
  expectSessionCookie,
  expectText,
  logIn,
  logOut,
} from "./flows";

/*
 * The README's first steps in each engine: `npm run dev` on http://localhost, where an engine may
 * refuse a Secure cookie.
 */

const test = base.extend<object, { development: string }>({
  development: [
    async ({ newDatabase }, use) => {
      const { origin, stop } = await startDevelopment(await newDatabase());
      await use(origin);
      await stop();
    },
    { scope: "worker", timeout: minutes(5) },
  ],
});

for (const engine of engines.filter((each) => !isLeftOut(each)))
  test(`${engine.name}: sign up, log out, log in and see the device`, async ({
    development,
    open,
  }) => {
    test.setTimeout(minutes(20)); // the first test waits until each page is compiled
    const email = `${engine.name}-${Date.now()}@example.com`.toLowerCase();
    const window = await open(engine);
    await askForSignUp(window, development, email);
    await window.click(named("Open the mailbox"));
    await window.click(`//article[contains(., "${email}")]//a`);
    await createAccount(window);
    await expectSessionCookie(window, development);

    await logOut(window);
    await logIn(window, email);
    await expectSessionCookie(window, development);
    await window.goto(`${development}/settings/devices`);
    await expectText(window, "This device");
  });
