import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { plans } from "@/lib/billing/plans";
import type { Db } from "@/lib/db/client";
import {
  countSeats,
  deleteExpiredInvitations,
  findInvitation,
  findSent,
  invite,
  listInvitations,
  listInvitationsFor,
  revokeInvitation,
  sendInvitationAgain,
} from "@/lib/teams/invitations";
import { renderTeamMail } from "@/lib/teams/mails/jobs";
import type { TeamMailJob } from "@/lib/teams/mails/registry";
import { teamPolicy } from "@/lib/teams/policy";
import { can, invitedRoles, teamRoles } from "@/lib/teams/roles";
import { span } from "@/tests/support/ages";
import { db, sql } from "@/tests/support/database";
import { tokenIn } from "@/tests/support/mails";
import { collide } from "@/tests/support/races";
import { eventKinds, jobRows, mailKinds, wholeDatabase } from "@/tests/support/rows";
import {
  addMember,
  createOwnedTeam,
  insertInvitation,
  leaveSeats,
  type TestTeam,
} from "@/tests/support/teams";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

const seats = plans.pro.limits.members;
const anEmail = () => `${randomUUID()}@example.com`;

/** Returns a team's invitations as stored. */
async function rowsOf({ id }: TestTeam): Promise<{ email: string; role: string }[]> {
  const rows = await sql<{ email: string; role: string }[]>`
    select email, role from invitations where team_id = ${id} order by created_at, email`;
  return [...rows];
}

/** Returns the token of the newest mail to this email, rendered as the worker does. */
async function linkTo(email: string): Promise<string> {
  const job = (await jobRows({ email })).at(-1);
  const mail = await renderTeamMail(db, job?.payload as TeamMailJob, "https://app.example.com");
  return `${tokenIn(mail)}`;
}

const age = ({ email }: { email: string }, past: string) => sql`
  update invitations set expires_at = now() - ${past}::interval where email = ${email}`;

const lockUser = (user: TestUser) => (tx: Db) =>
  tx.execute(query`select from users where id = ${user.id} for update`);

describe("invite", () => {
  it("sends a mail with a link, and stores only its SHA-256", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const email = anEmail();
    expect(await invite(db, owner.scope, { email, role: "admin" })).toEqual({ ok: true });
    expect(await mailKinds({ email })).toEqual(["invitation"]);
    const token = await linkTo(email);
    expect(await wholeDatabase()).not.toContain(token);
    expect(await findInvitation(db, token)).toMatchObject({
      ...{ email, role: "admin", team: "Acme", hasAccount: false },
      ...{ inviter: owner.user.name, inviterEmail: owner.user.email },
    });
    expect(await eventKinds(owner.user)).toContain("team-invited");
    const [row] = await sql`
      select extract(epoch from expires_at - created_at)::int as seconds
      from invitations where team_id = ${team.id}`;
    expect(row?.seconds).toBe(teamPolicy.invitation / 1000);
  });

  for (const actor of teamRoles)
    for (const role of invitedRoles)
      it(`${can(actor, "invite") ? "lets" : "does not let"} an ${actor} invite as ${role}`, async () => {
        const { team } = await createOwnedTeam(db);
        const { scope, user } = await addMember(db, team, actor);
        const email = anEmail();
        const invited = await invite(db, scope, { email, role });
        if (can(actor, "invite")) {
          expect(invited).toEqual({ ok: true });
          expect(await rowsOf(team)).toEqual([{ email, role }]);
        } else {
          expect(invited).toEqual({ ok: false, reason: "not-allowed" });
          expect(await rowsOf(team)).toEqual([]);
          expect(await mailKinds({ email })).toEqual([]);
          expect(await eventKinds(user)).not.toContain("team-invited");
        }
      });

  it("makes no owner: both the function and the table refuse the role", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const given = { email: anEmail(), role: "owner" as never };
    expect(await invite(db, owner.scope, given)).toEqual({ ok: false, reason: "not-allowed" });
    await expect(sql`
      insert into invitations (team_id, email, role, invited_by, expires_at)
      values (${team.id}, 'x@example.com', 'owner', ${owner.user.id}, now())`).rejects.toThrow(
      /invitations_role/,
    );
  });

  it("checks the current role and the session", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [demoted, removed, loggedOut] = [
      await addMember(db, team, "admin"),
      await addMember(db, team, "admin"),
      await addMember(db, team, "admin"),
    ];
    await sql`update members set role = 'member' where user_id = ${demoted.user.id}`;
    await sql`delete from members where user_id = ${removed.user.id}`;
    await invalidateSession(db, loggedOut.session, loggedOut.session.id);
    for (const { scope } of [demoted, removed, loggedOut])
      expect(await invite(db, scope, { email: anEmail(), role: "member" })).toEqual({
        ...{ ok: false, reason: "not-allowed" },
      });
    expect(await rowsOf(team)).toEqual([]);
    expect(await listInvitations(db, owner.scope)).toEqual([]);
  });

  it("refuses the email of a member", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { user } = await addMember(db, team, "member");
    const invited = await invite(db, owner.scope, { email: user.email, role: "admin" });
    expect(invited).toEqual({ ok: false, reason: "member" });
    expect(await mailKinds(user)).toEqual([]);
  });

  it("refuses an email that is already invited, and its first link still works", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const email = anEmail();
    await invite(db, owner.scope, { email, role: "member" });
    const token = await linkTo(email);
    const again = await invite(db, owner.scope, { email, role: "admin" });
    expect(again).toEqual({ ok: false, reason: "invited" });
    expect(await mailKinds({ email })).toEqual(["invitation"]);
    expect(await rowsOf(team)).toEqual([{ email, role: "member" }]);
    expect(await findInvitation(db, token)).not.toBeNull();
  });

  it("replaces an expired invitation, whose link never works again", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const old = await insertInvitation(db, team, owner.user, { email: anEmail() });
    await age(old, "1 second");
    const invited = await invite(db, admin.scope, { email: old.email, role: "admin" });
    expect(invited).toEqual({ ok: true });
    expect(await findInvitation(db, old.token)).toBeNull();
    expect(await findInvitation(db, await linkTo(old.email))).toMatchObject({
      ...{ role: "admin", inviterEmail: admin.user.email },
    });
    expect(await rowsOf(team)).toHaveLength(1);
  });

  it("invites an email to two teams", async () => {
    const email = anEmail();
    for (const { owner } of [await createOwnedTeam(db), await createOwnedTeam(db)])
      expect(await invite(db, owner.scope, { email, role: "member" })).toEqual({ ok: true });
  });

  it("counts members and open invitations as seats, and no expired ones", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await leaveSeats(db, team, seats, 1);
    expect(await countSeats(db, owner.scope)).toBe(seats - 1);
    const first = { email: anEmail(), role: "member" } as const;
    expect(await invite(db, owner.scope, first)).toEqual({ ok: true });
    expect(await countSeats(db, owner.scope)).toBe(seats);
    const second = { email: anEmail(), role: "member" } as const;
    expect(await invite(db, owner.scope, second)).toEqual({ ok: false, reason: "full" });
    await age(first, "1 second");
    expect(await invite(db, owner.scope, second)).toEqual({ ok: true });
    const [expired] = (await listInvitations(db, owner.scope)).filter(({ expired }) => expired);
    expect(await sendInvitationAgain(db, owner.scope, `${expired?.id}`)).toEqual({
      ...{ ok: false, reason: "full" },
    });
  });
});

describe("invite, thirty at once with five free seats", () => {
  it("makes five invitations", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await leaveSeats(db, team, seats, 5);
    const answers = await collide(30, lockUser(owner.user), (own, n) =>
      invite(own, owner.scope, { email: `${n}-${team.handle}@example.com`, role: "member" }),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(5);
    expect(await rowsOf(team)).toHaveLength(5);
    expect(await countSeats(db, owner.scope)).toBe(seats);
  });

  // Proves that the test above can fail: counts and inserts in one statement, whose snapshot is
  // older than the lock that its insert waits for.
  it("would make thirty, if the count were older than the lock", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await leaveSeats(db, team, seats, 5);
    await collide(30, lockUser(owner.user), (own, n) =>
      own.execute(query`
        with locked as materialized (
          select from users where id = ${owner.user.id} for no key update)
        insert into invitations (team_id, email, role, invited_by, expires_at)
        select ${team.id}::uuid, ${`${n}-${team.handle}@example.com`}, 'member',
          ${owner.user.id}::uuid, now() + interval '1 day'
        from locked
        where (select count(*) from members where team_id = ${team.id})
          + (select count(*) from invitations where team_id = ${team.id}) < ${seats}`),
    );
    expect(await rowsOf(team)).toHaveLength(30);
  });

  it("makes one invitation for one email", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const email = anEmail();
    const answers = await collide(10, lockUser(owner.user), (own) =>
      invite(own, owner.scope, { email, role: "member" }),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await mailKinds({ email })).toEqual(["invitation"]);
    expect(await rowsOf(team)).toHaveLength(1);
  });
});

describe("sendInvitationAgain", () => {
  it("sends a new link from the acting member, with a new expiry, and the old link stops working", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const old = await insertInvitation(db, team, owner.user, { email: anEmail(), role: "admin" });
    expect(await sendInvitationAgain(db, admin.scope, old.id)).toEqual({ ok: true });
    // Dead even while the new mail is queued.
    expect(await findInvitation(db, old.token)).toBeNull();
    const found = await findInvitation(db, await linkTo(old.email));
    expect(found).toMatchObject({ role: "admin", inviterEmail: admin.user.email });
    const renewed = await sql`
      select from invitations where id = ${old.id} and expires_at > now() + interval '1 day'`;
    expect(renewed).toHaveLength(1);
    expect(await eventKinds(admin.user)).toContain("team-invitation-sent-again");
  });

  it("makes an expired invitation work again", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const old = await insertInvitation(db, team, owner.user, { email: anEmail() });
    await age(old, "2 days");
    expect(await sendInvitationAgain(db, owner.scope, old.id)).toEqual({ ok: true });
    expect(await findInvitation(db, await linkTo(old.email))).toMatchObject({ email: old.email });
  });

  it("finds no invitation of another team and no unknown one, and is refused to members", async () => {
    const [{ team, owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const member = await addMember(db, team, "member");
    const sent = await insertInvitation(db, team, owner.user, { email: anEmail() });
    const before = await sql`select * from invitations where team_id = ${team.id}`;
    const gone = { ok: false, reason: "gone" };
    expect(await sendInvitationAgain(db, other.owner.scope, sent.id)).toEqual(gone);
    expect(await sendInvitationAgain(db, owner.scope, randomUUID())).toEqual(gone);
    expect(await sendInvitationAgain(db, member.scope, sent.id)).toEqual({
      ...{ ok: false, reason: "not-allowed" },
    });
    expect(await sql`select * from invitations where team_id = ${team.id}`).toEqual(before);
    expect(await mailKinds(sent)).toEqual([]);
    expect(await findSent(db, other.owner.scope, sent.id)).toBeNull();
    expect(await findSent(db, owner.scope, sent.id)).toEqual({ email: sent.email, role: "member" });
  });
});

describe("revokeInvitation", () => {
  it("ends the link, and says so in the audit log", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const sent = await insertInvitation(db, team, owner.user, { email: anEmail() });
    expect(await revokeInvitation(db, admin.scope, sent.id)).toEqual({ ok: true });
    expect(await findInvitation(db, sent.token)).toBeNull();
    expect(await eventKinds(admin.user)).toContain("team-invitation-revoked");
    const gone = { ok: false, reason: "gone" };
    expect(await revokeInvitation(db, admin.scope, sent.id)).toEqual(gone);
  });

  it("revokes none of another team, and none for a member", async () => {
    const [{ team, owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const member = await addMember(db, team, "member");
    const sent = await insertInvitation(db, team, owner.user, { email: anEmail() });
    const gone = { ok: false, reason: "gone" };
    expect(await revokeInvitation(db, other.owner.scope, sent.id)).toEqual(gone);
    expect(await revokeInvitation(db, member.scope, sent.id)).toEqual({
      ...{ ok: false, reason: "not-allowed" },
    });
    expect(await findInvitation(db, sent.token)).not.toBeNull();
  });

  it("stops the mail that is still waiting", async () => {
    const { owner } = await createOwnedTeam(db);
    const email = anEmail();
    await invite(db, owner.scope, { email, role: "member" });
    const [sent] = await listInvitations(db, owner.scope);
    await revokeInvitation(db, owner.scope, `${sent?.id}`);
    expect(await linkTo(email)).toBe("undefined");
  });
});

describe("listInvitations", () => {
  it("lists only the team's invitations, the newest first, and marks the expired ones", async () => {
    const [{ team, owner }, other] = [await createOwnedTeam(db), await createOwnedTeam(db)];
    const first = await insertInvitation(db, team, owner.user, { email: anEmail(), role: "admin" });
    const second = await insertInvitation(db, team, owner.user, { email: anEmail() });
    await insertInvitation(db, other.team, other.owner.user, { email: anEmail() });
    await age(first, "1 second");
    const sentBy = owner.user.name;
    expect(await listInvitations(db, owner.scope)).toMatchObject([
      { id: second.id, email: second.email, role: "member", sentBy, expired: false },
      { id: first.id, email: first.email, role: "admin", sentBy, expired: true },
    ]);
  });
});

describe("findInvitation", () => {
  it("can be asked any number of times, as mail scanners do, and changes nothing", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { token } = await insertInvitation(db, team, owner.user, { email: anEmail() });
    const before = await sql`select * from invitations`;
    for (let n = 0; n < 5; n++) expect(await findInvitation(db, token)).not.toBeNull();
    expect(await sql`select * from invitations`).toEqual(before);
  });

  it("says whether the email has an account", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const user = await createUser(db);
    const { token } = await insertInvitation(db, team, owner.user, { email: user.email });
    expect(await findInvitation(db, token)).toMatchObject({ hasAccount: true });
  });

  it("finds nothing from the exact second of the expiry on", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { id, token } = await insertInvitation(db, team, owner.user, { email: anEmail() });
    await db.transaction(async (tx) => {
      const isFoundAt = async (shift: number) => {
        await tx.execute(query`
          update invitations set expires_at = now() + ${shift} * interval '1 second'
          where team_id = ${team.id} and id = ${id}`);
        return (await findInvitation(tx, token)) !== null;
      };
      expect(await isFoundAt(1)).toBe(true);
      expect(await isFoundAt(0)).toBe(false);
      expect(await isFoundAt(-1)).toBe(false);
    });
  });

  it("finds nothing for an unknown or malformed token", async () => {
    for (const token of ["", "x", "\0", "x".repeat(43), "x".repeat(100_000)])
      expect(await findInvitation(db, token)).toBeNull();
  });

  // Holds even if the code that removes the right forgets the member's invitations.
  it.each([
    ["was removed", (id: string) => sql`delete from members where user_id = ${id}`],
    ["was demoted", (id: string) => sql`update members set role = 'member' where user_id = ${id}`],
    [
      "is suspended",
      (id: string) => sql`
      update users set status = 'suspended', suspension_reason = 'Test.' where id = ${id}`,
    ],
    ["has no account any more", (id: string) => sql`delete from users where id = ${id}`],
  ])("finds nothing once the sender %s", async (_, change) => {
    const { team } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    const user = await createUser(db);
    const { token } = await insertInvitation(db, team, admin.user, { email: user.email });
    expect(await listInvitationsFor(db, { userId: user.id })).toHaveLength(1);
    await change(admin.user.id);
    expect(await findInvitation(db, token)).toBeNull();
    expect(await listInvitationsFor(db, { userId: user.id })).toEqual([]);
  });
});

describe("listInvitationsFor", () => {
  it("lists the open invitations of the user's current email", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const sent = await insertInvitation(db, team, owner.user, { email: user.email, role: "admin" });
    await insertInvitation(db, team, owner.user, { email: anEmail() });
    expect(await listInvitationsFor(db, session)).toMatchObject([
      { id: sent.id, team: "Acme", role: "admin", inviterEmail: owner.user.email },
    ]);
    await sql`update users set email = ${anEmail()} where id = ${user.id}`;
    expect(await listInvitationsFor(db, session)).toEqual([]);
    await sql`update users set email = ${user.email} where id = ${user.id}`;
    expect(await listInvitationsFor(db, session)).toHaveLength(1);
    await age(sent, "1 second");
    expect(await listInvitationsFor(db, session)).toEqual([]);
  });
});

describe("deleteExpiredInvitations", () => {
  it("deletes only invitations that expired long ago", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const [open, expired, old] = [
      await insertInvitation(db, team, owner.user, { email: anEmail() }),
      await insertInvitation(db, team, owner.user, { email: anEmail() }),
      await insertInvitation(db, team, owner.user, { email: anEmail() }),
    ];
    await age(expired, "1 day");
    await age(old, span(teamPolicy.expiredInvitation + 1000));
    expect(await deleteExpiredInvitations(db)).toBeGreaterThanOrEqual(1);
    expect((await rowsOf(team)).map(({ email }) => email).sort()).toEqual(
      [open.email, expired.email].sort(),
    );
  });
});
