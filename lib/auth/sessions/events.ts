import { and, eq, type SQL, sql } from "drizzle-orm";
import { livePolicy } from "@/lib/auth/policy";
import { type Db, database } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { live } from "./live";
import { createWatchers, type SessionEvent, type Watcher } from "./watchers";

/*
 * Pushes session events to open pages, as Server-Sent Events. While a page is open, each server
 * reads every half second what the pages of its users show, and compares it with the previous
 * reading. While no page is open, it makes no queries. It does not use Postgres notifications,
 * because NOTIFY made logins wait for each other: it holds one lock, shared by all databases of a
 * server, until the commit is on disk.
 *
 * Security: events are advisory. `live` rejects an ended session at its next request whether or not
 * the event arrives. Change with it: app/(app)/live/route.ts, app/_ui/live.tsx.
 */

export type Watch = { stop(): void };

export type SessionEvents = {
  /**
   * Calls `notify` for each of the session's events until the session ends, the watcher is evicted
   * or closed, or `stop` is called. Returns null if this server is full or is shutting down. Throws
   * if the database does not answer.
   */
  watch(
    session: { id: string; userId: string },
    notify: (event: SessionEvent) => void,
  ): Promise<Watch | null>;
  /** Returns the number of watchers in this process, for measurements. */
  watching(): number;
  close(): void;
};

/** A snapshot of what a user's pages show, as strings to compare with the next snapshot. */
type Seen = {
  /** The ids of the live sessions. */
  sessions: string;
  /** The user's teams, and the role in each. */
  teams: string;
  /** A digest of the members of these teams and their roles. */
  members: string;
};

const nothing: Seen = { sessions: "", teams: "", members: "" };

/** `pause` is the time between two readings, in milliseconds. */
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
      // At shutdown the pool may close during a reading, which is not an error.
      if (!failed && !closed) console.error("session events: the database does not answer", error);
      failed = true;
    }
    // Waits nine times as long as the reading took, up to `longestPoll`: with very many pages open,
    // the readings then take a tenth of the time of two connections.
    const longer = Math.min(9 * (performance.now() - start), livePolicy.longestPoll);
    polling = watchers.count() > 0;
    if (polling) setTimeout(poll, Math.max(pause, longer)).unref();
  }

  /** Notifies the watchers of what changed since their user was last read. */
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
    // Notifies all watchers of the user, not only `asked`, because they share one entry in `seen`.
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

/** Returns a snapshot for each user id. Omits users without a live session. */
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

/** Represents a team's members by their count and a sum of hashes, since there can be many. */
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

// Stored on globalThis, because a development server evaluates this module again at every change,
// and because instrumentation.ts and the pages are bundled separately.
const SHARED = Symbol.for("latchkey.session-events");
const shared: { [SHARED]?: SessionEvents } = globalThis as object;

/** Returns this server's session events. Makes no query before the first watch. */
export function sessionEvents(): SessionEvents {
  shared[SHARED] ??= openSessionEvents(database());
  return shared[SHARED];
}

/** Closes all streams. Called at shutdown, which open streams would delay. */
export function closeSessionEvents(): void {
  shared[SHARED]?.close();
}
