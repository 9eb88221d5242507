import { expect, linkIn, logIn as logInToPage } from "@/tests/support/end-to-end";
import { password } from "@/tests/support/users";
import { labelled, named } from "./engine";
import {
  askForSignUp,
  createAccount,
  expectPath,
  expectSessionCookie,
  expectText,
  inEachEngine,
  logIn,
  logOut,
  runsScripts,
  sessionCookies,
  test,
} from "./flows";

/* The main flows in each engine, on the production build behind TLS, with production cookies. */

inEachEngine((engine) => {
  test("sign up, log out, log in, end another device, be ended by it", async ({
    app,
    elsewhere,
    mailTo,
    open,
  }) => {
    const email = `${engine.name}-${Date.now()}@example.com`.toLowerCase();
    const window = await open(engine);
    expect(await runsScripts(window)).toBe(true);
    await askForSignUp(window, app.origin, email);
    await window.goto(linkIn(await mailTo(email)));
    await createAccount(window);
    await expectSessionCookie(window, app.origin);

    await logOut(window);
    expect(await sessionCookies(window)).toEqual([]);
    await logIn(window, email);
    await expectSessionCookie(window, app.origin);

    const phone = await elsewhere({ userAgent: IPHONE });
    await logInToPage(phone, email, password);
    await expect(phone).toHaveURL("/dashboard");
    await window.goto(`${app.origin}/settings/devices`);
    await window.click(named("Log out Safari on iPhone"));
    await expectText(window, "That device is logged out.");
    await phone.goto("/dashboard");
    await expect(phone).toHaveURL("/login?next=%2Fdashboard");

    await logInToPage(phone, email, password);
    await expect(phone).toHaveURL("/dashboard");
    await phone.goto("/settings/devices");
    await phone.getByRole("button", { name: "Log out other devices" }).click();
    // The test does nothing in this window: the event that its session ended redirects it.
    await expectPath(window, "/login");
  });

  test("without JavaScript: log in, see the device, log out", async ({ app, user, open }) => {
    const window = await open(engine, { javaScript: false });
    expect(await runsScripts(window)).toBe(false);

    await window.goto(`${app.origin}/login`);
    await window.type(labelled("Email"), user.email);
    await window.type(labelled("Password"), `not ${password}`);
    await window.click(named("Log in"));
    await expectText(window, "Email or password is incorrect.");
    await window.type(labelled("Password"), password);
    await window.click(named("Log in"));
    await expectPath(window, "/dashboard");
    await expectSessionCookie(window, app.origin);

    await window.goto(`${app.origin}/settings/devices`);
    await expectText(window, "This device");
    await logOut(window);
    expect(await sessionCookies(window)).toEqual([]);
  });
});

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
