import { randomUUID } from "node:crypto";
import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { unknownClient } from "@/lib/audit";
import { redeemEmailChange } from "@/lib/auth/account/email-change";
import { redeemSignUp, signingUpWithPasskey } from "@/lib/auth/account/sign-up";
import { createLink } from "@/lib/auth/links";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { getSession } from "@/lib/auth/sessions/lookup";
import { createSignUp } from "@/lib/auth/sign-up-links";
import { plans } from "@/lib/billing/plans";
import type { Db } from "@/lib/db/client";
import {
  findInvitation,
  invite,
  listInvitations,
  listInvitationsFor,
  revokeInvitation,
} from "@/lib/teams/invitations";
import {
  acceptInvitation,
  declineInvitation,
  redeemInvitation,
  redeemInvitationWithPasskey,
} from "@/lib/teams/joining";
import { removeMember } from "@/lib/teams/members";
import { teamRoles } from "@/lib/teams/roles";
import { db, sql } from "@/tests/support/database";
import { addSoftPasskey, site, softPasskey } from "@/tests/support/passkeys";
import { collide, times } from "@/tests/support/races";
import { eventKinds, eventRows, jobRows, mailKinds, sessionRows } from "@/tests/support/rows";
import {
  addMember,
  createOwnedTeam,
  insertInvitation,
  leaveSeats,
  rolesIn,
  type TestInvitation,
  type TestMember,
  type TestTeam,
} from "@/tests/support/teams";
import { createLogin, createUser, type TestUser } from "@/tests/support/users";

const seats = plans.pro.limits.members;
const anEmail = () => `${randomUUID()}@example.com`;
const visit = { presented: null, client: unknownClient };
const chosen = { name: "Grace Walker", password: "kelp otter zinc" };
const dead = { ok: false, reason: "dead-link" };

type Invited = { user: TestUser; sent: TestInvitation } & Awaited<ReturnType<typeof createLogin>>;

/** Creates a logged-in user with an open invitation. */
async function createInvited(
  team: TestTeam,
  inviter: TestMember,
  role: "admin" | "member" = "member",
): Promise<Invited> {
  const user = await createUser(db);
  const sent = await insertInvitation(db, team, inviter.user, { email: user.email, role });
  return { user, sent, ...(await createLogin(db, user)) };
}

const lockTeamRow =
  ({ id }: TestTeam) =>
  (tx: Db) =>
    tx.execute(query`select from teams where id = ${id} for update`);

async function membersIn({ id }: TestTeam): Promise<number> {
  return (await sql`select from members where team_id = ${id}`).length;
}

async function openIn({ id }: TestTeam): Promise<number> {
  return (await sql`select from invitations where team_id = ${id}`).length;
}

describe("acceptInvitation", () => {
  it.each(["token", "id"] as const)("joins by the %s, once", async (by) => {
    const { team, owner } = await createOwnedTeam(db);
    const { user, session, sent } = await createInvited(team, owner, "admin");
    const ref = by === "token" ? { token: sent.token } : { id: sent.id };
    expect(await acceptInvitation(db, session, ref)).toEqual({ ok: true, handle: team.handle });
    expect(await rolesIn(db, team)).toEqual({ [owner.user.id]: "owner", [user.id]: "admin" });
    expect(await acceptInvitation(db, session, ref)).toEqual(dead);
    expect(await openIn(team)).toBe(0);

    expect((await eventRows(user)).at(-1)).toMatchObject({
      ...{ kind: "team-joined", session_id: session.id, detail: { role: "admin" } },
    });
    const [job, ...more] = await jobRows(owner.user);
    expect(more).toEqual([]);
    expect(job?.payload).toMatchObject({ mail: "joined-team", email: user.email });
    expect(await mailKinds(user)).toEqual([]);
  });

  it("refuses a user with another email, and the invited user can still accept", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { session, sent } = await createInvited(team, owner);
    const other = await createLogin(db, await createUser(db));
    const byToken = await acceptInvitation(db, other.session, { token: sent.token });
    expect(byToken).toEqual({ ok: false, reason: "other-user" });
    expect(await acceptInvitation(db, other.session, { id: sent.id })).toEqual(dead);
    expect(await declineInvitation(db, other.session, sent.id)).toEqual(dead);
    expect(await membersIn(team)).toBe(1);
    expect((await acceptInvitation(db, session, { token: sent.token })).ok).toBe(true);
  });

  it("checks the current email: refuses after a change of it, accepts after the change back", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { user, session, sent } = await createInvited(team, owner);
    await sql`update users set email = ${anEmail()} where id = ${user.id}`;
    const refused = { ok: false, reason: "other-user" };
    expect(await acceptInvitation(db, session, { token: sent.token })).toEqual(refused);
    expect(await acceptInvitation(db, session, { id: sent.id })).toEqual(dead);
    await sql`update users set email = ${user.email} where id = ${user.id}`;
    expect((await acceptInvitation(db, session, { token: sent.token })).ok).toBe(true);
  });

  it("leaves an owner an owner", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const admin = await addMember(db, team, "admin");
    for (const member of [owner, admin]) {
      const { email } = member.user;
      const sent = await insertInvitation(db, team, admin.user, { email, role: "member" });
      expect((await acceptInvitation(db, member.session, { token: sent.token })).ok).toBe(true);
    }
    expect(await rolesIn(db, team)).toEqual({ [owner.user.id]: "owner", [admin.user.id]: "admin" });
    expect(await openIn(team)).toBe(0);
    expect(await mailKinds(admin.user)).toEqual([]);
    expect(await eventKinds(owner.user)).not.toContain("team-joined");
  });

  it("needs a live session", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { session, sent } = await createInvited(team, owner);
    await invalidateSession(db, session, session.id);
    const ended = { ok: false, reason: "session-ended" };
    expect(await acceptInvitation(db, session, { token: sent.token })).toEqual(ended);
    expect(await declineInvitation(db, session, sent.id)).toEqual(ended);
    expect([await membersIn(team), await openIn(team)]).toEqual([1, 1]);
  });

  it("refuses an expired, unknown or malformed token or id, and changes nothing", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { session, sent } = await createInvited(team, owner);
    await sql`update invitations set expires_at = now() where id = ${sent.id}`;
    const refs = [
      ...[{ token: sent.token }, { id: sent.id }, { token: newToken() }, { token: "x" }],
      { id: randomUUID() },
    ];
    for (const ref of refs) expect(await acceptInvitation(db, session, ref)).toEqual(dead);
    expect([await membersIn(team), await openIn(team)]).toEqual([1, 1]);
  });

  it("refuses an invitation whose sender was removed, demoted or suspended", async () => {
    const { team } = await createOwnedTeam(db);
    const changes = [
      (id: string) => sql`delete from members where user_id = ${id}`,
      (id: string) => sql`update members set role = 'member' where user_id = ${id}`,
      (id: string) => sql`
        update users set status = 'suspended', suspension_reason = 'Test.' where id = ${id}`,
    ];
    for (const change of changes) {
      const admin = await addMember(db, team, "admin");
      const { user, session, sent } = await createInvited(team, admin);
      await change(admin.user.id);
      expect(await acceptInvitation(db, session, { token: sent.token })).toEqual(dead);
      expect(await rolesIn(db, team)).not.toHaveProperty(user.id);
    }
  });

  it("refuses a user beyond the seats, and the invitation stays", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { session, sent } = await createInvited(team, owner);
    await leaveSeats(db, team, seats, 0);
    const full = { ok: false, reason: "full" };
    expect(await acceptInvitation(db, session, { token: sent.token })).toEqual(full);
    expect(await redeem(sent.token)).toEqual({ ok: false, reason: "has-account" });
    await sql`delete from members where team_id = ${team.id} and role = 'member'`;
    await leaveSeats(db, team, seats, 1);
    expect((await acceptInvitation(db, session, { token: sent.token })).ok).toBe(true);
    expect(await membersIn(team)).toBe(seats);
  });
});

describe("acceptInvitation, thirty at once", () => {
  it("gives five free seats to five users, and the others keep their invitations", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const invited = await Promise.all(times(30, () => createInvited(team, owner)));
    await leaveSeats(db, team, seats, 5);
    const answers = await collide(30, lockTeamRow(team), (own, n) => {
      const { session, sent } = invited[n] as Invited; // there are thirty
      return acceptInvitation(own, session, { token: sent.token });
    });
    expect(answers.filter(({ ok }) => ok)).toHaveLength(5);
    expect(answers.filter((answer) => !answer.ok && answer.reason === "full")).toHaveLength(25);
    expect([await membersIn(team), await openIn(team)]).toEqual([seats, 25]);
  });

  // Proves that the test above can fail: counts in the statement that inserts, whose snapshot is
  // older than the team's lock.
  it("would give seats to all thirty if the count were older than the lock", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const invited = await Promise.all(times(30, () => createInvited(team, owner)));
    await leaveSeats(db, team, seats, 5);
    await collide(30, lockTeamRow(team), (own, n) => {
      const { user, sent } = invited[n] as Invited; // there are thirty
      return own.execute(query`
        with locked as materialized (
          select id from teams where id = ${team.id} for no key update),
        used as (
          delete from invitations using locked
          where team_id = locked.id and token_hash = ${hashToken(sent.token)}
            and (select count(*) from members where team_id = ${team.id}) < ${seats}
          returning team_id, role)
        insert into members (team_id, user_id, role)
        select team_id, ${user.id}::uuid, role from used`);
    });
    expect(await membersIn(team)).toBe(seats + 25);
  });

  it("accepts one link once, however often its user sends it", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { user, session, sent } = await createInvited(team, owner);
    const answers = await collide(30, lockTeamRow(team), (own) =>
      acceptInvitation(own, session, { token: sent.token }),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(answers.filter((answer) => !answer.ok && answer.reason === "dead-link")).toHaveLength(
      29,
    );
    expect((await eventKinds(user)).filter((kind) => kind === "team-joined")).toHaveLength(1);
    expect(await mailKinds(owner.user)).toEqual(["joined-team"]);
  });

  // Proves that the test above can fail: looks the invitation up, then deletes it.
  it("would accept it thirty times if it did not check what it deleted", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { sent } = await createInvited(team, owner);
    const hash = hashToken(sent.token);
    const accepted = await collide(
      ...([30, (tx: Db) => tx.execute(query`lock invitations in exclusive mode`)] as const),
      async (own) => {
        const found = await findInvitation(own, sent.token);
        await own.execute(query`delete from invitations where token_hash = ${hash}`);
        return found !== null;
      },
    );
    expect(accepted.filter(Boolean)).toHaveLength(30);
  });

  it("accepts only the invited user of thirty who send the same link", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const invited = await createInvited(team, owner);
    const others = await Promise.all(times(29, async () => createLogin(db, await createUser(db))));
    const sessions = [...others, invited].map(({ session }) => session);
    const answers = await collide(30, lockTeamRow(team), (own, n) =>
      acceptInvitation(own, sessions[n] ?? invited.session, { token: invited.sent.token }),
    );
    expect(answers.map(({ ok }) => ok)).toEqual([...times(29, () => false), true]);
    expect(Object.keys(await rolesIn(db, team)).sort()).toEqual(
      [owner.user.id, invited.user.id].sort(),
    );
  });
});

const rounds = 8;

/** Races an acceptance with another change of the same team or user, both waiting for one lock. */
async function race<T>(
  hold: (tx: Db) => Promise<unknown>,
  accept: (own: Db) => ReturnType<typeof acceptInvitation>,
  change: (own: Db) => Promise<T>,
): Promise<[Awaited<ReturnType<typeof acceptInvitation>>, T]> {
  const [first, second] = await collide<unknown>(2, hold, (own, n) =>
    n === 0 ? accept(own) : change(own),
  );
  return [first, second] as [Awaited<ReturnType<typeof acceptInvitation>>, T];
}

describe("acceptInvitation, while something else happens", () => {
  it(`and a revocation: one of them wins, in ${rounds} rounds`, async () => {
    for (let round = 0; round < rounds; round++) {
      const { team, owner } = await createOwnedTeam(db);
      const { user, session, sent } = await createInvited(team, owner);
      const [accepted, revoked] = await race(
        lockTeamRow(team),
        (own) => acceptInvitation(own, session, { token: sent.token }),
        (own) => revokeInvitation(own, owner.scope, sent.id),
      );
      expect(accepted.ok).toBe(!revoked.ok);
      expect(user.id in (await rolesIn(db, team))).toBe(accepted.ok);
      expect(await openIn(team)).toBe(0);
    }
  });

  // Proves that the test above can fail: looks the invitation up before the lock, not after it.
  it("and a revocation: both would win if the acceptance did not look again after the lock", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { user, sent } = await createInvited(team, owner);
    const answers = await collide<unknown>(2, lockTeamRow(team), async (own, n) => {
      if (n === 1) return revokeInvitation(own, owner.scope, sent.id);
      const found = await findInvitation(own, sent.token);
      return own.transaction(async (tx) => {
        await lockTeamRow(team)(tx);
        await tx.execute(query`insert into members (team_id, user_id, role)
          values (${team.id}, ${user.id}, ${found?.role})`);
      });
    });
    expect(answers[1]).toEqual({ ok: true });
    expect(await rolesIn(db, team)).toHaveProperty(user.id);
  });

  it(`and a change of the email: the user joins before it or not at all, in ${rounds} rounds`, async () => {
    for (let round = 0; round < rounds; round++) {
      const { team, owner } = await createOwnedTeam(db);
      const { user, session, sent } = await createInvited(team, owner);
      const link = await createLink(db, {
        ...{ userId: user.id, purpose: "email-change", sentTo: anEmail() },
      });
      const [accepted, changed] = await race(
        (tx) => tx.execute(query`select from users where id = ${user.id} for update`),
        (own) => acceptInvitation(own, session, { token: sent.token }),
        (own) => redeemEmailChange(own, link, { session, client: unknownClient }),
      );
      expect(changed.ok).toBe(true);
      expect(user.id in (await rolesIn(db, team))).toBe(accepted.ok);
      const kinds = (await eventKinds(user)).filter((kind) => kind !== "logged-in");
      expect(kinds).toEqual(accepted.ok ? ["team-joined", "email-changed"] : ["email-changed"]);
    }
  });

  it(`and the removal of the sender: the user joins before it or not at all, in ${rounds} rounds`, async () => {
    for (let round = 0; round < rounds; round++) {
      const { team, owner } = await createOwnedTeam(db);
      const admin = await addMember(db, team, "admin");
      const { user, session, sent } = await createInvited(team, admin);
      const [accepted, removed] = await race(
        lockTeamRow(team),
        (own) => acceptInvitation(own, session, { token: sent.token }),
        (own) => removeMember(own, owner.scope, admin.user.id),
      );
      expect(user.id in (await rolesIn(db, team))).toBe(accepted.ok);
      expect(removed).toEqual({ ok: true });
      if (!accepted.ok) expect(accepted).toEqual(dead);
      expect(await openIn(team)).toBe(0);
    }
  });

  it(`and the deletion of the team: nothing is left of it, in ${rounds} rounds`, async () => {
    for (let round = 0; round < rounds; round++) {
      const { team, owner } = await createOwnedTeam(db);
      const { session, sent } = await createInvited(team, owner);
      const newcomer = await insertInvitation(db, team, owner.user, { email: anEmail() });
      const answers = await collide<unknown>(3, lockTeamRow(team), (own, n) => {
        if (n === 0) return acceptInvitation(own, session, { token: sent.token });
        if (n === 1) return redeemInvitation(own, newcomer.token, chosen, visit);
        return own.execute(query`delete from teams where id = ${team.id}`);
      });
      for (const answer of answers.slice(0, 2))
        expect([{ ok: true, handle: team.handle }, dead]).toContainEqual(
          (answer as { ok: boolean }).ok ? { ok: true, handle: team.handle } : answer,
        );
      expect([await membersIn(team), await openIn(team)]).toEqual([0, 0]);
    }
  });
});

describe("declineInvitation", () => {
  it("deletes it, says so in the audit log, and mails nothing", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { user, session, sent } = await createInvited(team, owner);
    expect(await declineInvitation(db, session, sent.id)).toEqual({ ok: true });
    expect(await listInvitationsFor(db, session)).toEqual([]);
    expect(await listInvitations(db, owner.scope)).toEqual([]);
    expect(await findInvitation(db, sent.token)).toBeNull();
    expect(await eventKinds(user)).toContain("team-invitation-declined");
    expect(await mailKinds(owner.user)).toEqual([]);
    expect(await declineInvitation(db, session, sent.id)).toEqual(dead);
  });
});

const redeem = (token: string, own: Db = db) => redeemInvitation(own, token, chosen, visit);

async function usersOf(email: string): Promise<{ id: string; name: string }[]> {
  return sql<{ id: string; name: string }[]>`select id, name from users where email = ${email}`;
}

/** Creates a team and an open invitation to an email without an account. */
async function createNewcomer(role: "admin" | "member" = "member") {
  const { team, owner } = await createOwnedTeam(db);
  return {
    team,
    owner,
    sent: await insertInvitation(db, team, owner.user, { email: anEmail(), role }),
  };
}

describe("redeemInvitation", () => {
  it("makes a user who is logged in and a member, with one link and no other mail", async () => {
    const { team, owner, sent } = await createNewcomer("admin");
    const answer = await redeem(sent.token);
    if (!answer.ok) throw new Error(answer.reason);
    expect(answer.handle).toBe(team.handle);
    const session = await getSession(db, answer.token);
    expect(session?.user).toMatchObject({ email: sent.email, name: chosen.name, role: "user" });
    const id = `${session?.userId}`;
    expect(await rolesIn(db, team)).toEqual({ [owner.user.id]: "owner", [id]: "admin" });
    expect(await eventKinds({ id })).toEqual(["signed-up", "logged-in", "team-joined"]);
    expect(await mailKinds({ email: sent.email })).toEqual([]);
    expect(await mailKinds(owner.user)).toEqual(["joined-team"]);
    expect(await openIn(team)).toBe(0);
  });

  it("works once", async () => {
    const { team, sent } = await createNewcomer();
    expect((await redeem(sent.token)).ok).toBe(true);
    expect(await redeem(sent.token)).toEqual(dead);
    expect(await membersIn(team)).toBe(2);
  });

  it("refuses a bad password, and leaves the invitation as it was", async () => {
    const { sent } = await createNewcomer();
    for (const password of ["kelp otter", "passwordpassword", `${sent.email}`]) {
      const answer = await redeemInvitation(db, sent.token, { ...chosen, password }, visit);
      expect(answer).toMatchObject({ ok: false, reason: "password" });
    }
    expect(await usersOf(sent.email)).toEqual([]);
    expect(await findInvitation(db, sent.token)).not.toBeNull();
  });

  it("refuses an email that has an account, whose user can still accept", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const { user, session, sent } = await createInvited(team, owner);
    expect(await redeem(sent.token)).toEqual({ ok: false, reason: "has-account" });
    expect(await usersOf(user.email)).toEqual([{ id: user.id, name: user.name }]);
    expect((await acceptInvitation(db, session, { token: sent.token })).ok).toBe(true);
  });

  it("makes no user where the team is full or the invitation is dead", async () => {
    const { team, sent } = await createNewcomer();
    await leaveSeats(db, team, seats, 0);
    expect(await redeem(sent.token)).toEqual({ ok: false, reason: "full" });
    expect(await findInvitation(db, sent.token)).not.toBeNull();
    await sql`update invitations set expires_at = now() where id = ${sent.id}`;
    for (const token of [sent.token, newToken(), "x"]) expect(await redeem(token)).toEqual(dead);
    expect(await usersOf(sent.email)).toEqual([]);
  });

  it("ends the browser's previous session", async () => {
    const { sent } = await createNewcomer();
    const attacker = await createUser(db);
    const { token: planted } = await createLogin(db, attacker);
    const answer = await redeemInvitation(db, sent.token, chosen, { ...visit, presented: planted });
    expect(answer.ok && answer.token).not.toBe(planted);
    expect(await getSession(db, planted)).toBeNull();
    expect(await sessionRows(attacker)).toEqual([]);
  });

  it("makes exactly one user of thirty uses of one link", async () => {
    const { team, sent } = await createNewcomer();
    const answers = await collide(30, lockTeamRow(team), (own) => redeem(sent.token, own));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    const [user, ...more] = await usersOf(sent.email);
    expect(more).toEqual([]);
    expect(await sessionRows({ id: `${user?.id}` })).toHaveLength(1);
    expect(await membersIn(team)).toBe(2);
  });

  it("and a sign-up of the same email make one account, whichever is first", async () => {
    for (let round = 0; round < 6; round++) {
      const { team, sent } = await createNewcomer();
      const link = `${await createSignUp(db, sent.email)}`;
      const [joined, signedUp] = await collide<{ ok: boolean }>(
        ...([2, (tx: Db) => tx.execute(query`lock users in exclusive mode`)] as const),
        (own, n) =>
          n === round % 2 ? redeem(sent.token, own) : redeemSignUp(own, link, chosen, visit),
      ).then((answers) => (round % 2 === 0 ? answers : answers.reverse()));
      expect([joined?.ok, signedUp?.ok].filter(Boolean)).toHaveLength(1);
      const [user, ...more] = await usersOf(sent.email);
      expect(more).toEqual([]);
      expect(`${user?.id}` in (await rolesIn(db, team))).toBe(joined?.ok);
      // If the sign-up was first, its user can still accept the invitation, which stays open.
      expect(await openIn(team)).toBe(joined?.ok ? 0 : 1);
      if (joined?.ok)
        expect(await redeemSignUp(db, link, { ...chosen, name: "Mallory" }, visit)).toEqual(dead);
    }
  });
});

describe("redeemInvitationWithPasskey", () => {
  const redeemWith = (token: string, passkey = softPasskey(), link = token) => {
    const answer = passkey.made(signingUpWithPasskey(link));
    return redeemInvitationWithPasskey(db, token, { name: "Grace", answer, site }, visit);
  };

  it("makes a member without a password, logged in by the passkey", async () => {
    const { team, sent } = await createNewcomer();
    const answer = await redeemWith(sent.token);
    if (!answer.ok) throw new Error(answer.reason);
    const session = await getSession(db, answer.token);
    expect(session).toMatchObject({ strong: true, user: { email: sent.email } });
    expect(await rolesIn(db, team)).toHaveProperty(`${session?.userId}`, "member");
    expect(await sql`select from passwords where user_id = ${`${session?.userId}`}`).toEqual([]);
  });

  it("refuses another link's challenge and another user's passkey, and makes no user", async () => {
    const [{ team, sent }, another] = [await createNewcomer(), await createNewcomer()];
    const incorrect = { ok: false, reason: "incorrect" };
    expect(await redeemWith(sent.token, softPasskey(), another.sent.token)).toEqual(incorrect);
    const taken = await addSoftPasskey(db, await createUser(db));
    expect(await redeemWith(sent.token, taken)).toEqual({ ok: false, reason: "taken" });
    expect([await usersOf(sent.email), await membersIn(team)]).toEqual([[], 1]);
    expect(await redeemWith(newToken())).toEqual(dead);
    expect((await redeemWith(sent.token)).ok).toBe(true);
  });
});

describe("an invitation", () => {
  it("goes from the form to the membership", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await invite(db, owner.scope, { email: user.email, role: "member" });
    const [received] = await listInvitationsFor(db, session);
    expect((await acceptInvitation(db, session, { id: `${received?.id}` })).ok).toBe(true);
    expect(teamRoles).toContain((await rolesIn(db, team))[user.id]);
  });
});
