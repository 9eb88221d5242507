import { sql as query } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { invalidateSession } from "@/lib/auth/sessions/end";
import type { Db } from "@/lib/db/client";
import { settleTeams } from "@/lib/teams/account-end";
import { deleteTeam } from "@/lib/teams/deletion";
import { leaveTeam, removeMember } from "@/lib/teams/members";
import type { TeamRole } from "@/lib/teams/roles";
import { renameTeam } from "@/lib/teams/teams";
import { db, racingConnections, sql } from "@/tests/support/database";
import { collide, untilWaiting } from "@/tests/support/races";
import { jobRows, mailKinds } from "@/tests/support/rows";
import {
  addMember,
  createOwnedTeam,
  insertInvitation,
  insertTeamKey,
  rowsOf,
  type TestMember,
  type TestTeam,
} from "@/tests/support/teams";

const gone = { team: null, members: null, invitations: null, keys: null, events: null };

const lockRow = (team: TestTeam) => (tx: Db) =>
  tx.execute(query`select from teams where id = ${team.id} for no key update`);

describe("deleteTeam", () => {
  it("deletes everything of the team, and nothing of another", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    await insertInvitation(db, team, owner.user);
    await insertTeamKey(db, team, member.user);
    const other = await createOwnedTeam(db);
    await insertTeamKey(db, other.team, member.user);
    const before = await rowsOf(db, other.team);
    expect(await deleteTeam(db, owner.scope)).toEqual({ ok: true });
    expect(await rowsOf(db, team)).toEqual(gone);
    expect(await rowsOf(db, other.team)).toEqual(before);
  });

  it("keeps its event and earlier ones, without the team's id", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await renameTeam(db, owner.scope, "Another Name");
    await deleteTeam(db, owner.scope);
    const events = await sql`
      select kind, team_id, session_id, detail from audit_events
      where user_id = ${owner.user.id} and kind like 'team-%' order by id`;
    const rest = { team_id: null, session_id: owner.session.id };
    expect(events).toEqual([
      { kind: "team-renamed", ...rest, detail: {} },
      { kind: "team-deleted", ...rest, detail: { handle: team.handle } },
    ]);
  });

  it("tells all members by mail but the one who deletes it", async () => {
    const { team, owner } = await createOwnedTeam(db, { name: "Acme" });
    const others = [await addMember(db, team, "owner"), await addMember(db, team, "member")];
    await deleteTeam(db, owner.scope);
    for (const { user } of others)
      expect(await jobRows(user)).toMatchObject([
        {
          task: "team-mail",
          payload: { mail: "team-deleted", team: "Acme", by: owner.user.email },
        },
      ]);
    expect(await jobRows(owner.user)).toEqual([]);
  });

  it.each(["admin", "member"] satisfies TeamRole[])("is refused to a %s", async (role) => {
    const { team } = await createOwnedTeam(db);
    const { scope } = await addMember(db, team, role);
    const before = await rowsOf(db, team);
    expect(await deleteTeam(db, scope)).toEqual({ ok: false, reason: "not-allowed" });
    expect(await rowsOf(db, team)).toEqual(before);
  });

  it("is refused where the ownership, the membership or the session has ended", async () => {
    const { team, owner } = await createOwnedTeam(db);
    await addMember(db, team, "owner");
    const ends = [
      () => sql`update members set role = 'admin' where user_id = ${owner.user.id}`,
      () => sql`delete from members where user_id = ${owner.user.id}`,
      () => invalidateSession(db, owner.session, owner.session.id),
    ];
    for (const end of ends) {
      await end();
      const before = await rowsOf(db, team);
      expect(await deleteTeam(db, owner.scope)).toEqual({ ok: false, reason: "not-allowed" });
      expect(await rowsOf(db, team)).toEqual(before);
    }
  });
});

describe("a deletion and other changes, at once", () => {
  it("ten deletions are one, with one event and one mail to each member", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    const answers = await collide(10, lockRow(team), (own) => deleteTeam(own, owner.scope));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await mailKinds(member.user)).toEqual(["team-deleted"]);
    const events = await sql`
      select from audit_events where user_id = ${owner.user.id} and kind = 'team-deleted'`;
    expect(events).toHaveLength(1);
  });

  it("a member who leaves first gets no mail, and one who is later finds no team", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const member = await addMember(db, team, "member");
    const [deleted, left] = await collide<{ ok: boolean }>(2, lockRow(team), (own, index) =>
      index === 0 ? deleteTeam(own, owner.scope) : leaveTeam(own, member.scope),
    );
    expect(deleted).toEqual({ ok: true });
    expect(await rowsOf(db, team)).toEqual(gone);
    expect(await mailKinds(member.user)).toEqual(left?.ok ? [] : ["team-deleted"]);
  });
});

describe("the deletion of a team and of a former member's account, at once", () => {
  it("both succeed", async () => {
    const { owner, answers } = await race((own, { scope }) => deleteTeam(own, scope));
    expect(answers).toEqual([{ ok: true }, { ok: true }]);
    expect(await rowsOf(db, { ...owner.scope, id: owner.scope.teamId })).toEqual(gone);
  });

  it("both also succeed if the team is deleted with the account of its only member", async () => {
    const { owner, answers } = await race((own, { session }) =>
      deleteAccount(own, session, settleTeams),
    );
    expect(answers).toEqual([{ ok: true }, { ok: true }]);
    expect(await rowsOf(db, { ...owner.scope, id: owner.scope.teamId })).toEqual(gone);
  });

  it("naively, without the lock on the user, deadlock", async () => {
    const deadlocking = race(async (own, { scope }) => {
      await own.execute(query`delete from teams where id = ${scope.teamId}`);
    });
    await expect(deadlocking).rejects.toMatchObject({ cause: { code: "40P01" } });
  });

  /**
   * The account's deletion first updates its user's event, which is held here, and then the
   * older event in which its user was the actor. The cascade from the team updates them in
   * the other order.
   */
  async function race(deleteIt: (own: Db, owner: TestMember) => Promise<unknown>) {
    const { team, owner } = await createOwnedTeam(db);
    const former = await addMember(db, team, "admin");
    const other = await addMember(db, team, "member");
    await removeMember(db, former.scope, other.user.id);
    await leaveTeam(db, former.scope);
    const racing = racingConnections(2);
    try {
      const started = await db.transaction(async (tx) => {
        await tx.execute(query`
          select from audit_events where team_id = ${team.id} and user_id = ${former.user.id} for update`);
        const account = deleteAccount(racing.db, former.session);
        await untilWaiting(1);
        const deletion = deleteIt(racing.db, owner);
        await untilWaiting(2);
        return { both: Promise.all([account, deletion]) };
      });
      return { owner, answers: await started.both };
    } finally {
      await racing.sql.end();
    }
  }
});
