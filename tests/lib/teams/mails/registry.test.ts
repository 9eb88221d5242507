import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Mail } from "@/lib/mail/layout";
import { product } from "@/lib/product";
import { findInvitation, revokeInvitation } from "@/lib/teams/invitations";
import { renderTeamMail } from "@/lib/teams/mails/jobs";
import { type TeamMailJob, teamMails } from "@/lib/teams/mails/registry";
import { db, sql } from "@/tests/support/database";
import {
  hrefs,
  received,
  sampleJobs,
  textAsHtml,
  tokenIn,
  typedByAttackers,
} from "@/tests/support/mails";
import { wholeDatabase } from "@/tests/support/rows";
import {
  createOwnedTeam,
  insertInvitation,
  type TestMember,
  type TestTeam,
} from "@/tests/support/teams";
import { createUser, type TestUser } from "@/tests/support/users";

/* Checks every team mail, so that a new mail is tested without adding a line. */

const folder = "lib/teams/mails";
const appUrl = "https://app.example.com";

type TeamMail = (typeof teamMails)[number];

type Scene = {
  team: TestTeam;
  /** Caused the mail, which contains this user's email, because it is proved. */
  owner: TestMember;
  recipient: TestUser;
  invitation: string;
  jobs: TeamMailJob[];
};

/** Returns every variant of a mail, about a team and users whose names are `typed`. */
async function createScene(mail: TeamMail, typed = "Acme"): Promise<Scene> {
  const { team, owner } = await createOwnedTeam(db, { name: typed.slice(0, 60) });
  await sql`update users set name = ${typed.slice(0, 100)} where id = ${owner.user.id}`;
  const recipient = await createUser(db);
  const { id } = await insertInvitation(db, team, owner.user, { email: recipient.email });
  const { handle, id: teamId } = team;
  const fields = { handle, teamId, invitation: id, by: owner.user.email, email: owner.user.email };
  const about = { userId: recipient.id, to: recipient.email, typed, fields };
  const jobs = sampleJobs<TeamMailJob>(mail, about);
  return { team, owner, recipient, invitation: id, jobs };
}

async function rendered(jobs: TeamMailJob[]): Promise<Mail[]> {
  const found: Mail[] = [];
  for (const job of jobs) {
    const mail = await renderTeamMail(db, job, appUrl);
    if (mail) found.push(mail);
  }
  return found;
}

describe("teamMails", () => {
  it("has the definition of every file", () => {
    const defining = readdirSync(folder).filter((file) =>
      /= defineMail\(/.test(readFileSync(`${folder}/${file}`, "utf8")),
    );
    const registry = readFileSync(`${folder}/registry.ts`, "utf8");
    for (const file of defining) expect(registry).toContain(`"./${file.replace(/\.ts$/, "")}"`);
    expect(new Set(teamMails.map(({ name }) => name)).size).toBe(defining.length);
  });
});

describe.each(teamMails.map((mail) => [mail.name, mail] as const))("%s", (_, mail) => {
  it("goes to the payload's email, under a subject of one line that names the team", async () => {
    const { recipient, jobs } = await createScene(mail);
    const sent = await rendered(jobs);
    expect(sent).toHaveLength(jobs.length);
    for (const { to, subject } of sent) {
      expect(to).toBe(recipient.email);
      expect(subject).toMatch(/^[^\r\n]*Acme[^\r\n]*$/);
    }
  });

  it("holds one link in both parts, into the app and on a line of its own", async () => {
    const { jobs } = await createScene(mail);
    for (const { text, html } of await rendered(jobs)) {
      const links = hrefs(html);
      expect(text.match(/https?:\/\/\S+/g)).toEqual(links);
      expect(links).toHaveLength(1);
      for (const link of links) {
        expect(link.startsWith(`${appUrl}/`)).toBe(true);
        expect(text.split("\n")).toContain(link);
      }
    }
  });

  it("says the same in both parts, and names the product", async () => {
    const { jobs } = await createScene(mail);
    for (const { text, html } of await rendered(jobs)) {
      const readable = html.replaceAll("&quot;", '"').replaceAll("&amp;", "&");
      for (const block of text.split("\n\n")) expect(readable).toContain(block.trim());
      expect(text).toContain(product.name);
      expect(text).not.toMatch(/undefined|null|NaN|\[object/);
    }
  });

  it("loads nothing from anywhere: no image, no style sheet, no script", async () => {
    const { jobs } = await createScene(mail);
    for (const { html } of await rendered(jobs))
      expect(html).not.toMatch(/<(img|link|script|iframe|style)|url\(|@import|\bsrc=/i);
  });

  it("holds no email but that of the user who caused it", async () => {
    const { owner, jobs } = await createScene(mail);
    for (const { subject, text, html } of await rendered(jobs)) {
      const emails = `${subject} ${text} ${html}`.match(/[\w.+-]+@[\w.-]+\w/g) ?? [];
      expect(emails.filter((email) => email !== owner.user.email)).toEqual([]);
    }
  });

  it.each(typedByAttackers)("shows no part of %j and makes no link of it", async (typed, parts) => {
    const { owner, jobs } = await createScene(mail, typed);
    for (const sent of await rendered(jobs)) {
      expect(sent.subject).toMatch(/^[^\r\n]{5,78}$/); // RFC 5322, section 2.1.1
      for (const part of [sent.subject, sent.text, sent.html])
        for (const forbidden of parts) expect(part).not.toContain(forbidden);
      expect(sent.html).not.toMatch(/<b[ >]/);
      const own = `mailto:${owner.user.email}`;
      const shown = hrefs(await textAsHtml(sent)).filter((link) => link !== own);
      expect(shown).toEqual(hrefs(sent.html));
      const { subject, text } = await received(sent);
      expect([subject, text?.trim()]).toEqual([sent.subject, sent.text.trim()]);
    }
  });

  it("is sent to no user who was deleted while it waited", async () => {
    const { recipient, jobs } = await createScene(mail);
    await sql`delete from users where id = ${recipient.id}`;
    const about = jobs.filter((job) => "userId" in job);
    expect(await rendered(about)).toEqual([]);
  });

  it("is not rendered from a payload that lacks a field", async () => {
    const job = { mail: mail.name } as TeamMailJob; // as another version may have written it
    await expect(renderTeamMail(db, job, appUrl)).rejects.toThrow(/expected string/);
  });
});

describe("invitation", () => {
  const [mail] = teamMails.filter(({ name }) => name === "invitation");
  const scene = () => createScene(mail as TeamMail); // the name is from the registry

  it("stores only the SHA-256 of its link, and only the newest link works", async () => {
    const { jobs } = await scene();
    const [first, second] = await rendered([...jobs, ...jobs]);
    const tokens = [`${tokenIn(first ?? null)}`, `${tokenIn(second ?? null)}`];
    const stored = await wholeDatabase();
    for (const token of tokens) expect(stored).not.toContain(token);
    expect(await findInvitation(db, `${tokens[0]}`)).toBeNull();
    expect(await findInvitation(db, `${tokens[1]}`)).not.toBeNull();
  });

  it.each<[string, (scene: Scene) => Promise<unknown>]>([
    ["revoked", ({ owner, invitation }) => revokeInvitation(db, owner.scope, invitation)],
    [
      "expired",
      ({ invitation }) => sql`
      update invitations set expires_at = now() where id = ${invitation}`,
    ],
    [
      "of another email by now",
      ({ invitation }) => sql`
      update invitations set email = ${`${randomUUID()}@example.com`} where id = ${invitation}`,
    ],
    [
      "of a suspended sender",
      ({ owner }) => sql`
      update users set status = 'suspended', suspension_reason = 'Test.' where id = ${owner.user.id}`,
    ],
    [
      "of a sender who was removed",
      ({ owner, recipient, team }) => sql`
      update members set user_id = ${recipient.id}
      where team_id = ${team.id} and user_id = ${owner.user.id}`,
    ],
    ["of a deleted team", ({ team }) => sql`delete from teams where id = ${team.id}`],
  ])("is not sent where it is %s", async (_, change) => {
    const made = await scene();
    await change(made);
    expect(await rendered(made.jobs)).toEqual([]);
  });
});
