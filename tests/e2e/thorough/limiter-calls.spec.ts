import { createPendingLogin } from "@/lib/auth/login/pending-logins";
import { type LimitName, limits } from "@/lib/rate-limits";
import { expect, test } from "@/tests/support/end-to-end";
import { type Answer, httpClient } from "@/tests/support/http-client";
import { isOfApi, limiterCalls } from "@/tests/support/limiter-calls";
import {
  by,
  type Case,
  ofActingUsers,
  ofMail,
  ofNetwork,
  ofSite,
  ofUser,
  post,
  type Scene,
  testCases,
} from "@/tests/support/limiter-cases";
import { actionNamed, ways } from "@/tests/support/surface";
import { addTwoFactor } from "@/tests/support/two-factor";

/*
 * Every call of the rate limiter in the source, except the API's, which
 * are in limiter-calls-api.spec.ts.
 */

const calls = limiterCalls().filter(({ id }) => !isOfApi(id));

/** Cases by function and file. A call without an entry fails with what to write here. */
const cases: Record<string, Case[]> = {
  ...ofActingUsers(calls),
  "logIn app/(auth)/login/actions.ts": [
    by("logInPerAccountAndAddress", ({ user, ip }) => [user.email, ip]),
    ...ofNetwork("logInPerAddress"),
    ...ofSite(),
    { limit: "logInPerAccountAndBrowser", fill: fillOfBrowser },
  ],
  "logInWithPasskey app/(auth)/login/actions.ts": ofNetwork("passkeyPerAddress"),
  "createAccountWithPasskey app/(auth)/signup/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "signUp app/(auth)/signup/actions.ts": ofMail("sign-up", typedEmail("signUp")),
  "createAccount app/(auth)/signup/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "sendResetLink app/(auth)/forgot-password/actions.ts": ofMail(
    "password-reset",
    typedEmail("sendResetLink"),
  ),
  "setNewPassword app/(auth)/reset-password/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "confirmEmail app/(auth)/change-email/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "restoreEmail app/(auth)/restore-email/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "disownLogin app/(auth)/not-me/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "sendBrowserLink app/(auth)/confirm-browser/actions.ts": ofMail(
    "confirm-browser",
    typedEmail("sendBrowserLink"),
  ),
  "confirmBrowser app/(auth)/confirm-browser/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "acceptInvitation app/(auth)/invitations/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "createAccountAndJoin app/(auth)/invitations/[token]/actions.ts": ofNetwork("redeemPerAddress"),
  "createAccountAndJoinWithPasskey app/(auth)/invitations/[token]/actions.ts":
    ofNetwork("redeemPerAddress"),
  ...invitationCases("sendInvitation", typedEmail("sendInvitation")),
  ...invitationCases("sendInvitationAgain", ({ user }) => `invited-${user.email}`),
  "revokeInvitation app/(app)/t/[team]/settings/members/invitation-actions.ts":
    ofUser("changeTeamPerUser"),
  "checkSecondFactor lib/auth/login/second-factor.ts": [
    codeCase("secondFactor"),
    codeCase("secondFactorPerDay"),
  ],
  "POST app/(app)/settings/profile/data/route.ts": ofUser("exportPerUser", downloadData),
  "POST app/(app)/t/[team]/settings/team/data/route.ts": ofUser("exportPerUser", downloadTeam),
  "changeEmail app/(app)/settings/profile/actions.ts": ofMail(
    "email-change",
    typedEmail("changeEmail"),
  ),
  "POST app/(auth)/with/[provider]/route.ts": [
    { ...by("providerPerAddress", ({ ip }) => [ip]), request: (scene) => visitGithub(scene) },
  ],
  "connect app/(auth)/with/[provider]/back/route.ts": ofUser("connectPerUser", (scene) =>
    goToGithub(scene, "connect"),
  ),
  "mailLink app/(auth)/with/[provider]/back/route.ts": ofMail("sign-up", githubEmail).map(
    (each) => ({ ...each, request: (scene: Scene) => goToGithub(scene, "log-in") }),
  ),
  "sendUserResetLink app/(app)/admin/users/[id]/actions.ts": ofMail(
    "reset-by-administrator",
    ({ target }) => target.id,
  ),
};

/** Limits that refuse none of these calls, with the reason. */
const others: Partial<Record<LimitName, string>> = {
  apiKeyPerUser: "see limiter-calls-api.spec.ts",
  writePerKey: "see limiter-calls-api.spec.ts",
};

testCases("tests/e2e/thorough/limiter-calls.spec.ts", calls, cases);

test("every limit is used up by one of the cases", () => {
  const used = Object.values(cases).flatMap((entry) => entry.map(({ limit }) => limit));
  const known = new Set([...used, ...Object.keys(others)]);
  expect([...known].sort()).toEqual(Object.keys(limits).sort());
});

/** `consumeInvitation`: each of its limits refuses alone. */
function invitationCases(action: string, to: (scene: Scene) => string): Record<string, Case[]> {
  const call = `${action} app/(app)/t/[team]/settings/members/invitation-actions.ts`;
  return {
    [call]: [
      by("invitePerTeam", ({ team }) => [team.id]),
      by("invitePerUser", ({ user }) => [user.id]),
      by("mailPerRecipient", (scene) => [`invitation ${scene.team.id}`, to(scene)]),
      by("invitePerRecipient", (scene) => [to(scene)]),
    ],
  };
}

/**
 * The server sets the cookie that identifies a known browser, so the first attempt goes through the
 * server, which counts it.
 */
async function fillOfBrowser(scene: Scene): Promise<void> {
  const { setCookie } = await post("logIn")(scene);
  const known = setCookie.find((line) => line.startsWith("__Host-device="));
  scene.headers.cookie = `${known}`.replace(/;.*/, "");
  const typed = { email: scene.user.email, password: "wrong" };
  await ways["by fetch"]?.(httpClient(scene.app), actionNamed("logIn"), typed, scene.headers);
  const aged = await scene.connection.sql`
    update rate_limits set tat = now() + interval '1 day'
    where key like 'logInPerAccountAndBrowser:%' returning key`;
  expect(aged).toHaveLength(1);
}

/** The second step of a login, with the correct code. */
function codeCase(limit: "secondFactor" | "secondFactorPerDay"): Case {
  let code = "";
  return {
    limit,
    async fill(scene) {
      const { db } = scene.connection;
      code = (await addTwoFactor(db, scene.user)).code();
      const pending = await createPendingLogin(db, {
        ...{ userId: scene.user.id, authVersion: 1, amr: ["pwd"], persistent: true },
        presented: null,
      });
      scene.headers.cookie = `__Host-login=${pending}`;
      await by(limit, ({ user }) => [user.id]).fill(scene);
    },
    async request({ app, headers }) {
      const send = ways["by fetch"];
      if (!send) throw new Error("tests/support/surface.ts no longer calls an action by fetch.");
      return send(httpClient(app), actionNamed("enterCode"), { code }, headers);
    },
  };
}

function githubEmail({ user }: Scene): string {
  return `github-${user.email}`;
}

function visitGithub({ app, headers }: Scene, purpose = "log-in", token?: string): Promise<Answer> {
  const form = new FormData();
  form.append("purpose", purpose);
  return httpClient(app, token).post("/with/github", form, headers);
}

/** Goes to GitHub and back, with an account that has its own email. */
async function goToGithub(scene: Scene, purpose: "log-in" | "connect"): Promise<Answer> {
  const { app, headers, github } = scene;
  const email = githubEmail(scene);
  await github.tell({
    ...{ id: Number.parseInt(scene.user.id.slice(0, 8), 16), login: "octocat" },
    emails: [{ email, primary: true, verified: true }],
  });
  const token = purpose === "connect" ? scene.token : undefined;
  const begun = await visitGithub(scene, purpose, token);
  const [, url = ""] = /<a href="([^"]*)"/.exec(begun.body) ?? [];
  const { headers: there } = await fetch(url.replaceAll("&amp;", "&"), { redirect: "manual" });
  const back = new URL(there.get("location") ?? "");
  const visit = begun.setCookie.find((line) => line.startsWith("__Host-visit="));
  const cookie = [`${visit}`.replace(/;.*/, ""), token && `__Host-session=${token}`];
  const sent = { ...headers, cookie: cookie.filter(Boolean).join("; ") };
  return httpClient(app).get(back.pathname + back.search, sent);
}

function downloadData({ app, token, headers }: Scene): Promise<Answer> {
  return httpClient(app, token).post("/settings/profile/data", new FormData(), headers);
}

function downloadTeam({ app, token, team, headers }: Scene): Promise<Answer> {
  const path = `/t/${team.handle}/settings/team/data`;
  return httpClient(app, token).post(path, new FormData(), headers);
}

function typedEmail(action: string): (scene: Scene) => string {
  return ({ fieldsOf }) => `${fieldsOf({ name: action }).email}`;
}
