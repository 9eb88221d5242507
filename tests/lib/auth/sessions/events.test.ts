import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { createLink } from "@/lib/auth/links";
import { sessionPolicy } from "@/lib/auth/policy";
import {
  deleteExpiredSessions,
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { openSessionEvents, type SessionEvents } from "@/lib/auth/sessions/events";
import type { Session } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import type { SessionEvent } from "@/lib/auth/sessions/watchers";
import { connect } from "@/lib/db/client";
import { countedConnection, databaseUrl, db, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { addSessions } from "@/tests/support/rows";
import { startTcpProxy } from "@/tests/support/tcp-proxy";
import { createOwnedTeam } from "@/tests/support/teams";
import { createLogin, createUser, newPassword, withPassword } from "@/tests/support/users";

/** In milliseconds. Shorter than the product's, to save time. */
const PAUSE = 50;

const open: SessionEvents[] = [];
afterEach(() => {
  for (const events of open.splice(0)) events.close();
});

function openEvents(through = db): SessionEvents {
  const events = openSessionEvents(through, PAUSE);
  open.push(events);
  return events;
}

/** Collects the events of a session as they arrive. */
async function watch(events: SessionEvents, session: Pick<Session, "id" | "userId">) {
  const received: SessionEvent[] = [];
  const handle = await events.watch(session, (each) => received.push(each));
  return { received, handle };
}

/** Waits until earlier changes have been read: ends another user's session and awaits its event. */
async function settle(events: SessionEvents): Promise<void> {
  const marker = await createLogin(db, await createUser(db));
  const { received } = await watch(events, marker.session);
  await invalidateSession(db, marker.session, marker.session.id);
  await vi.waitFor(() => expect(received).toEqual(["ended"]), 30_000);
}

type World = { here: { session: Session; token: string }; there: { session: Session } };

const endings: Record<string, (world: World) => Promise<unknown>> = {
  "log out": ({ here }) => invalidateSession(db, here.session, here.session.id),
  "log out from another device": ({ here, there }) =>
    invalidateSession(db, there.session, here.session.id),
  "log out other devices": ({ there }) => invalidateOtherSessions(db, there.session),
  "log out everywhere": ({ here }) => invalidateAllUserSessions(db, here.session.userId),
  "a password reset": async ({ here }) => {
    const { userId, user: owner } = here.session;
    const link = { userId, purpose: "password-reset", sentTo: owner.email } as const;
    await redeemPasswordReset(
      db,
      await createLink(db, link),
      withPassword(newPassword),
      unknownClient,
    );
  },
  "deletion of the account": ({ there }) => deleteAccount(db, there.session),
  "deletion of the user, which cascades": ({ here }) =>
    sql`delete from users where id = ${here.session.userId}`,
  "the cap": async ({ here }) => {
    await sql`
      update sessions set last_seen_at = now() - interval '1 day' where id = ${here.session.id}`;
    await addSessions({ id: here.session.userId }, sessionPolicy.sessionsPerUser - 1);
    await createLogin(db, { id: here.session.userId, email: "", name: "" });
  },
};

describe("openSessionEvents", () => {
  it.each(Object.entries(endings))("notifies only the user of %s", async (_, happens) => {
    const events = openEvents();
    const user = await createUser(db);
    const here = await createLogin(db, user);
    const there = await createLogin(db, user);
    const otherUser = await createLogin(db, await createUser(db));
    const [own, other] = [
      await watch(events, here.session),
      await watch(events, otherUser.session),
    ];
    await happens({ here, there });
    await vi.waitFor(() => expect(own.received.at(-1)).toBe("ended"), 30_000);
    await settle(events);
    expect(own.received.filter((event) => event === "ended")).toHaveLength(1);
    expect(other.received).toEqual([]);
    expect(events.watching()).toBe(1);
  });

  it("notifies the user's other sessions of a login and of a log-out", async () => {
    const events = openEvents();
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const { received } = await watch(events, session);
    const other = await createLogin(db, user);
    await vi.waitFor(() => expect(received).toEqual(["devices"]), 30_000);
    await invalidateSession(db, session, other.session.id);
    await vi.waitFor(() => expect(received).toEqual(["devices", "devices"]), 30_000);
  });

  it("does not notify of a rotation, a use, a rollback or the deletion of expired sessions", async () => {
    const events = openEvents();
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    await addSessions(user, 3, "-1 second");
    const { received } = await watch(events, session);
    await rotateSession(db, token, ["pwd"]);
    await sql`update sessions set last_seen_at = now() where id = ${session.id}`;
    await db
      .transaction(async (tx) => {
        await invalidateSession(tx, session, session.id);
        throw new Error("rolled back");
      })
      .catch(() => {});
    await settle(events);
    await deleteExpiredSessions(db);
    await settle(events);
    expect(received).toEqual([]);
  });

  it("notifies if one session begins and another ends between two polls", async () => {
    const events = openEvents();
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const other = await createLogin(db, user);
    const { received } = await watch(events, session);
    await db.transaction(async (tx) => {
      await invalidateSession(tx, session, other.session.id);
      await createLogin(tx, user);
    });
    await vi.waitFor(() => expect(received).toEqual(["devices"]), 30_000);
  });

  it("notifies of a session that ended before it was watched", async () => {
    const { session } = await createLogin(db, await createUser(db));
    await invalidateSession(db, session, session.id);
    expect((await watch(openEvents(), session)).received).toEqual(["ended"]);
  });

  it("notifies of an expiry", async () => {
    const { session } = await createLogin(db, await createUser(db));
    await sql`update sessions set expires_at = now() + interval '1 second' where id = ${session.id}`;
    const { received } = await watch(openEvents(), session);
    expect(received).toEqual([]);
    await vi.waitFor(() => expect(received).toEqual(["ended"]), 30_000);
  });

  it("notifies of a session that ended while the database did not answer", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const proxy = await startTcpProxy(databaseUrl);
    const proxied = connect(proxy.url, { max: 1 });
    const events = openEvents(proxied.db);
    const user = await createUser(db);
    const [ended, lives] = [await createLogin(db, user), await createLogin(db, user)];
    const [first, second] = [
      await watch(events, ended.session),
      await watch(events, lives.session),
    ];
    proxy.cut();
    await invalidateSession(db, lives.session, ended.session.id);
    await sleep(3 * PAUSE);
    expect(first.received).toEqual([]);
    proxy.mend();
    await vi.waitFor(() => expect(first.received).toEqual(["ended"]), 30_000);
    expect(second.received).not.toContain("ended");
    await invalidateSession(db, lives.session, lives.session.id);
    await vi.waitFor(() => expect(second.received.at(-1)).toBe("ended"), 30_000);
    await proxied.sql.end({ timeout: 1 });
    vi.restoreAllMocks();
    proxy.stop();
  });

  it("sends two statements per poll for any number of pages, and none without a page", async () => {
    const counted = await countedConnection();
    const events = openEvents(counted.db);
    const logins = await Promise.all(times(20, async () => createLogin(db, await createUser(db))));
    const all = await Promise.all(logins.map(({ session }) => watch(events, session)));
    counted.take();
    const asked: string[] = [];
    await vi.waitFor(() => expect(asked.push(...counted.take())).toBeGreaterThan(3), 30_000);
    expect(asked.slice(0, 4).sort()).toEqual(["select", "select", "with", "with"]);
    for (const { handle } of all) handle?.stop();
    await sleep(2 * PAUSE); // let pending events arrive
    counted.take();
    await sleep(3 * PAUSE);
    expect(counted.take()).toEqual([]);
  });

  it("evicts the oldest watcher above the cap of one session", async () => {
    const events = openEvents();
    const { session } = await createLogin(db, await createUser(db));
    const all = [];
    for (const _ of times(8, () => 0)) all.push(await watch(events, session));
    expect(all.map(({ received }) => received)).toEqual([
      ["evicted"],
      ["evicted"],
      ...times(6, () => []),
    ]);
    expect(events.watching()).toBe(6);
    for (const { handle } of all) handle?.stop();
    expect(events.watching()).toBe(0);
  });

  it("keeps no watcher whose session could not be checked", async () => {
    const proxy = await startTcpProxy(databaseUrl);
    const proxied = connect(proxy.url, { max: 1 });
    const events = openEvents(proxied.db);
    const { session } = await createLogin(db, await createUser(db));
    (await watch(events, session)).handle?.stop();
    proxy.cut();
    await expect(watch(events, session)).rejects.toThrow();
    expect(events.watching()).toBe(0);
    await proxied.sql.end({ timeout: 1 });
    proxy.stop();
  });

  it("closes all watchers, and accepts none afterwards", async () => {
    const events = openEvents();
    const { session } = await createLogin(db, await createUser(db));
    const { received } = await watch(events, session);
    events.close();
    expect(received).toEqual(["closed"]);
    expect((await watch(events, session)).handle).toBeNull();
  });
});

describe("a change of a team's members", () => {
  it("notifies the user whose membership it is, and the other members, of each change", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const { session: outsider } = await createLogin(db, await createUser(db));
    const events = openEvents();
    const [own, others, none] = [
      await watch(events, session),
      await watch(events, owner.session),
      await watch(events, outsider),
    ];
    const changes = [
      sql`insert into members (team_id, user_id, role) values (${team.id}, ${user.id}, 'member')`,
      sql`update members set role = 'admin' where user_id = ${user.id}`,
      sql`delete from members where user_id = ${user.id}`,
    ];
    for (const [index, change] of changes.entries()) {
      await change;
      await vi.waitFor(() => {
        expect(own.received).toEqual(times(index + 1, () => "teams"));
        expect(others.received).toEqual(times(index + 1, () => "members"));
      }, 30_000);
    }
    await settle(events);
    expect(none.received).toEqual([]);
  });

  it("notifies the members of a team that is deleted", async () => {
    const { team, owner } = await createOwnedTeam(db);
    const events = openEvents();
    const { received } = await watch(events, owner.session);
    await sql`delete from teams where id = ${team.id}`;
    await vi.waitFor(() => expect(received).toEqual(["teams"]), 30_000);
  });
});
