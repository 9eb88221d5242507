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
import { databaseUrl, db, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { addSessions } from "@/tests/support/rows";
import { startTcpProxy } from "@/tests/support/tcp-proxy";
import { createOwnedTeam } from "@/tests/support/teams";
import { createLogin, createUser, newPassword, withPassword } from "@/tests/support/users";

const open: SessionEvents[] = [];
afterEach(async () => {
  for (const events of open.splice(0)) await events.close();
});

function openEvents(url = databaseUrl): SessionEvents {
  const events = openSessionEvents(db, url);
  open.push(events);
  return events;
}

/** The events of a session, as they arrive. */
async function watch(events: SessionEvents, session: Pick<Session, "id" | "userId">) {
  const received: SessionEvent[] = [];
  const handle = await events.watch(session, (each) => received.push(each));
  return { received, handle };
}

/** Until all earlier notifications have arrived: another user's session is ended, and its event awaited. */
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
  it.each(Object.entries(endings))("notifies of %s, and not another user", async (_, happens) => {
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

  it("does not notify of a rotation, a rollback or the deletion of expired sessions", async () => {
    const events = openEvents();
    const user = await createUser(db);
    const { session, token } = await createLogin(db, user);
    const { received } = await watch(events, session);
    await rotateSession(db, token, ["pwd"]);
    await db
      .transaction(async (tx) => {
        await invalidateSession(tx, session, session.id);
        throw new Error("rolled back");
      })
      .catch(() => {});
    await addSessions(user, 3, "1 second");
    await sql`update sessions set expires_at = now() - interval '1 second'
      where user_id = ${user.id} and id <> ${session.id}`;
    await settle(events);
    const before = received.length;
    await deleteExpiredSessions(db);
    await settle(events);
    expect(received).toEqual(Array(before).fill("devices"));
  });

  it("checks every watched session when very many end at once", async () => {
    const events = openEvents();
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    const bystander = await createLogin(db, await createUser(db));
    const [own, other] = [await watch(events, session), await watch(events, bystander.session)];
    await addSessions(user, 300);
    await sql`delete from sessions where user_id = ${user.id}`;
    await vi.waitFor(() => expect(own.received).toContain("ended"), 30_000);
    expect(other.received).not.toContain("ended");
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

  it("listens again after a lost connection, and notifies of what ended meanwhile", async () => {
    const proxy = await startTcpProxy(databaseUrl);
    const events = openEvents(proxy.url);
    const user = await createUser(db);
    const [ended, lives] = [await createLogin(db, user), await createLogin(db, user)];
    const [first, second] = [
      await watch(events, ended.session),
      await watch(events, lives.session),
    ];
    proxy.cut();
    await invalidateSession(db, lives.session, ended.session.id);
    await sleep(300);
    expect(first.received).toEqual([]);
    proxy.mend();
    await vi.waitFor(() => expect(first.received).toEqual(["ended"]), 30_000);
    expect(second.received).not.toContain("ended");
    await invalidateSession(db, lives.session, lives.session.id);
    await vi.waitFor(() => expect(second.received.at(-1)).toBe("ended"), 30_000);
    await events.close();
    proxy.stop();
  });

  it("asks the database nothing while nothing happens", async () => {
    const proxy = await startTcpProxy(databaseUrl);
    const events = openEvents(proxy.url);
    const logins = await Promise.all(times(20, async () => createLogin(db, await createUser(db))));
    for (const { session } of logins) await watch(events, session);
    proxy.clear();
    await sleep(500);
    expect(proxy.messages).toEqual([]);
    await events.close();
    proxy.stop();
  });

  it("evicts the oldest watcher over the cap of one session", async () => {
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

  it("gives up, and logs it once, where no notification arrives", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    // As behind a transaction pooler: LISTEN is accepted, and nothing is delivered.
    const [other] = await sql<{ url: string }[]>`select current_database() as url`;
    const elsewhere = Object.assign(new URL(databaseUrl), { pathname: "/postgres" }).href;
    expect(other?.url).not.toBe("postgres");
    const events = openEvents(elsewhere);
    const { session } = await createLogin(db, await createUser(db));
    for (const _ of times(3, () => 0)) expect((await watch(events, session)).handle).toBeNull();
    expect(warn).toHaveBeenCalledTimes(1);
    expect(events.watching()).toBe(0);
    warn.mockRestore();
  });

  it("gives up, and logs it once, where the URL carries our pooler parameter", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const elsewhere = Object.assign(new URL(databaseUrl), { pathname: "/postgres" }).href;
    const events = openEvents(`${elsewhere}?pgbouncer=true`);
    const { session } = await createLogin(db, await createUser(db));
    for (const _ of times(3, () => 0)) expect((await watch(events, session)).handle).toBeNull();
    expect([warn.mock.calls.length, error.mock.calls.length]).toEqual([1, 0]);
    vi.restoreAllMocks();
  });

  it("logs once that the database refuses, and keeps no watcher", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const proxy = await startTcpProxy(databaseUrl);
    proxy.cut();
    const events = openEvents(proxy.url);
    const { session } = await createLogin(db, await createUser(db));
    const three = () => Promise.all(times(3, () => watch(events, session)));
    for (const { handle } of [...(await three()), ...(await three())]) expect(handle).toBeNull();
    expect([error.mock.calls.length, events.watching()]).toEqual([1, 0]);
    proxy.mend();
    expect((await watch(events, session)).handle).not.toBeNull();
    await events.close();
    vi.restoreAllMocks();
    proxy.stop();
  });

  it("keeps no watcher whose session could not be checked", async () => {
    const proxy = await startTcpProxy(databaseUrl);
    const proxied = connect(proxy.url, { max: 1 });
    const events = openSessionEvents(proxied.db, databaseUrl);
    open.push(events);
    const { session } = await createLogin(db, await createUser(db));
    (await watch(events, session)).handle?.stop();
    proxy.cut();
    await expect(watch(events, session)).rejects.toThrow();
    expect(events.watching()).toBe(0);
    await proxied.sql.end({ timeout: 1 });
    proxy.stop();
  });

  it("keeps no timer of a watcher that was stopped during its check", async () => {
    const events = openEvents();
    const { session } = await createLogin(db, await createUser(db));
    const [set, clear] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
    const all = await Promise.all(times(40, () => watch(events, session)));
    for (const { handle } of all) handle?.stop();
    const armed = set.mock.calls.flatMap(([, wait], at) =>
      Number(wait) > 1e6 ? [set.mock.results[at]?.value] : [],
    );
    const cleared = new Set<unknown>(clear.mock.calls.map(([timer]) => timer));
    expect(armed.length).toBeGreaterThan(0);
    expect(armed.filter((timer) => !cleared.has(timer))).toEqual([]);
    vi.restoreAllMocks();
  });

  it("closes all watchers, and accepts none afterwards", async () => {
    const events = openEvents();
    const { session } = await createLogin(db, await createUser(db));
    const { received } = await watch(events, session);
    await events.close();
    expect(received).toEqual(["closed"]);
    expect((await watch(events, session)).handle).toBeNull();
    const [row] = await sql<{ n: number }[]>`
      select count(*)::int as n from pg_stat_activity
      where datname = current_database() and application_name = 'latchkey listener'`;
    expect(row?.n).toBe(0);
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

  it("notifies every watcher once where very many rows change", async () => {
    const { session } = await createLogin(db, await createUser(db));
    const { team } = await createOwnedTeam(db);
    const events = openEvents();
    const { received } = await watch(events, session);
    await sql`
      with made as (
        insert into users (email, name)
        select gen_random_uuid() || '@example.com', 'One of many' from generate_series(1, 201)
        returning id)
      insert into members (team_id, user_id, role) select ${team.id}::uuid, id, 'member' from made`;
    await vi.waitFor(() => expect(received).toEqual(["teams"]), 30_000);
  });
});
