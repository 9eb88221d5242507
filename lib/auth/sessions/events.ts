import { and, eq, type SQL, sql } from "drizzle-orm";
import { livePolicy } from "@/lib/auth/policy";
import { type Db, database } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { live } from "./live";
import { createWatchers, type SessionEvent, type Watcher } from "./watchers";

/*
 * Pushes session events to open pages, as Server-Sent Events. While a page is open, each server reads every half
 * second what its users may see, and compares that with what it read before; while none is open it asks nothing.
 * Notifications of Postgres (NOTIFY) made logins wait for each other: one lock for all databases of a server is
 * held until the commit is on disk.
 *
 * The security fact: events are advisory. `live` rejects an ended session at its next request whether or not the
 * event arrives. Change with it: app/(app)/live/route.ts, app/_ui/live.tsx.
 */

export type Watch = { stop(): void };

export type SessionEvents = {
  /**
   * Notifies of a session's events until it ends, is evicted or closed, or until `stop`. Null where this
   * server is full or stops. Throws where the database does not answer.
   */
  watch(
    session: { id: string; userId: string },
    notify: (event: SessionEvent) => void,
  ): Promise<Watch | null>;
  /** The number of watchers of this process, for measurements. */
  watching(): number;
  close(): void;
};

/** What the pages of a user show, as of one moment. Compared, never read. */
type Seen = {
  /** The ids of the live sessions. */
  sessions: string;
  /** The user's teams, and the role in each. */
  teams: string;
  /** Who else is in these teams, and in which role. */
  members: string;
};

const nothing: Seen = { sessions: "", teams: "", members: "" };

/** `pause` between two readings: milliseconds. */
export function openSessionEvents(db: Db, pause: number = livePolicy.poll): SessionEvents {
  const watchers = createWatchers();
  const seen = new Map<string, Seen>();
  let closed = false;
  let failed = false;
  let polling = false;
  const heartbeat = setInterval(() => notifyAll("heartbeat"), livePolicy.heartbeat);
  heartbeat.unref();

  return {
    async watch({ id: sessionId, userId }, notify) {
      if (closed || watchers.isFull()) return null;
      const watcher: Watcher = { sessionId, userId, notify };
      for (const oldest of watchers.add(watcher)) dismiss(oldest, "evicted");
      try {
        await compare([watcher]);
      } catch (error) {
        remove(watcher); // the caller gets no handle to stop it
        throw error;
      }
      if (!polling) setTimeout(poll, pause).unref();
      polling = true;
      return { stop: () => remove(watcher) };
    },
    watching: watchers.count,
    close() {
      closed = true;
      clearInterval(heartbeat);
      for (const watcher of watchers.all()) dismiss(watcher, "closed");
    },
  };

  async function poll(): Promise<void> {
    const start = performance.now();
    try {
      await compare(watchers.all());
      failed = false;
    } catch (error) {
      // At shutdown the pool closes under a reading.
      if (!failed && !closed) console.error("session events: the database does not answer", error);
      failed = true;
    }
    // With very many pages open, a reading takes at most a tenth of two connections' time.
    const longer = Math.min(9 * (performance.now() - start), livePolicy.longestPoll);
    polling = watchers.count() > 0;
    if (polling) setTimeout(poll, Math.max(pause, longer)).unref();
  }

  /** Tells the watchers what changed since their user was last read. */
  async function compare(asked: Watcher[]): Promise<void> {
    if (asked.length === 0) return;
    const now = await read(db, [...new Set(asked.map(({ userId }) => userId))]);
    const changes = new Map<string, SessionEvent[]>();
    for (const watcher of asked) {
      if (!watchers.has(watcher)) continue; // removed while the query ran
      const { userId, sessionId } = watcher;
      const current = now.get(userId) ?? nothing;
      if (!current.sessions.includes(sessionId)) {
        dismiss(watcher, "ended");
        continue;
      }
      if (!changes.has(userId)) {
        changes.set(userId, difference(seen.get(userId) ?? current, current));
        seen.set(userId, current);
      }
    }
    // To all watchers of the user, as what was seen is kept once for them.
    for (const [userId, events] of changes)
      for (const watcher of watchers.ofUser(userId)) events.forEach(watcher.notify);
  }

  function dismiss(watcher: Watcher, event: "ended" | "evicted" | "closed"): void {
    remove(watcher);
    watcher.notify(event);
  }

  function remove(watcher: Watcher): void {
    watchers.remove(watcher);
    if (watchers.ofUser(watcher.userId).length === 0) seen.delete(watcher.userId);
  }

  function notifyAll(event: SessionEvent): void {
    for (const watcher of watchers.all()) watcher.notify(event);
  }
}

function difference(before: Seen, now: Seen): SessionEvent[] {
  const events: SessionEvent[] = [];
  if (now.sessions !== before.sessions) events.push("devices");
  if (now.teams !== before.teams) events.push("teams");
  else if (now.members !== before.members) events.push("members");
  return events;
}

/** By user id. A user without a live session is missing. */
async function read(db: Db, userIds: string[]): Promise<Map<string, Seen>> {
  const ids = sql`${`{${userIds}}`}::uuid[]`;
  const [ofSessions, ofTeams] = await Promise.all([readSessions(db, ids), readTeams(db, ids)]);
  return new Map(
    ofSessions.map(({ id, sessions: own }) => [
      id,
      { ...nothing, ...ofTeams.get(id), sessions: own },
    ]),
  );
}

function readSessions(db: Db, userIds: SQL) {
  return db
    .select({
      id: sessions.userId,
      sessions: sql<string>`string_agg(${sessions.id}::text, ' ' order by ${sessions.id})`,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(sql`${sessions.userId} = any(${userIds})`, live))
    .groupBy(sessions.userId);
}

/** Of a team with many members, a sum of hashes stands for them. */
async function readTeams(db: Db, userIds: SQL) {
  const rows = await db.execute<{ id: string; teams: string; members: string }>(sql`
    with own as (select user_id, team_id, role from members where user_id = any(${userIds})),
      whole as (
        select team_id, count(*) || ':' || sum(hashtextextended(user_id || role, 0)) as print
        from members where team_id in (select team_id from own) group by team_id)
    select user_id as id, string_agg(team_id || role, ' ' order by team_id) as teams,
      string_agg(print, ' ' order by team_id) as members
    from own join whole using (team_id) group by user_id`);
  return new Map(rows.map(({ id, ...row }) => [id, row]));
}

// On globalThis, because a development server evaluates this module again at every change, and
// because instrumentation.ts and the pages are bundled apart from each other.
const SHARED = Symbol.for("latchkey.session-events");
const shared: { [SHARED]?: SessionEvents } = globalThis as object;

/** This server's. Asks nothing before the first watch. */
export function sessionEvents(): SessionEvents {
  shared[SHARED] ??= openSessionEvents(database());
  return shared[SHARED];
}

/** At shutdown, which open streams would delay. */
export function closeSessionEvents(): void {
  shared[SHARED]?.close();
}
