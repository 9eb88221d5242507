import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { operator, reinstate, suspend } from "@/lib/admin/actions";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { createLink, findLink } from "@/lib/auth/links";
import { renderMail } from "@/lib/auth/mails/mails";
import { invalidateAllUserSessions } from "@/lib/auth/sessions/end";
import { findSignUp } from "@/lib/auth/sign-up-links";
import type { MailJob } from "@/lib/jobs";
import { db, sql } from "@/tests/support/database";
import { createPerson, type Person, withPassword } from "@/tests/support/people";
import { linkPurposes, linkRows, wholeDatabase } from "@/tests/support/rows";

const appUrl = "https://app.example.com";
const client = { ip: "203.0.113.9", userAgent: null };
const at = "2026-03-01T12:30:00.000Z";
const address = () => `${randomUUID()}@example.com`;

const render = (job: MailJob) => renderMail(db, job, appUrl);

/** One of each kind that is about this person, as it is added when the thing happens. */
function jobsOf({ id, email, name }: Person): Record<MailJob["mail"], MailJob> {
  const told = { userId: id, to: email, client, at };
  return {
    "sign-up": { mail: "sign-up", to: email },
    "password-reset": { mail: "password-reset", to: email },
    "confirm-browser": { mail: "confirm-browser", to: email },
    "password-changed": { mail: "password-changed", ...told },
    "email-change": { mail: "email-change", userId: id, to: address(), authVersion: 1 },
    "email-changed": { mail: "email-changed", ...told, event: 0 },
    "new-device": { mail: "new-device", ...told, event: 0 },
    "api-key-created": { mail: "api-key-created", ...told, key: "Backup" },
    "refresh-token-reused": { mail: "refresh-token-reused", ...told },
    "role-changed": { mail: "role-changed", userId: id, to: email, role: "admin" },
    suspended: { mail: "suspended", userId: id, to: email },
    reinstated: { mail: "reinstated", userId: id, to: email },
    "logged-out": { mail: "logged-out", userId: id, to: email, devices: "all" },
    farewell: { mail: "farewell", to: email, name },
  };
}

/** The token of the mail's only link. */
async function tokenOf(job: MailJob): Promise<string> {
  const mail = await render(job);
  const [, token = ""] =
    /https:\/\/app\.example\.com\/[\w-]+\/([\w-]{43})$/m.exec(`${mail?.text}`) ?? [];
  return token;
}

describe("renderMail", () => {
  it.each([
    ["sign-up", "You already have an account", "/login"],
    ["password-reset", "Choose a new password", "/reset-password/TOKEN"],
    ["confirm-browser", "Confirm your browser", "/confirm-browser/TOKEN"],
    ["password-changed", "Your password was changed", "/forgot-password"],
    ["email-change", "Confirm your new address", "/change-email/TOKEN"],
    ["email-changed", "The address of your account was changed", "/restore-email/TOKEN"],
    ["new-device", "New login to your account", "/not-me/TOKEN"],
    ["api-key-created", "An API key was created", "/settings/api-keys"],
    ["role-changed", "Your role was changed", null],
    ["suspended", "Your account is suspended", null],
    ["reinstated", "Your account is open again", "/login"],
    ["logged-out", "You were logged out", "/login"],
    ["farewell", "Your account is deleted", null],
  ] as const)(
    "writes %s to a user: its links begin with the app's own address",
    async (kind, subject, path) => {
      const person = await createPerson(db);
      const job = jobsOf(person)[kind];
      const mail = await render(job);
      expect(mail).toMatchObject({ to: job.to, subject });
      const links = `${mail?.text} ${mail?.html}`.match(/https?:\/\/[^\s"<]+/g) ?? [];
      const shapes = links.map((link) => link.replace(/\/[\w-]{43}$/, "/TOKEN"));
      expect(shapes).toEqual(path === null ? [] : [appUrl + path, appUrl + path]);
    },
  );

  it.each([
    "password-reset",
    "confirm-browser",
    "password-changed",
    "email-change",
    "email-changed",
    "new-device",
  ] as const)("writes no %s where the account is gone", async (kind) => {
    const person = await createPerson(db);
    await sql`delete from users where id = ${person.id}`;
    expect(await render(jobsOf(person)[kind])).toBeNull();
  });

  it("writes a sign-up to a new address: a link that works, and of it the SHA-256 alone", async () => {
    const to = address();
    const token = await tokenOf({ mail: "sign-up", to });
    expect(await findSignUp(db, token)).toEqual({ email: to });
    expect(await wholeDatabase()).not.toContain(token);
  });

  it("makes links that work for their purpose and were sent to that address", async () => {
    const person = await createPerson(db);
    const jobs = jobsOf(person);
    const found = async (job: MailJob, purpose: Parameters<typeof findLink>[2]) =>
      findLink(db, await tokenOf(job), purpose);
    const link = { userId: person.id, sentTo: person.email };
    expect(await found(jobs["password-reset"], "password-reset")).toMatchObject(link);
    expect(await found(jobs["confirm-browser"], "confirm-browser")).toMatchObject(link);
    expect(await found(jobs["email-changed"], "email-restore")).toMatchObject(link);
    expect(await found(jobs["new-device"], "not-me")).toMatchObject(link);
    const change = jobs["email-change"];
    expect(await found(change, "email-change")).toMatchObject({ ...link, sentTo: change.to });
  });

  it("makes a new link when it is tried again, and the newest works", async () => {
    const { "password-reset": job } = jobsOf(await createPerson(db));
    const [older, newer] = [await tokenOf(job), await tokenOf(job)];
    expect(await findLink(db, older, "password-reset")).toBeNull();
    expect(await findLink(db, newer, "password-reset")).not.toBeNull();
  });

  it("tells the owner of a taken address, and makes no link", async () => {
    const [person, other] = [await createPerson(db), await createPerson(db)];
    const job = {
      mail: "email-change",
      userId: person.id,
      to: other.email,
      authVersion: 1,
    } as const;
    const mail = await render(job);
    expect(mail).toMatchObject({ to: other.email, subject: "This address already has an account" });
    expect(mail?.text).not.toContain(person.email);
    expect(mail?.text).not.toContain(person.name);
    expect(await linkRows(person)).toEqual([]);
  });

  it("says when, from where and from what, in words", async () => {
    const job = jobsOf(await createPerson(db))["new-device"];
    const mail = await render(job);
    expect(mail?.text).toContain("1 March 2026");
    expect(mail?.text).toContain("12:30 (UTC) from Unknown device, address 203.0.113.9");
  });

  it.each([
    "password-changed",
    "email-changed",
    "new-device",
    "api-key-created",
    "refresh-token-reused",
  ] as const)("repeats nothing of a User-Agent in %s", async (kind) => {
    const job = jobsOf(await createPerson(db))[kind];
    const userAgent = "Your account was hacked, open https://evil.example/1.0 (x)";
    const mail = await render({ ...job, client: { ...client, userAgent } } as MailJob); // these have one
    expect(mail?.text).toContain("from Unknown browser, address 203.0.113.9");
    expect(`${mail?.subject}${mail?.text}${mail?.html}`).not.toMatch(/hacked|evil/);
  });

  it("cuts the names of keys and people, and takes links out of them", async () => {
    const typed = "Your account was hacked, open evil.example to save it";
    const jobs = jobsOf(await createPerson(db));
    const mails = [
      await render({ ...jobs["api-key-created"], key: typed } as MailJob), // of these kinds
      await render({ ...jobs.farewell, name: typed } as MailJob),
    ];
    for (const mail of mails) {
      expect(mail?.text).toContain("Your account was hacked, open evil exam…");
      expect(mail?.html).not.toMatch(/evil\.example|save it/);
    }
  });

  it.each(["password-changed", "email-changed", "new-device"] as const)(
    "warns by %s where the owner was, though the address was changed while the mail waited",
    async (kind) => {
      const person = await createPerson(db);
      const job = jobsOf(person)[kind];
      await sql`update users set email = ${address()} where id = ${person.id}`;
      expect((await render(job))?.to).toBe(person.email);
    },
  );

  it("writes no link to a new address that was asked for before everything was ended", async () => {
    const person = await createPerson(db);
    const job = jobsOf(person)["email-change"];
    await invalidateAllUserSessions(db, person.id);
    expect(await render(job)).toBeNull();
    expect(await linkPurposes(person)).toEqual([]);
  });

  it("writes none either where the password was reset while the mail waited", async () => {
    const person = await createPerson(db);
    const job = jobsOf(person)["email-change"];
    const reset = { userId: person.id, purpose: "password-reset", sentTo: person.email } as const;
    const token = await createLink(db, reset);
    expect((await redeemPasswordReset(db, token, withPassword("kelp otter zinc"), client)).ok).toBe(
      true,
    );
    expect(await render(job)).toBeNull();
    expect(await linkPurposes(person)).toEqual([]);
  });
});

describe("a mail that waited while its account was suspended", () => {
  const suspended = async () => {
    const person = await createPerson(db);
    await sql`update users set status = 'suspended' where id = ${person.id}`;
    return person;
  };

  it.each(["password-reset", "confirm-browser", "new-device"] as const)(
    "brings no link: %s",
    async (kind) => {
      const [person, twin] = [await suspended(), await createPerson(db)];
      expect(await render(jobsOf(person)[kind])).toBeNull();
      expect(await linkPurposes(person)).toEqual([]);
      expect(await render(jobsOf(twin)[kind])).not.toBeNull();
      expect(await linkPurposes(twin)).toHaveLength(1);
    },
  );

  it("brings no link to take an address back either, also after the account is reinstated", async () => {
    const [person, twin] = [await createPerson(db), await createPerson(db)];
    await suspend(db, operator, person.id, "test");
    expect(await render(jobsOf(person)["email-changed"])).toBeNull();
    await reinstate(db, operator, person.id);
    expect(await render(jobsOf(person)["email-changed"])).toBeNull();
    expect(await linkPurposes(person)).toEqual([]);
    expect(await render(jobsOf(twin)["email-changed"])).not.toBeNull();
  });

  it("is still written where it only tells: the suspension itself", async () => {
    const mail = await render(jobsOf(await suspended()).suspended);
    expect(mail?.text).toContain("suspended your Latchkey account");
  });
});
