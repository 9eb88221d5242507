import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { operator, reinstate, suspend } from "@/lib/admin/actions";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { createLink, findLink } from "@/lib/auth/links";
import { addMail, renderMail } from "@/lib/auth/mails/jobs";
import type { MailJob } from "@/lib/auth/mails/registry";
import { linkPolicy } from "@/lib/auth/policy";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import { findSignUp } from "@/lib/auth/sign-up-links";
import { inWords } from "@/lib/time";
import { db, sql } from "@/tests/support/database";
import { tokenIn } from "@/tests/support/mails";
import { jobRows, linkPurposes, linkRows } from "@/tests/support/rows";
import { createUser, type TestUser, withPassword } from "@/tests/support/users";

const appUrl = "https://app.example.com";
const client = { ip: "203.0.113.9", userAgent: null };
const newEmail = () => `${randomUUID()}@example.com`;

const render = (job: MailJob) => renderMail(db, job, appUrl);
const tokenOf = async (job: MailJob) => `${tokenIn(await render(job))}`;

/** Returns one job of each mail that has a link, about this user. */
function jobsOf({ id: userId, email: to }: TestUser) {
  const about = { userId, to, client, at: "2026-03-01T12:30:00.000Z" };
  return {
    "sign-up": { mail: "sign-up", to },
    "password-reset": { mail: "password-reset", to },
    "confirm-browser": { mail: "confirm-browser", to },
    "password-changed": { mail: "password-changed", ...about },
    "email-change": { mail: "email-change", userId, to: newEmail(), authVersion: 1 },
    "email-changed": { mail: "email-changed", ...about, event: 0 },
    "new-device": { mail: "new-device", ...about, event: 0 },
    "api-key-created": { mail: "api-key-created", ...about, key: "Backup" },
    "refresh-token-reused": { mail: "refresh-token-reused", ...about },
    reinstated: { mail: "reinstated", userId, to },
    "logged-out": { mail: "logged-out", userId, to, devices: "all" },
  } as const satisfies Record<string, MailJob>;
}

describe("addMail", () => {
  it("adds the job that renderMail renders", async () => {
    const { email: to } = await createUser(db);
    await addMail(db, "password-reset", { to, by: "administrator" });
    const [job] = await jobRows({ email: to });
    expect(job).toMatchObject({
      task: "mail",
      payload: { mail: "password-reset", to, by: "administrator" },
    });
    expect((await render(job?.payload as MailJob))?.to).toBe(to);
  });
});

describe("renderMail", () => {
  it.each([
    ["sign-up", "You already have an account", "/login"],
    ["password-reset", "Choose a new password", "/reset-password/TOKEN"],
    ["confirm-browser", "Confirm your browser", "/confirm-browser/TOKEN"],
    ["password-changed", "Your password was changed", "/forgot-password"],
    ["email-change", "Confirm your new email", "/change-email/TOKEN"],
    ["email-changed", "The email of your account was changed", "/restore-email/TOKEN"],
    ["new-device", "New login to your account", "/not-me/TOKEN"],
    ["api-key-created", "An API key was created", "/settings/api-keys"],
    ["refresh-token-reused", "An app was logged out for your safety", "/forgot-password"],
    ["reinstated", "Your account is open again", "/login"],
    ["logged-out", "You were logged out", "/login"],
  ] as const)("links from %s to the page it is about", async (name, subject, path) => {
    const mail = await render(jobsOf(await createUser(db))[name]);
    expect(mail?.subject).toBe(subject);
    const links = mail?.text.match(/https?:\/\/\S+/g) ?? [];
    expect(links.map((link) => link.replace(/\/[\w-]{43}$/, "/TOKEN"))).toEqual([appUrl + path]);
  });

  it("throws for a mail that the registry does not have", async () => {
    const job = { mail: "unknown", to: newEmail() } as unknown as MailJob; // from an older version
    await expect(render(job)).rejects.toThrow("registry");
  });

  it("makes a sign-up link for an email without an account", async () => {
    const to = newEmail();
    expect(await findSignUp(db, await tokenOf({ mail: "sign-up", to }))).toEqual({ email: to });
  });

  it.each([
    ["password-reset", "password-reset"],
    ["confirm-browser", "confirm-browser"],
    ["email-change", "email-change"],
    ["email-changed", "email-restore"],
    ["new-device", "not-me"],
  ] as const)("makes for %s a link of the purpose %s, to that email", async (name, purpose) => {
    const user = await createUser(db);
    const job = jobsOf(user)[name];
    const link = await findLink(db, await tokenOf(job), purpose);
    expect(link).toMatchObject({ userId: user.id, sentTo: job.to });
  });

  it.each([
    ["sign-up", linkPolicy.signUp],
    ["password-reset", linkPolicy.passwordReset],
    ["confirm-browser", linkPolicy.confirmBrowser],
    ["email-change", linkPolicy.emailChange],
    ["email-changed", linkPolicy.emailRestore],
  ] as const)("says how long the link of %s works", async (name, duration) => {
    const user = await createUser(db);
    const job = name === "sign-up" ? { mail: name, to: newEmail() } : jobsOf(user)[name];
    expect((await render(job))?.text).toContain(` ${inWords(duration)}`);
  });

  it("makes a new link on each retry, of which the newest works", async () => {
    const { "password-reset": job } = jobsOf(await createUser(db));
    const [older, newer] = [await tokenOf(job), await tokenOf(job)];
    expect(await findLink(db, older, "password-reset")).toBeNull();
    expect(await findLink(db, newer, "password-reset")).not.toBeNull();
  });

  it("makes no link for a new email that another account has", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const mail = await render({ ...jobsOf(user)["email-change"], to: other.email });
    expect(mail?.subject).toBe("This email already has an account");
    expect(await linkRows(user)).toEqual([]);
  });

  it("states that an administrator sent the link to choose a new password", async () => {
    const { "password-reset": job } = jobsOf(await createUser(db));
    const byAdmin = await render({ ...job, by: "administrator" });
    expect(byAdmin?.text).toContain("An administrator of");
    expect((await render(job))?.text).not.toContain("administrator");
  });

  it("shows a name as typed if nothing in it is dangerous", async () => {
    const user = await createUser(db);
    const { "api-key-created": job } = jobsOf(user);
    const key = await render({ ...job, key: "Backup (nightly)" });
    expect(key?.text).toContain("An API key named “Backup (nightly)” was created");
    const farewell = await render({ mail: "farewell", to: user.email, name: "Grace" });
    expect(farewell?.text).toContain("Goodbye, Grace. ");
  });

  it("keeps a whole sentence if no part of the name may be shown", async () => {
    const user = await createUser(db);
    const { "api-key-created": job } = jobsOf(user);
    const key = await render({ ...job, key: "https://evil.example" });
    expect(key?.text).toContain("An API key was created for");
    const name = "www.evil.example";
    const farewell = await render({ mail: "farewell", to: user.email, name });
    expect(farewell?.text).toContain("Goodbye. ");
  });
});

describe("a mail that waited while its account changed", () => {
  it.each([
    "password-reset",
    "confirm-browser",
    "password-changed",
    "email-change",
    "email-changed",
    "new-device",
    "api-key-created",
    "refresh-token-reused",
  ] as const)("is not sent where the account is gone: %s", async (name) => {
    const user = await createUser(db);
    await sql`delete from users where id = ${user.id}`;
    expect(await render(jobsOf(user)[name])).toBeNull();
  });

  it.each(["password-changed", "email-changed", "new-device"] as const)(
    "goes to the email that the owner had when it was added: %s",
    async (name) => {
      const user = await createUser(db);
      const job = jobsOf(user)[name];
      await sql`update users set email = ${newEmail()} where id = ${user.id}`;
      expect((await render(job))?.to).toBe(user.email);
    },
  );

  it("makes no link for a new email that was requested before all sessions were ended", async () => {
    const user = await createUser(db);
    const job = jobsOf(user)["email-change"];
    await invalidateAllUserSessions(db, user.id);
    expect(await render(job)).toBeNull();
    expect(await linkPurposes(user)).toEqual([]);
  });

  it("makes no link for a new email that was requested before the password was reset", async () => {
    const user = await createUser(db);
    const job = jobsOf(user)["email-change"];
    const reset = { userId: user.id, purpose: "password-reset", sentTo: user.email } as const;
    const answer = await redeemPasswordReset(
      db,
      await createLink(db, reset),
      withPassword("kelp otter zinc"),
      client,
    );
    expect(answer.ok).toBe(true);
    expect(await render(job)).toBeNull();
    expect(await linkPurposes(user)).toEqual([]);
  });

  it.each(["password-reset", "confirm-browser", "new-device"] as const)(
    "is not sent to a user suspended in SQL, but to another user: %s",
    async (name) => {
      const [user, twin] = [await createUser(db), await createUser(db)];
      await sql`update users set status = 'suspended' where id = ${user.id}`;
      expect(await render(jobsOf(user)[name])).toBeNull();
      expect(await linkPurposes(user)).toEqual([]);
      expect(await render(jobsOf(twin)[name])).not.toBeNull();
      expect(await linkPurposes(twin)).toHaveLength(1);
    },
  );

  it("makes no link to restore an email after a suspension, also once reinstated", async () => {
    const [user, twin] = [await createUser(db), await createUser(db)];
    await suspend(db, operator, user.id, "test");
    expect(await render(jobsOf(user)["email-changed"])).toBeNull();
    await reinstate(db, operator, user.id);
    expect(await render(jobsOf(user)["email-changed"])).toBeNull();
    expect(await linkPurposes(user)).toEqual([]);
    expect(await render(jobsOf(twin)["email-changed"])).not.toBeNull();
  });

  it("is sent to a suspended user if it is about the suspension", async () => {
    const { id: userId, email: to } = await createUser(db);
    await suspend(db, operator, userId, "test");
    expect(await render({ mail: "suspended", userId, to })).not.toBeNull();
  });
});
