import AxeBuilder from "@axe-core/playwright";
import type { BrowserContext, Page } from "@playwright/test";
import { addAuthenticator } from "@/tests/support/authenticator";
import { blockEvents, cookieFor, expect, pressPasskey, test } from "@/tests/support/end-to-end";
import { randomClientIp } from "@/tests/support/http-client";
import { allPages, createLinks, dynamicSegments, type Links } from "@/tests/support/surface";
import { addTeam, inviteFrom, type ScenarioTeam } from "@/tests/support/team-surface";
import type { TestInvitation } from "@/tests/support/teams";
import { createLogin, createUser, password, type TestUser } from "@/tests/support/users";

/** One state of a page and how to reach it. `page` is logged in if `as` is set. */
type State = {
  as?: "user" | "admin";
  show(page: Page, links: Links, lapse: Lapse, who: Who): Promise<unknown>;
};

/**
 * The user of the page, another user, a suspended one, a team that the first two own, and an invitation to
 * another team.
 */
type Who = {
  user: TestUser;
  other: TestUser;
  suspended: TestUser;
  team: () => Promise<ScenarioTeam>;
  invite: (user: TestUser) => Promise<TestInvitation>;
};

/** Makes the session's proof of identity expire. */
type Lapse = () => Promise<unknown>;

async function addPasskey(page: Page): Promise<void> {
  await addAuthenticator(page);
  await page.goto("/settings/passkeys");
  await pressPasskey(page, "Add a passkey");
  await expect(page.getByText("The passkey was added.")).toBeVisible();
}

const states: Record<string, State> = {
  landing: { show: (page) => page.goto("/") },
  login: { show: (page) => page.goto("/login?notice=logged-out") },
  "login with errors": {
    async show(page) {
      await page.goto("/login");
      await page.getByLabel("Email").fill("unknown@example.com");
      await page.getByLabel("Password").fill("wrong");
      await page.getByRole("button", { name: "Log in", exact: true }).click();
      await expect(page.getByRole("alert")).toBeVisible();
    },
  },
  "sign-up": { show: (page) => page.goto("/signup") },
  "check your email": { show: (page) => page.goto("/signup?notice=check-your-email") },
  "a dead link": { show: (page) => page.goto("/signup/nothing") },
  "a link with errors": {
    async show(page, links) {
      await page.goto(`/signup/${links["sign-up"]}`);
      await page.getByLabel("Name").fill("Ada");
      await page.getByLabel("Password").fill("password1234");
      await page.getByRole("button", { name: "Create account" }).click();
      await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "forgot password": { show: (page) => page.goto("/forgot-password") },
  "check your email for a reset": {
    show: (page) => page.goto("/forgot-password?notice=check-your-email"),
  },
  "reset with errors": {
    async show(page, links) {
      await page.goto(`/reset-password/${links["password-reset"]}`);
      await page.getByLabel("New password").fill("password1234");
      await page.getByRole("button", { name: "Show characters" }).click();
      await page.getByRole("button", { name: "Set new password" }).click();
      await expect(page.getByLabel("New password")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "confirm this browser": { show: (page) => page.goto("/confirm-browser") },
  "check your email for a browser's link": {
    show: (page) => page.goto("/confirm-browser?notice=check-your-email"),
  },
  "a browser's link": {
    show: (page, links) => page.goto(`/confirm-browser/${links["confirm-browser"]}`),
  },
  "a dead browser's link": { show: (page) => page.goto("/confirm-browser/nothing") },
  "a dead reset": { show: (page) => page.goto("/reset-password/nothing") },
  "confirm the new address": {
    show: (page, links) => page.goto(`/change-email/${links["email-change"]}`),
  },
  "a dead change of address": { show: (page) => page.goto("/change-email/nothing") },
  "take the address back": {
    show: (page, links) => page.goto(`/restore-email/${links["email-restore"]}`),
  },
  "a dead restore": { show: (page) => page.goto("/restore-email/nothing") },
  "this was not me": { show: (page, links) => page.goto(`/not-me/${links["not-me"]}`) },
  "an invalid disown link": { show: (page) => page.goto("/not-me/nothing") },
  "an invitation": { show: (page, links) => page.goto(`/invitations/${links.invitation}`) },
  "an invitation with errors": {
    async show(page, links) {
      await page.goto(`/invitations/${links.invitation}`);
      await page.getByLabel("Name").fill("Ada");
      await page.getByLabel("Password").fill("password1234");
      await page.getByRole("button", { name: "Create account and join" }).click();
      await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "an invitation, with a passkey": {
    show: (page, links) => page.goto(`/invitations/${links.invitation}?with=passkey`),
  },
  "an invitation of an email with an account": {
    show: async (page, _links, _lapse, { other, invite }) =>
      page.goto(`/invitations/${(await invite(other)).token}`),
  },
  "an invitation of another user": {
    as: "user",
    show: (page, links) => page.goto(`/invitations/${links.invitation}`),
  },
  "the user's own invitation": {
    as: "user",
    show: async (page, _links, _lapse, { user, invite }) =>
      page.goto(`/invitations/${(await invite(user)).token}`),
  },
  "a dead invitation": { show: (page) => page.goto("/invitations/nothing") },
  "teams, and an invitation": {
    as: "user",
    async show(page, _links, _lapse, { user, invite }) {
      await invite(user);
      await page.goto("/teams?notice=declined");
      await expect(page.getByRole("button", { name: /^Join / })).toBeVisible();
    },
  },
  "members and invitations, with errors": {
    as: "user",
    async show(page, _links, _lapse, { team, other }) {
      const { handle } = await team();
      await page.goto(`/t/${handle}/settings/members?notice=invited`);
      await page.getByLabel("Email").fill(other.email);
      await page.getByRole("button", { name: "Send invitation" }).click();
      await expect(page.getByLabel("Email")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "not found": { show: (page) => page.goto("/nothing") },
  dashboard: { as: "user", show: (page) => page.goto("/dashboard") },
  profile: { as: "user", show: (page) => page.goto("/settings/profile?notice=saved") },
  "profile with errors": {
    as: "user",
    async show(page) {
      await page.goto("/settings/profile");
      await page.getByLabel("Name").fill(" ");
      await page.getByRole("button", { name: "Save" }).click();
      await expect(page.getByLabel("Name")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "change of address with errors": {
    as: "user",
    async show(page) {
      await page.goto("/settings/profile");
      const form = page.locator("form").filter({ hasText: "Change email" });
      await form.getByLabel("Email").fill("new@localhost");
      await form.getByRole("button", { name: "Change email" }).click();
      await expect(form.getByLabel("Email")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "delete account with errors": {
    as: "user",
    async show(page) {
      await page.goto("/settings/profile");
      const form = page.locator("form").filter({ hasText: "to confirm" });
      await form.getByLabel(/to confirm/).fill("new@example.com");
      await form.getByRole("button", { name: "Delete account" }).click();
      await expect(form.getByLabel(/to confirm/)).toHaveAttribute("aria-invalid", "true");
    },
  },
  confirm: {
    as: "user",
    async show(page, _, lapse) {
      await lapse();
      await page.goto("/confirm?next=/settings/devices");
      await page.getByLabel("Password").fill("wrong");
      await page.getByRole("button", { name: "Confirm" }).click();
      await expect(page.getByLabel("Password")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "a form that waited for it": {
    as: "user",
    async show(page, _, lapse) {
      await lapse();
      await page.goto("/settings/profile");
      const form = page.locator("form").filter({ hasText: "Change email" });
      await form.getByLabel("Email").fill("new@example.com");
      await form.getByRole("button", { name: "Change email" }).click();
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Confirm" }).click();
      await expect(form.getByRole("status")).toContainText("not been sent yet");
    },
  },
  "two-factor off": {
    as: "user",
    show: (page) => page.goto("/settings/two-factor?notice=admin"),
  },
  "two-factor set up, with errors": {
    as: "user",
    async show(page) {
      await page.goto("/settings/two-factor");
      await page.getByRole("button", { name: "Set up" }).click();
      const code = page.getByRole("textbox", { name: "Code" });
      await code.fill("wrong");
      await page.getByRole("button", { name: "Turn on" }).click();
      await expect(code).toHaveAttribute("aria-invalid", "true");
    },
  },
  "passkeys, one with a name that is refused": {
    as: "user",
    async show(page) {
      await addPasskey(page);
      await page.getByText("Rename Passkey").click();
      await page.getByLabel("New name").fill(" ");
      await page.getByRole("button", { name: "Save name" }).click();
      await expect(page.getByLabel("New name")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "confirm with a passkey": {
    as: "user",
    async show(page, _, lapse) {
      await addPasskey(page);
      await lapse();
      await page.goto("/confirm?next=/settings/devices");
      await expect(page.getByRole("button", { name: "Confirm with a passkey" })).toBeVisible();
    },
  },
  "reset of an account with passkeys": {
    as: "user",
    async show(page, links) {
      await addPasskey(page);
      await page.goto(`/reset-password/${links["password-reset"]}`);
      await expect(page.getByLabel("I forgot it")).toBeVisible();
    },
  },
  "sign-up with a passkey": {
    show: (page, links) => page.goto(`/signup/${links["sign-up"]}?with=passkey`),
  },
  password: { as: "user", show: (page) => page.goto("/settings/password?notice=password-changed") },
  "password with errors": {
    as: "user",
    async show(page) {
      await page.goto("/settings/password");
      await page.getByLabel("Current password").fill("wrong");
      await page.getByLabel("New password").fill("too short");
      await page.getByRole("button", { name: "Change password" }).click();
      await expect(page.getByLabel("Current password")).toHaveAttribute("aria-invalid", "true");
    },
  },
  activity: { as: "user", show: (page) => page.goto("/settings/activity") },
  "no activity": { as: "user", show: (page) => page.goto("/settings/activity?before=1") },
  "no API keys": { as: "user", show: (page) => page.goto("/settings/api-keys") },
  "API keys, one just made": {
    as: "user",
    async show(page) {
      await page.goto("/settings/api-keys");
      await page.getByLabel("Name").fill("Wolfeschlegelsteinhausenbergerdorff".repeat(2));
      await page.getByLabel("profile:read").check();
      await page.getByRole("button", { name: "Create key" }).click();
      await expect(page.getByText("Your new key")).toBeVisible();
    },
  },
  "API keys with errors": {
    as: "user",
    async show(page) {
      await page.goto("/settings/api-keys");
      await page.getByLabel("Name").fill("Backup");
      await page.getByRole("button", { name: "Create key" }).click();
      await expect(page.getByLabel("profile:read")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "a team's API keys": {
    as: "user",
    show: async (page, _links, _lapse, { team }) =>
      page.goto(`/t/${(await team()).handle}/settings/api-keys?notice=key-revoked`),
  },
  "a team's API keys, one just made": {
    as: "user",
    async show(page, _links, _lapse, { team }) {
      await page.goto(`/t/${(await team()).handle}/settings/api-keys`);
      await page.getByLabel("Name").fill("Wolfeschlegelsteinhausenbergerdorff".repeat(2));
      await page.getByLabel("projects:read").check();
      await page.getByRole("button", { name: "Create key" }).click();
      await expect(page.getByText("Your new key")).toBeVisible();
    },
  },
  "API reference": { show: (page) => page.goto("/docs/api") },
  devices: { as: "user", show: (page) => page.goto("/settings/devices") },
  "log out everywhere?": {
    as: "user",
    async show(page) {
      await page.goto("/settings/devices");
      await page.getByRole("button", { name: "Log out everywhere" }).click();
      await expect(page.getByRole("dialog")).toBeVisible();
    },
  },
  users: { as: "admin", show: (page) => page.goto("/admin/users?notice=user-gone") },
  "users, found by a short search": {
    as: "admin",
    show: (page) => page.goto("/admin/users?q=w&role=admin&status=active"),
  },
  "no users": { as: "admin", show: (page) => page.goto("/admin/users?q=no-such-user") },
  "a user": {
    as: "admin",
    show: (page, _links, _lapse, { other }) =>
      page.goto(`/admin/users/${other.id}?notice=role-changed`),
  },
  "a user, with errors": {
    as: "admin",
    async show(page, _links, _lapse, { other }) {
      await page.goto(`/admin/users/${other.id}`);
      await page.getByLabel("Reason").fill(" ");
      await page.getByRole("button", { name: "Suspend" }).click();
      await expect(page.getByLabel("Reason")).toHaveAttribute("aria-invalid", "true");
    },
  },
  "a suspended user": {
    as: "admin",
    show: (page, _links, _lapse, { suspended }) => page.goto(`/admin/users/${suspended.id}`),
  },
  teams: { as: "admin", show: (page) => page.goto("/admin/teams?q=test") },
  "no teams": { as: "admin", show: (page) => page.goto("/admin/teams?q=no-such-team") },
  "a team": {
    as: "admin",
    show: async (page, _links, _lapse, { team }) =>
      page.goto(`/admin/teams/${(await team()).id}?notice=has-owner`),
  },
  "the removal of a member": {
    as: "user",
    async show(page, _links, _lapse, { team }) {
      const { handle, member } = await team();
      await page.goto(`/t/${handle}/settings/members/${member}/remove`);
    },
  },
  oneself: {
    as: "admin",
    show: (page, _links, _lapse, { user }) => page.goto(`/admin/users/${user.id}`),
  },
  projects: {
    as: "user",
    async show(page, _links, _lapse, { team }) {
      await page.goto(`/t/${(await team()).handle}?notice=deleted`);
    },
  },
  "no projects": {
    as: "user",
    async show(page, _links, _lapse, { team }) {
      await page.goto(`/t/${(await team()).handle}?show=archived`);
    },
  },
  "a project": {
    as: "user",
    async show(page, _links, _lapse, { team }) {
      const { handle, project } = await team();
      await page.goto(`/t/${handle}/projects/${project}?notice=note-added`);
    },
  },
  "a project, archived, with errors": {
    as: "user",
    async show(page, _links, _lapse, { team }) {
      const { handle, project } = await team();
      await page.goto(`/t/${handle}/projects/${project}`);
      await page.getByRole("button", { name: "Archive", exact: true }).click();
      await expect(page.getByText("Archived", { exact: true })).toBeVisible();
      await page.getByRole("textbox", { name: "Note" }).fill(" ");
      await page.getByRole("button", { name: "Add note" }).click();
      await expect(page.getByRole("textbox", { name: "Note" })).toHaveAttribute(
        "aria-invalid",
        "true",
      );
      await page.getByRole("button", { name: "Delete project" }).click();
      await expect(page.getByLabel(/^Delete/)).toHaveAttribute("aria-invalid", "true");
    },
  },
  audit: { as: "admin", show: (page) => page.goto("/admin/audit") },
  "no audit": { as: "admin", show: (page) => page.goto("/admin/audit?user=unknown@example.com") },
};

// Pages of the build that no state covers. They are shown as a new user sees them, by path alone.
const shown = Object.values(states).map(({ show }) => `${show}`); // their source code
const isDynamic = (path: string) => path.search(dynamicSegments) >= 0;
const others = allPages().filter((path) => {
  // A dynamic segment is a random token in the path, but an expression in the source.
  const address = path.replaceAll(dynamicSegments, "\\$\\{.+?\\}");
  return !shown.some((source) => new RegExp(`["'\`]${address}["'\`?]`).test(source));
});
const leadsOn = "/admin"; // redirects to its first page
for (const path of others.filter((each) => !isDynamic(each) && each !== leadsOn))
  states[path] = {
    as: path.startsWith("/admin") ? "admin" : "user",
    show: (page) => page.goto(path),
  };

// A team's page without a further parameter: shown to an owner of the team.
for (const path of others.filter((each) => each.match(dynamicSegments)?.length === 1))
  if (path.startsWith("/t/"))
    // The handle differs in each process, but a test's title must not.
    states[path.replace(dynamicSegments, "[team]")] = {
      as: "user",
      async show(page, _links, _lapse, { team }) {
        await page.goto(path.replace(dynamicSegments, (await team()).handle));
      },
    };

/** One browser for all states: it loads the scripts and fonts once. */
let browserContext: BrowserContext;
test.beforeAll(async ({ browser, app }) => {
  browserContext = await browser.newContext({
    ...{ baseURL: app.origin, ignoreHTTPSErrors: true, extraHTTPHeaders: randomClientIp() },
    reducedMotion: "reduce",
  });
  await blockEvents(browserContext);
});
test.afterAll(() => browserContext.close());

test("every page of the build is in one of the states", () => {
  const stable = (path: string) => path.replace(dynamicSegments, "[team]");
  const missing = others.filter((path) => isDynamic(path) && !(stable(path) in states));
  expect(missing.map((path) => `Add to \`states\` how to show ${path}.`)).toEqual([]);
});

type Rules = (axe: AxeBuilder) => AxeBuilder;

/** Colours do not depend on the width, so their contrast is checked once per theme. */
const checks: [width: number, Rules?][] = [
  [320],
  [375, (axe) => axe.disableRules("color-contrast")],
  [1280, (axe) => axe],
];

for (const [name, { as, show }] of Object.entries(states)) {
  test(`${name}: axe finds nothing, nothing sticks out`, async ({ app, connection, user }) => {
    const { db, sql } = connection;
    await browserContext.clearCookies();
    // Set before the login, which gives an admin the second factor that administration requires.
    if (as === "admin") await sql`update users set role = 'admin' where id = ${user.id}`;
    if (as) {
      await createLogin(db, user, { ip: "2001:db8:85a3:8d3:1319:8a2e:370:7348" });
      const { token } = await createLogin(db, user, { ip: "127.0.0.1" });
      await browserContext.addCookies([cookieFor(app.origin, token)]);
    }
    const page = await browserContext.newPage();
    await sql`update users set name = ${"Wolfeschlegelsteinhausenbergerdorff".repeat(2)}
      where id = ${user.id}`;
    const links = await createLinks(connection, user);
    const long = { name: "Wolfeschlegelsteinhausenbergerdorff".repeat(2) };
    const who: Who = {
      user,
      other: await createUser(db, long),
      suspended: await createUser(db, long),
      team: () => addTeam(connection, user, who.other),
      invite: ({ email }) =>
        inviteFrom(connection, email, { inviter: long.name, team: long.name.slice(0, 60) }),
    };
    await createLogin(db, who.other, { ip: "2001:db8:85a3:8d3:1319:8a2e:370:7348" });
    await sql`update users set status = 'suspended', suspension_reason = ${"Sent advertising. ".repeat(16)}
      where id = ${who.suspended.id}`;

    for (const { id } of [user, who.other])
      await sql`
        insert into identities (user_id, issuer, subject, provider, label)
        values (${id}, 'https://id.example', ${id}, 'oidc', ${`${long.name}@example.com`})`;

    const lapse = () => sql`
      update sessions set authenticated_at = now() - interval '1 day' where user_id = ${user.id}`;
    await show(page, links, lapse, who);
    for (const [width, check] of checks) {
      await page.setViewportSize({ width, height: 800 });
      const overflow = () =>
        page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      await expect.poll(overflow, `${width} px`).toBeLessThanOrEqual(0);
      if (check) expect(await violations(page, check), `${width} px`).toEqual([]);
    }
    await showTheme(page, "dark");
    expect(await violations(page, (axe) => axe.withRules("color-contrast")), "dark").toEqual([]);
    await page.close();
  });
}

/** Shows the page in the theme, and waits until it is drawn: colours change over several frames. */
async function showTheme(page: Page, colorScheme: "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  });
}

/** Returns the violations that axe finds with the chosen rules. */
async function violations(page: Page, choose: Rules): Promise<unknown> {
  // Load axe once per page: it is half a megabyte of script.
  const axeSource = (await page.evaluate("typeof axe")) === "object" ? "null" : undefined;
  // Legacy mode: without frames there are no results to merge, for which axe would
  // open another page.
  const axe = new AxeBuilder({ page, axeSource }).setLegacyMode();
  const { violations } = await choose(axe.options({ resultTypes: ["violations"] })).analyze();
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}
