import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { operator, suspend } from "@/lib/admin/actions";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { redeemEmailChange, redeemEmailRestore } from "@/lib/auth/account/email-change";
import { changePassword, redeemPasswordReset } from "@/lib/auth/account/password-change";
import { redeemSignUp } from "@/lib/auth/account/sign-up";
import { createLink, findLink, type LinkPurpose } from "@/lib/auth/links";
import { logIn } from "@/lib/auth/login/log-in";
import { renderMail } from "@/lib/auth/mails/jobs";
import type { MailJob } from "@/lib/auth/mails/registry";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Session } from "@/lib/auth/sessions/lookup";
import { createSignUp, findSignUp } from "@/lib/auth/sign-up-links";
import type { Db } from "@/lib/db/client";
import type { Mail } from "@/lib/mail/layout";
import { db, sql } from "@/tests/support/database";
import { collide, times } from "@/tests/support/races";
import { jobRows, linkPurposes } from "@/tests/support/rows";
import {
  createLogin,
  createUser,
  newPassword,
  password,
  type TestUser,
  withPassword,
} from "@/tests/support/users";

/*
 * A worker writes a mail while the account is changed. If the change comes first, the mail is not
 * sent, or has a link that may work after the change. If the mail comes first, the change ends its
 * link. lib/auth/README.md has the matrix of what may work after what.
 */

const client = { ip: "203.0.113.9", userAgent: "Test Browser" };
const address = () => `${randomUUID()}@example.com`;

const render = (db: Db, job: MailJob) => renderMail(db, job, "https://app.example.com");
const tokenIn = (mail: Mail | null) => /\/([\w-]{43})$/m.exec(`${mail?.text}`)?.[1];

/** A user whose email an attacker changed from `former`, and the link that the event uses. */
type Scene = { user: TestUser; session: Session; token: string; link: string };

async function createScene(uses: LinkPurpose | null): Promise<Scene> {
  const user = await createUser(db);
  const { id: userId, email } = user;
  const sentTo = {
    ...{ "password-reset": email, "confirm-browser": email, "not-me": email },
    ...{ "email-change": address(), "email-restore": `former-${email}` },
  };
  const link = uses ? await createLink(db, { userId, purpose: uses, sentTo: sentTo[uses] }) : "";
  return { user, ...(await createLogin(db, user)), link };
}

type Kind = "password-reset" | "email-change" | "email-changed" | "new-device";

const purposeOf = {
  "password-reset": "password-reset",
  "email-change": "email-change",
  "email-changed": "email-restore",
  "new-device": "not-me",
} as const satisfies Record<Kind, LinkPurpose>;

/** Returns the job as its cause adds it. */
async function jobOf(kind: Kind, { user }: Scene): Promise<MailJob> {
  const { id: userId, email } = user;
  if (kind === "password-reset") return { mail: kind, to: email };
  if (kind === "email-change") return { mail: kind, userId, to: address(), authVersion: 1 };
  if (kind === "new-device") {
    const attempt = { email, password, persistent: true, presented: null, knownBrowser: false };
    await logIn(db, { ...attempt, client });
    const [job] = await jobRows(user);
    return job?.payload as MailJob; // the login has added it
  }
  const [row] = await sql<{ event: number }[]>`
    select coalesce(max(id), 0)::int as event from audit_events`;
  const told = { userId, to: email, client, at: new Date().toISOString() };
  return { mail: kind, ...told, event: row?.event ?? 0 };
}

type Event = (db: Db, scene: Scene) => Promise<unknown>;

/** The purpose of the link that an event uses, and what the event does. */
const events = {
  "password change": [
    null,
    (db, { session, token }) =>
      changePassword(db, session, { presented: token, current: password, next: newPassword }),
  ],
  "password reset": [
    "password-reset",
    (db, { link }) => redeemPasswordReset(db, link, withPassword(newPassword), client),
  ],
  "email change": [
    "email-change",
    (db, { link }) => redeemEmailChange(db, link, { session: null, client }),
  ],
  "email change taken back": [
    "email-restore",
    (db, { link }) => redeemEmailRestore(db, link, client),
  ],
  '"this was not me"': ["not-me", (db, { link }) => redeemDisownLink(db, link, client)],
  suspension: [null, (db, { user }) => suspend(db, operator, user.id, "Test.")],
  deletion: [null, (db, { session }) => deleteAccount(db, session)],
} satisfies Record<string, [LinkPurpose | null, Event]>;

type EventName = keyof typeof events;

/** "unsent", or whether the mailed link works after both. */
type Outcome = "unsent" | "dead" | "works";

/**
 * The outcome of each mail: first if the event commits before the mail, then if the mail is written
 * before the event. If a purpose allows one link at a time, a new link ends the older one, and with
 * it the event that would have used that one.
 */
const outcomes: Record<Kind, Record<EventName, [Outcome, Outcome]>> = {
  // Goes to the account's own mailbox, which may ask for another at any time. So the link works
  // after an event that leaves that email on the account.
  "password-reset": {
    "password change": ["works", "dead"],
    "password reset": ["works", "works"],
    "email change": ["unsent", "dead"],
    "email change taken back": ["unsent", "dead"],
    '"this was not me"': ["works", "dead"],
    suspension: ["unsent", "dead"],
    deletion: ["unsent", "dead"],
  },
  // Would change the account's email, so it works only with the version it was requested for.
  "email-change": {
    "password change": ["unsent", "dead"],
    "password reset": ["unsent", "dead"],
    "email change": ["unsent", "works"],
    "email change taken back": ["unsent", "dead"],
    '"this was not me"': ["unsent", "dead"],
    suspension: ["unsent", "dead"],
    deletion: ["unsent", "dead"],
  },
  // The next two links undo what an attacker did. They work until the owner has undone it.
  "email-changed": {
    "password change": ["works", "works"],
    "password reset": ["works", "works"],
    "email change": ["works", "works"],
    "email change taken back": ["unsent", "dead"],
    '"this was not me"': ["works", "works"],
    suspension: ["unsent", "dead"],
    deletion: ["unsent", "dead"],
  },
  "new-device": {
    "password change": ["works", "works"],
    "password reset": ["works", "works"],
    "email change": ["works", "works"],
    "email change taken back": ["unsent", "dead"],
    '"this was not me"': ["works", "works"],
    suspension: ["unsent", "dead"],
    deletion: ["unsent", "dead"],
  },
};

async function outcomeOf(kind: Kind, mail: Mail | null): Promise<Outcome> {
  if (!mail) return "unsent";
  const token = `${tokenIn(mail)}`;
  if (await findLink(db, token, purposeOf[kind])) return "works";
  // The row must be deleted: a suspended user's link would work again after reinstatement.
  expect(await sql`select from links where token_hash = ${hashToken(token)}`).toHaveLength(0);
  return "dead";
}

type Render = (db: Db, job: MailJob) => Promise<Mail | null>;

/** The event holds its locks until the worker waits for them. */
async function eventFirst(kind: Kind, name: EventName): Promise<Outcome> {
  const [uses, event] = events[name];
  const scene = await createScene(uses);
  const job = await jobOf(kind, scene);
  const [mail = null] = await collide(
    1,
    async (tx) => expect(await event(tx, scene)).toMatchObject({ ok: true }),
    (db) => render(db, job),
  );
  return outcomeOf(kind, mail);
}

/** The worker has created the link but not committed when the event begins. */
async function mailFirst(kind: Kind, [uses, event]: [LinkPurpose | null, Event]): Promise<Outcome> {
  const scene = await createScene(uses);
  const job = await jobOf(kind, scene);
  let mail: Mail | null = null;
  await collide(
    1,
    async (tx) => {
      mail = await render(tx, job);
    },
    (db) => event(db, scene),
  );
  return outcomeOf(kind, mail);
}

const cells = Object.entries(outcomes).flatMap(([kind, row]) =>
  Object.entries(row).map(([name, [later, earlier]]) => ({
    ...{ kind: kind as Kind, name: name as EventName, later, earlier }, // the keys of `outcomes`
  })),
);

describe("a mail that is written while the account is changed", () => {
  it.each(cells)("$kind after $name: $later", async ({ kind, name, later }) => {
    expect(await eventFirst(kind, name)).toBe(later);
  });

  it.each(cells)("$kind before $name: $earlier", async ({ kind, name, earlier }) => {
    expect(await mailFirst(kind, events[name])).toBe(earlier);
  });
});

/** Naive variants: what goes wrong without the lock, or with the lock in the wrong place. */
describe("a worker that reads the account and does not lock it", () => {
  const naive: Render = async (db, job) => {
    if (job.mail !== "email-change" && job.mail !== "new-device") throw new Error("Not of these.");
    const [row] = await db.execute<{ status: string; version: number }>(query`
      select status, auth_version as version from users where id = ${job.userId}`);
    const isStale = "authVersion" in job && row?.version !== job.authVersion;
    if (row?.status !== "active" || isStale) return null;
    const link = { userId: job.userId, purpose: purposeOf[job.mail], sentTo: job.to };
    return { to: job.to, subject: "", html: "", text: `/${await createLink(db, link)}` };
  };

  it.each(["password change", "password reset", '"this was not me"', "suspension"] as const)(
    "would mail a link to change the email that outlives a %s",
    async (name) => {
      const [uses, event] = events[name];
      const scene = await createScene(uses);
      const job = await jobOf("email-change", scene);
      const mail = await db.transaction(async (tx) => {
        await event(tx, scene);
        return naive(db, job); // it waits for no lock
      });
      expect(mail).not.toBeNull();
      expect(await linkPurposes(scene.user)).toContain("email-change");
    },
  );

  it("would mail a link to undo that outlives a suspension", async () => {
    const [uses, suspend] = events.suspension;
    const scene = await createScene(uses);
    const job = await jobOf("new-device", scene);
    await db.transaction(async (tx) => {
      await suspend(tx, scene);
      await naive(db, job);
    });
    expect(await linkPurposes(scene.user)).toEqual(["not-me"]);
  });
});

describe("an event that ends the links in the statement that first locks the user", () => {
  it("would keep the link that a worker has just made, which its snapshot does not show", async () => {
    const naive: Event = (db, { user }) =>
      db.execute(query`
        with changed as (
          update users set auth_version = auth_version + 1 where id = ${user.id} returning id)
        delete from links using changed where user_id = changed.id`);
    expect(await mailFirst("email-change", [null, naive])).toBe("works");
  });
});

describe("a sign-up mail that is written while the account is created", () => {
  it("has a link that makes no second account and takes nothing from the first", async () => {
    const email = address();
    const first = `${await createSignUp(db, email)}`;
    const chosen = { name: "Grace Walker", password };
    const visit = { presented: null, client };
    const [mail = null] = await collide(
      1,
      async (tx) =>
        expect(await redeemSignUp(tx, first, chosen, visit)).toMatchObject({ ok: true }),
      (db) => render(db, { mail: "sign-up", to: email }),
    );
    const mallory = { name: "Mallory", password: newPassword };
    const answer = await redeemSignUp(db, `${tokenIn(mail)}`, mallory, visit);
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect([...(await sql`select name from users where email = ${email}`)]).toEqual([
      { name: chosen.name },
    ]);
  });

  it("ends the link of the earlier mail, and the sign-up that uses it", async () => {
    const email = address();
    const first = `${await createSignUp(db, email)}`;
    let mail: Mail | null = null;
    const [answer] = await collide(
      1,
      async (tx) => {
        mail = await render(tx, { mail: "sign-up", to: email });
      },
      (db) => redeemSignUp(db, first, { name: "Grace", password }, { presented: null, client }),
    );
    expect(answer).toEqual({ ok: false, reason: "dead-link" });
    expect(await findSignUp(db, `${tokenIn(mail)}`)).toEqual({ email });
  });
});

describe("one job that ten workers run at the same moment", () => {
  const lockUser = (user: TestUser) => (tx: Db) =>
    tx.execute(query`select from users where id = ${user.id} for update`);

  const working = async (mails: (Mail | null)[], kind: Kind) => {
    const outcomes = await Promise.all(mails.map((mail) => outcomeOf(kind, mail)));
    return outcomes.filter((outcome) => outcome === "works").length;
  };

  it.each(["password-reset", "email-change"] as const)(
    "mails ten links of which one works: %s",
    async (kind) => {
      const scene = await createScene(null);
      const job = await jobOf(kind, scene);
      const mails = await collide(10, lockUser(scene.user), (db) => render(db, job));
      expect(new Set(mails.map(tokenIn)).size).toBe(10);
      expect(await working(mails, kind)).toBe(1);
    },
  );

  it.each(["email-changed", "new-device"] as const)(
    "mails ten links that all work, because they only undo: %s",
    async (kind) => {
      const scene = await createScene(null);
      const job = await jobOf(kind, scene);
      const mails = await collide(10, lockUser(scene.user), (db) => render(db, job));
      expect(await working(mails, kind)).toBe(10);
    },
  );

  it("mails ten links of which one works: sign-up", async () => {
    const email = address();
    const lock = (tx: Db) => createSignUp(tx, email);
    const mails = await collide(10, lock, (db) => render(db, { mail: "sign-up", to: email }));
    const found = await Promise.all(mails.map((mail) => findSignUp(db, `${tokenIn(mail)}`)));
    expect(found.filter((pending) => pending !== null)).toEqual([{ email }]);
  });

  // A naive variant: it deletes the older link, and then inserts the new one.
  it("would fail in all but one if the new link did not replace the older in one statement", async () => {
    const user = await createUser(db);
    const naive = async (db: Db) => {
      await db.execute(query`
        delete from links where user_id = ${user.id} and purpose = 'password-reset'`);
      await db.execute(query`
        insert into links (token_hash, user_id, purpose, sent_to, expires_at)
        values (${hashToken(newToken())}, ${user.id}, 'password-reset', '', now() + '1 hour')`);
      return "made";
    };
    const answers = await collide(10, lockUser(user), (db) => naive(db).catch(() => "failed"));
    expect(answers.sort()).toEqual([...times(9, () => "failed"), "made"]);
  });
});
