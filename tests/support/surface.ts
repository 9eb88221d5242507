import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { addingPasskey } from "@/lib/auth/account/passkey-change";
import { signingUpWithPasskey } from "@/lib/auth/account/sign-up";
import { findStartedApp, startApp } from "@/lib/auth/credentials/two-factor";
import { createLink } from "@/lib/auth/links";
import { confirmingWithPasskey } from "@/lib/auth/login/confirm";
import { createPendingLogin } from "@/lib/auth/login/pending-logins";
import { newToken } from "@/lib/auth/secrets";
import { createSignUp } from "@/lib/auth/sign-up-links";
import type { Connection } from "@/lib/db/client";
import { siteOf } from "./app";
import type { Answer, HttpClient, SentHeaders } from "./http-client";
import { addSoftPasskey, softPasskey } from "./passkeys";
import {
  addTeams,
  inviteFrom,
  type ScenarioTeam,
  type TeamScenario,
  teamActions,
  teamPaths,
} from "./team-surface";
import { addTwoFactor, authenticator, keys } from "./two-factor";
import { createLogin, createUser, newPassword, password, type TestUser } from "./users";

/*
 * The routes and actions of the production build, read from its manifests, so that a new page,
 * handler or action is tested without a change here.
 */

const manifest = (name: string) => JSON.parse(readFileSync(path.resolve(".next", name), "utf8"));

/** Returns a value for a dynamic segment that matches no row: a team handle or a token. */
function unknownSegment(segment: string): string {
  return segment === "[team]" ? randomBytes(5).toString("hex") : newToken();
}

/** Returns every page and handler of the build: the route, named by its folders, and the file. */
export function allRoutes(): { route: string; file: string }[] {
  const routes: Record<string, string> = manifest("app-path-routes-manifest.json");
  return Object.entries(routes)
    .filter(([file]) => /^(?!\/_).*\/(page|route)$/.test(file)) // without Next's own
    .map(([file, route]) => ({ route, file: `app${file}.${/page$/.test(file) ? "tsx" : "ts"}` }));
}

/** Returns every path of the build. Dynamic segments have values that are not in the database. */
export function allPaths(): string[] {
  const routes: Record<string, string> = manifest("app-path-routes-manifest.json");
  return [...new Set(Object.values(routes))]
    .filter((route) => route !== "/_global-error") // Next's own; always 500
    .map((route) => route.replaceAll(/\[(\.\.\.)?\w+\]/g, unknownSegment));
}

/** Returns the paths of pages, which have a `page.tsx`. The others are handlers and files. */
export function allPages(): string[] {
  const routes: Record<string, string> = manifest("app-path-routes-manifest.json");
  return Object.entries(routes)
    .filter(([file]) => /^(?!\/_).*\/page$/.test(file)) // without Next's own
    .map(([, route]) => route.replaceAll(/\[\w+\]/g, unknownSegment));
}

/** Matches the values that `allPaths` and `allPages` use for dynamic segments. */
export const dynamicSegments = /(?<=\/t\/)[0-9a-f]{10}|(?<=\/)[\w-]{43}/g;

/** Whether a path contains the token of a mailed link: its page is in a folder `[token]`. */
export function holdsToken(path: string): boolean {
  const routes: string[] = Object.values(manifest("app-path-routes-manifest.json"));
  const folders = routes.filter((route) => route.endsWith("/[token]"));
  return folders.some((route) => path.startsWith(route.replace("[token]", "")));
}

/** The headers with which React requests a page as a flight. */
export const flight = { rsc: "1", "next-url": "/dashboard" };

/** Next answers a flight only at a URL that contains a hash of its headers, and redirects there. */
export async function ask(
  from: HttpClient,
  path: string,
  headers: SentHeaders = {},
): Promise<Answer> {
  const answer = await from.get(path, headers);
  const { location } = answer.headers;
  return location?.includes("_rsc") ? from.get(location, headers) : answer;
}

export type Action = { id: string; name: string; file: string; path: string };

/** Returns every server action, with a page that uses it. */
export function allActions(): Action[] {
  type Entry = { filename: string; exportedName: string; workers: Record<string, unknown> };
  const { node }: { node: Record<string, Entry> } = manifest(
    "server/server-reference-manifest.json",
  );
  const routes: Record<string, string> = manifest("app-path-routes-manifest.json");
  return Object.entries(node).map(([id, { filename, exportedName, workers }]) => {
    const [worker = ""] = Object.keys(workers);
    const route = routes[worker.replace(/^app/, "")] ?? "/";
    const address = route.replaceAll(/\[\w+\]/g, unknownSegment);
    return { id, name: exportedName, file: filename, path: address };
  });
}

/** tests/app/guards.test.ts explains why each of these needs no session. */
export const publicActions = [
  ...["logIn", "signUp", "createAccount", "sendResetLink", "setNewPassword"],
  ...["sendBrowserLink", "confirmBrowser", "confirmEmail", "restoreEmail", "disownLogin"],
  ...["enterCode", "enterRecoveryCode", "logInWithPasskey", "createAccountWithPasskey"],
  ...["createAccountAndJoin", "createAccountAndJoinWithPasskey"],
];

export function actionNamed(name: string): Action {
  const action = allActions().find((each) => each.name === name);
  if (!action) throw new Error(`The build has no action ${name}.`);
  return action;
}

/** The ways in which a browser calls an action. Each needs only the action's id. */
export const ways: Record<
  string,
  (client: HttpClient, action: Action, fields: Fields, headers?: SentHeaders) => Promise<Answer>
> = {
  "as a form without JavaScript": (client, action, fields, headers) =>
    client.post(pathOf(action, fields), formBody(action, fields), headers),
  "by fetch": (client, action, fields, headers) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(`_1_${name}`, value);
    body.append("0", takesState(action) ? '[{},"$K1"]' : '["$K1"]');
    return client.post(pathOf(action, fields), body, {
      ...{ "next-action": action.id, accept: "text/x-component" },
      ...headers,
    });
  },
};

export type Fields = Record<string, string>;

/** Returns the page with the form. If the fields name a team, it is that team's page. */
export function pathOf({ path }: Action, { team }: Fields): string {
  return team ? path.replace(/^\/t\/\w+/, `/t/${team}`) : path;
}

/** Builds the body of one of our forms with React's hidden fields. */
export function formBody(action: Action, fields: Fields | [string, string | Blob][]): FormData {
  const body = new FormData();
  if (takesState(action)) {
    body.append("$ACTION_REF_1", "");
    body.append("$ACTION_1:0", JSON.stringify({ id: action.id, bound: "$@1" }));
    body.append("$ACTION_1:1", "[{}]");
  } else body.append(`$ACTION_ID_${action.id}`, "");
  const entries = Array.isArray(fields) ? fields : Object.entries(fields);
  for (const [name, value] of entries) body.append(name, value);
  return body;
}

/** Fills in a page's form. Keeps the hidden fields that tie the response's errors to it. */
export async function shownForm(
  from: HttpClient,
  action: Action,
  fields: Fields,
): Promise<FormData> {
  const { body } = await from.get(pathOf(action, fields));
  const form = body.match(/<form[\s\S]*?<\/form>/g)?.find((each) => each.includes(action.id));
  if (!form) throw new Error(`${action.path} shows no form of ${action.name}.`);
  const filled = new FormData();
  for (const [, name = "", value = ""] of form.matchAll(
    /<input type="hidden" name="([^"]*)"(?: value="([^"]*)")?/g,
  ))
    if (!(name in fields)) filled.append(name, value.replaceAll("&quot;", '"'));
  for (const [name, value] of Object.entries(fields)) filled.append(name, value);
  return filled;
}

/** The first byte of an action's id encodes which arguments it uses: 0x60 means the first two. */
function takesState({ id }: Action): boolean {
  return id.startsWith("60");
}

/** The pages behind mailed links, by the link's purpose. */
export const linkPages = {
  "sign-up": "/signup",
  "password-reset": "/reset-password",
  "confirm-browser": "/confirm-browser",
  "email-change": "/change-email",
  "email-restore": "/restore-email",
  "not-me": "/not-me",
  invitation: "/invitations",
} as const;

/** The token of an open link of each kind. */
export type Links = Record<keyof typeof linkPages, string>;

export type Scenario = {
  user: TestUser;
  token: string;
  /** The Cookie header of a browser that has `token` and awaits the code of another's login. */
  cookie: string;
  /** A user that `user` may administer if `user` is an admin. */
  target: TestUser;
  links: Links;
  /** A team owned by `user` and `target`. */
  team: ScenarioTeam;
  /** The paths of the links and of the team's pages. */
  linkPaths: string[];
  /** Returns fields with which the action succeeds for the user of `token`. */
  fieldsOf(action: { name: string }): Fields;
};

/**
 * Creates a user on two devices, a pending sign-up, an open link of every kind, a second user who
 * is logged in, and a suspended one. The first two own a team, which has a row of each kind. The
 * first user is an admin by default, because an admin may use every page and action.
 */
export async function createScenario(
  connection: Connection,
  role: "admin" | "user" = "admin",
  /** The action to call. Some need a user with two-factor who is not an administrator. */
  forAction = "",
): Promise<Scenario> {
  const { db } = connection;
  const withoutPassword = ["confirmByCode", "setPassword"].includes(forAction);
  const twoFactor = ["confirmByCode", "turnOffTwoFactor", "renewRecoveryCodes"].includes(forAction);
  const user = await createUser(db, role === "admin" && !twoFactor ? { role } : {});
  const site = siteOf(connection);
  const [passkey, second] = [
    await addSoftPasskey(db, user, site),
    await addSoftPasskey(db, user, site),
  ];
  const code = twoFactor ? (await addTwoFactor(db, user)).code() : "";
  await createUser(db, { role: "admin" }); // the last admin could not delete the account
  const target = await createUser(db);
  const targetDevice = (await createLogin(db, target)).session.id;
  const suspended = await createUser(db);
  // Not through `suspend`: each snapshot of the tables would wait for its mail.
  await connection.sql`update users set status = 'suspended', suspension_reason = 'Test.'
    where id = ${suspended.id}`;
  const withTwoFactor = await createUser(db);
  await addTwoFactor(db, withTwoFactor);
  const pending = await createPendingLogin(db, {
    ...{ userId: withTwoFactor.id, authVersion: 1, amr: ["pwd"], persistent: true },
    presented: null,
  });
  await addSoftPasskey(db, withTwoFactor, site);
  // Needed because a weak session cannot add another strong method to an account with passkeys.
  const strong = { amr: ["pwd", "otp"] };
  const { session, token } = await createLogin(db, user, strong);
  await startApp(db, session, keys);
  const started = await findStartedApp(db, session, keys);
  const appCode = started ? authenticator(started).code() : "";
  const other = await createLogin(db, user, strong);
  const links = await createLinks(connection, user);
  const device = other.session.id;
  const key = await addKey(connection, user);
  const account = await addAccount(connection, user);
  const teams = await addTeams(connection, { user, target, suspended });
  if (withoutPassword) await connection.sql`delete from passwords where user_id = ${user.id}`;
  return {
    user,
    token,
    cookie: `__Host-session=${token}; __Host-login=${pending}`,
    target,
    links,
    team: teams.team,
    linkPaths: [
      ...Object.entries(linkPages).map(
        ([kind, page]) => `${page}/${links[kind as keyof Links]}`, // the object has Links' keys
      ),
      ...teamPaths(
        allRoutes().flatMap(({ route, file }) => (file.endsWith("/page.tsx") ? [route] : [])),
        teams.team,
      ),
    ],
    fieldsOf({ name }) {
      const make = fieldsByAction[name];
      if (!make)
        throw new Error(
          `Add the fields of ${name} to fieldsByAction, or to teamActions in team-surface.ts.`,
        );
      return make({
        ...teams,
        ...{ email: user.email, device, key, links },
        ...{ target: target.id, targetDevice, suspended: suspended.id },
        ...{ withTwoFactor: withTwoFactor.id, appCode, secondPasskey: second.id, code, account },
        added: () => softPasskey(site).made(addingPasskey(session)),
        signedUp: (link) => softPasskey(site).made(signingUpWithPasskey(links[link])),
        loggedIn: () => passkey.used({ purpose: "log-in", context: "" }),
        confirmed: () => passkey.used(confirmingWithPasskey(session)),
      });
    },
  };
}

/** Inserts an API key with an unknown secret. Returns its id. */
async function addKey({ sql }: Connection, { id }: TestUser): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    insert into api_keys (user_id, name, prefix, key_hash, scopes)
    values (${id}, 'Backup', 'lk_live_0000', sha256(gen_random_uuid()::text::bytea), '{profile:read}')
    returning id`;
  return `${row?.id}`;
}

/** Inserts an account at a provider that this deployment does not have. Returns its id. */
async function addAccount({ sql }: Connection, { id }: TestUser): Promise<string> {
  const [row] = await sql<{ id: string }[]>`
    insert into identities (user_id, issuer, subject, provider, label)
    values (${id}, 'https://id.example', ${id}, 'oidc', 'ada@id.example') returning id`;
  return `${row?.id}`;
}

export async function createLinks({ db }: Connection, user: TestUser): Promise<Links> {
  const { id: userId, email } = user;
  return {
    "sign-up": (await createSignUp(db, `new-${email}`)) ?? "",
    "password-reset": await createLink(db, { userId, purpose: "password-reset", sentTo: email }),
    "confirm-browser": await createLink(db, { userId, purpose: "confirm-browser", sentTo: email }),
    "email-change": await createLink(db, {
      ...{ userId, purpose: "email-change", sentTo: `next-${email}` },
    }),
    "email-restore": await createLink(db, {
      ...{ userId, purpose: "email-restore", sentTo: `former-${email}` },
    }),
    "not-me": await createLink(db, { userId, purpose: "not-me", sentTo: email }),
    invitation: (await inviteFrom({ db }, `invited-${email}`)).token,
  };
}

/** The fields that each action reads. Every other field is ignored. */
const fieldsByAction: Record<
  string,
  (
    who: {
      email: string;
      device: string;
      key: string;
      links: Links;
      target: string;
      targetDevice: string;
      suspended: string;
      withTwoFactor: string;
      appCode: string;
      secondPasskey: string;
      /** Passkey responses, each to a new challenge. */
      added: () => string;
      signedUp: (link: keyof Links) => string;
      loggedIn: () => string;
      confirmed: () => string;
      code: string;
      account: string;
    } & TeamScenario,
  ) => Fields
> = {
  ...teamActions,
  logIn: ({ email }) => ({ email, password, remember: "on", next: "/settings/devices" }),
  signUp: ({ email }) => ({ email: `newcomer-${email}` }), // an email with an account gets no link
  createAccount: ({ links }) => ({ token: links["sign-up"], name: "Newcomer", password }),
  sendResetLink: ({ email }) => ({ email }),
  sendBrowserLink: ({ email }) => ({ email }),
  confirmBrowser: ({ links }) => ({ token: links["confirm-browser"] }),
  setNewPassword: ({ links }) => ({ token: links["password-reset"], password: newPassword }),
  confirmEmail: ({ links }) => ({ token: links["email-change"] }),
  restoreEmail: ({ links }) => ({ token: links["email-restore"] }),
  disownLogin: ({ links }) => ({ token: links["not-me"] }),
  hideFirstSteps: () => ({}),
  saveProfile: () => ({ name: "Another Name" }),
  changeEmail: ({ email }) => ({ email: `moved-${email}` }),
  deleteAccount: ({ email }) => ({ confirmation: email }),
  confirmByCode: ({ code }) => ({ code, next: "/settings/devices" }),
  disconnectAccount: ({ account }) => ({ id: account }),
  confirm: () => ({ password, next: "/settings/devices" }),
  changePassword: () => ({ current: password, next: newPassword }),
  createKey: () => ({ name: "Backup", "profile:read": "on", expires: "30" }),
  revokeKey: ({ key }) => ({ id: key }),
  logOutDevice: ({ device }) => ({ id: device }),
  logOutOtherDevices: () => ({}),
  logOutEverywhere: () => ({}),
  changeRole: ({ target }) => ({ user: target, role: "admin" }),
  suspendUser: ({ target }) => ({ user: target, reason: "Sent spam." }),
  reinstateUser: ({ suspended }) => ({ user: suspended }),
  logOutUserDevice: ({ target, targetDevice }) => ({ user: target, id: targetDevice }),
  logOutUser: ({ target }) => ({ user: target }),
  sendUserResetLink: ({ target }) => ({ user: target }),
  turnOffUserTwoFactor: ({ withTwoFactor }) => ({ user: withTwoFactor }),
  logInWithPasskey: ({ loggedIn }) => ({ credential: loggedIn(), next: "/settings/devices" }),
  createAccountWithPasskey: ({ links, signedUp }) => ({
    ...{ token: links["sign-up"], name: "Newcomer", credential: signedUp("sign-up") },
  }),
  confirmByPasskey: ({ confirmed }) => ({ credential: confirmed(), next: "/settings/devices" }),
  addPasskey: ({ added }) => ({ credential: added() }),
  renamePasskey: ({ secondPasskey }) => ({ id: secondPasskey, name: "Another Name" }),
  removePasskey: ({ secondPasskey }) => ({ id: secondPasskey }),
  setPassword: () => ({ next: newPassword }),
  removePassword: () => ({}),
  removeUserPasskeys: ({ withTwoFactor }) => ({ user: withTwoFactor }),
  enterCode: () => ({ code: "000000" }),
  enterRecoveryCode: () => ({ recoveryCode: "0000-0000-0000-0000-0000-0000" }),
  setUpTwoFactor: () => ({}),
  turnOnTwoFactor: ({ appCode }) => ({ code: appCode }),
  renewRecoveryCodes: () => ({}),
  turnOffTwoFactor: () => ({}),
};
