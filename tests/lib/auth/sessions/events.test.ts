import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { unknownClient } from "@/lib/audit";
import { deleteAccount } from "@/lib/auth/account/deletion";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { createLink } from "@/lib/auth/links";
import {
  deleteExpiredSessions,
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import {
  openSessionChanges,
  type SessionChanges,
  type SessionNews,
} from "@/lib/auth/sessions/events";
import type { Session } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import { connect } from "@/lib/db/client";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { createLogin, createPerson, newPassword, withPassword } from "@/tests/support/people";
import { times } from "@/tests/support/races";
import { addSessions } from "@/tests/support/rows";
import { startWire } from "@/tests/support/wire";

const open: SessionChanges[] = [];
afterEach(async () => {
  for (const changes of open.splice(0)) await changes.close();
});

function openChanges(url = databaseUrl): SessionChanges {
  const changes = openSessionChanges(db, url);
  open.push(changes);
  return changes;
}

/** What is told about a session, as it comes in. */
async function watch(changes: SessionChanges, session: Pick<Session, "id" | "userId">) {
  const news: SessionNews[] = [];
  const handle = await changes.watch(session, (each) => news.push(each));
  return { news, handle };
}

/** Until all that was sent before has come in: a change of somebody's is watched to arrive. */
async function settle(changes: SessionChanges): Promise<void> {
  const marker = await createLogin(db, await createPerson(db));
  const { news } = await watch(changes, marker.session);
  await invalidateSession(db, marker.session, marker.session.id);
  await vi.waitFor(() => expect(news).toEqual(["ended"]), 5000);
}

type World = { here: { session: Session; token: string }; there: { session: Session } };

const endings: Record<string, (world: World) => Promise<unknown>> = {
  "log out": ({ here }) => invalidateSession(db, here.session, here.session.id),
  "log out from another device": ({ here, there }) =>
    invalidateSession(db, there.session, here.session.id),
  "log out other devices": ({ there }) => invalidateOtherSessions(db, there.session),
  "log out everywhere": ({ here }) => invalidateAllUserSessions(db, here.session.userId),
  "a password reset": async ({ here }) => {
    const { userId, user } = here.session;
    const link = { userId, purpose: "password-reset", sentTo: user.email } as const;
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
    await addSessions({ id: here.session.userId }, 49);
    await createLogin(db, { id: here.session.userId, email: "", name: "" });
  },
};

describe("openSessionChanges", () => {
  it.each(Object.entries(endings))("tells of %s, and nobody else", async (_, happens) => {
    const changes = openChanges();
    const person = await createPerson(db);
    const here = await createLogin(db, person);
    const there = await createLogin(db, person);
    const stranger = await createLogin(db, await createPerson(db));
    const [own, other] = [
      await watch(changes, here.session),
      await watch(changes, stranger.session),
    ];
    await happens({ here, there });
    await vi.waitFor(() => expect(own.news.at(-1)).toBe("ended"), 5000);
    await settle(changes);
    expect(own.news.filter((news) => news === "ended")).toHaveLength(1);
    expect(other.news).toEqual([]);
    expect(changes.watching()).toBe(1);
  });

  it("tells the user's other sessions that a device came, and that one went", async () => {
    const changes = openChanges();
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    const { news } = await watch(changes, session);
    const other = await createLogin(db, person);
    await vi.waitFor(() => expect(news).toEqual(["devices"]), 5000);
    await invalidateSession(db, session, other.session.id);
    await vi.waitFor(() => expect(news).toEqual(["devices", "devices"]), 5000);
  });

  it("says nothing of a rotation, of what is rolled back, and of what had expired", async () => {
    const changes = openChanges();
    const person = await createPerson(db);
    const { session, token } = await createLogin(db, person);
    const { news } = await watch(changes, session);
    await rotateSession(db, token);
    await db
      .transaction(async (tx) => {
        await invalidateSession(tx, session, session.id);
        throw new Error("rolled back");
      })
      .catch(() => {});
    await addSessions(person, 3, "1 second");
    await sql`update sessions set expires_at = now() - interval '1 second'
      where user_id = ${person.id} and id <> ${session.id}`;
    await settle(changes);
    const before = news.length;
    await deleteExpiredSessions(db);
    await settle(changes);
    expect(news).toEqual(Array(before).fill("devices"));
  });

  it("asks about everybody when very many end at once", async () => {
    const changes = openChanges();
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    const bystander = await createLogin(db, await createPerson(db));
    const [own, other] = [await watch(changes, session), await watch(changes, bystander.session)];
    await addSessions(person, 300);
    await sql`delete from sessions where user_id = ${person.id}`;
    await vi.waitFor(() => expect(own.news).toContain("ended"), 5000);
    expect(other.news).not.toContain("ended");
  });

  it("tells who was dead before anybody listened", async () => {
    const { session } = await createLogin(db, await createPerson(db));
    await invalidateSession(db, session, session.id);
    expect((await watch(openChanges(), session)).news).toEqual(["ended"]);
  });

  it("tells of an end that comes by itself", async () => {
    const { session } = await createLogin(db, await createPerson(db));
    await sql`update sessions set expires_at = now() + interval '1 second' where id = ${session.id}`;
    const { news } = await watch(openChanges(), session);
    expect(news).toEqual([]);
    await vi.waitFor(() => expect(news).toEqual(["ended"]), 5000);
  });

  it("listens again after its connection is lost, and tells what happened meanwhile", async () => {
    const wire = await startWire(databaseUrl);
    const changes = openChanges(wire.url);
    const person = await createPerson(db);
    const [ended, lives] = [await createLogin(db, person), await createLogin(db, person)];
    const [first, second] = [
      await watch(changes, ended.session),
      await watch(changes, lives.session),
    ];
    wire.cut();
    await invalidateSession(db, lives.session, ended.session.id);
    await sleep(300);
    expect(first.news).toEqual([]);
    wire.mend();
    await vi.waitFor(() => expect(first.news).toEqual(["ended"]), 10_000);
    expect(second.news).not.toContain("ended");
    await invalidateSession(db, lives.session, lives.session.id);
    await vi.waitFor(() => expect(second.news.at(-1)).toBe("ended"), 5000);
    await changes.close();
    wire.stop();
  }, 20_000);

  it("asks the database nothing while nothing happens", async () => {
    const wire = await startWire(databaseUrl);
    const changes = openChanges(wire.url);
    const logins = await Promise.all(
      times(20, async () => createLogin(db, await createPerson(db))),
    );
    for (const { session } of logins) await watch(changes, session);
    wire.clear();
    await sleep(500);
    expect(wire.messages).toEqual([]);
    await changes.close();
    wire.stop();
  });

  it("holds no more than so many watches of one session: the oldest goes", async () => {
    const changes = openChanges();
    const { session } = await createLogin(db, await createPerson(db));
    const all = [];
    for (const _ of times(8, () => 0)) all.push(await watch(changes, session));
    expect(all.map(({ news }) => news)).toEqual([["crowded"], ["crowded"], ...times(6, () => [])]);
    expect(changes.watching()).toBe(6);
    for (const { handle } of all) handle?.stop();
    expect(changes.watching()).toBe(0);
  });

  it("gives up, and says so once, where no notification arrives", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    // As behind a transaction pooler: LISTEN is taken, and heard in another place.
    const [other] = await sql<{ url: string }[]>`select current_database() as url`;
    const elsewhere = Object.assign(new URL(databaseUrl), { pathname: "/postgres" }).href;
    expect(other?.url).not.toBe("postgres");
    const changes = openChanges(elsewhere);
    const { session } = await createLogin(db, await createPerson(db));
    for (const _ of times(3, () => 0)) expect((await watch(changes, session)).handle).toBeNull();
    expect(warn).toHaveBeenCalledTimes(1);
    expect(changes.watching()).toBe(0);
    warn.mockRestore();
  });

  it("gives up too, once, where the address carries our own word for a pooler", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const elsewhere = Object.assign(new URL(databaseUrl), { pathname: "/postgres" }).href;
    const changes = openChanges(`${elsewhere}?pgbouncer=true`);
    const { session } = await createLogin(db, await createPerson(db));
    for (const _ of times(3, () => 0)) expect((await watch(changes, session)).handle).toBeNull();
    expect([warn.mock.calls.length, error.mock.calls.length]).toEqual([1, 0]);
    vi.restoreAllMocks();
  });

  it("says once that the database refuses, and holds nobody", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const wire = await startWire(databaseUrl);
    wire.cut();
    const changes = openChanges(wire.url);
    const { session } = await createLogin(db, await createPerson(db));
    const three = () => Promise.all(times(3, () => watch(changes, session)));
    for (const { handle } of [...(await three()), ...(await three())]) expect(handle).toBeNull();
    expect([error.mock.calls.length, changes.watching()]).toEqual([1, 0]);
    wire.mend();
    expect((await watch(changes, session)).handle).not.toBeNull();
    await changes.close();
    vi.restoreAllMocks();
    wire.stop();
  });

  it("holds nobody whose session could not be looked up", async () => {
    const wire = await startWire(databaseUrl);
    const wired = connect(wire.url, { max: 1 });
    const changes = openSessionChanges(wired.db, databaseUrl);
    open.push(changes);
    const { session } = await createLogin(db, await createPerson(db));
    (await watch(changes, session)).handle?.stop();
    wire.cut();
    await expect(watch(changes, session)).rejects.toThrow();
    expect(changes.watching()).toBe(0);
    await wired.sql.end({ timeout: 1 });
    wire.stop();
  });

  it("keeps no timer of a watch that went while it was looked up", async () => {
    const changes = openChanges();
    const { session } = await createLogin(db, await createPerson(db));
    const [set, clear] = [vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "clearTimeout")];
    const all = await Promise.all(times(40, () => watch(changes, session)));
    for (const { handle } of all) handle?.stop();
    const armed = set.mock.calls.flatMap(([, wait], at) =>
      Number(wait) > 1e6 ? [set.mock.results[at]?.value] : [],
    );
    const cleared = new Set<unknown>(clear.mock.calls.map(([timer]) => timer));
    expect(armed.length).toBeGreaterThan(0);
    expect(armed.filter((timer) => !cleared.has(timer))).toEqual([]);
    vi.restoreAllMocks();
  });

  it("closes all it holds, and takes nobody any more", async () => {
    const changes = openChanges();
    const { session } = await createLogin(db, await createPerson(db));
    const { news } = await watch(changes, session);
    await changes.close();
    expect(news).toEqual(["closed"]);
    expect((await watch(changes, session)).handle).toBeNull();
    const [row] = await sql<{ n: number }[]>`
      select count(*)::int as n from pg_stat_activity
      where datname = current_database() and application_name = 'latchkey listener'`;
    expect(row?.n).toBe(0);
  });
});
