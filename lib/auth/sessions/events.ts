import { and, eq, inArray, sql } from "drizzle-orm";
import { livePolicy } from "@/lib/auth/policy";
import { type Db, database } from "@/lib/db/client";
import { openListener } from "@/lib/db/listen";
import { members } from "@/lib/db/schema/members";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { databaseEnv } from "@/lib/env";
import { hours, seconds } from "@/lib/time";
import { endsAt, live } from "./live";
import { createWatchers, type SessionEvent, type Watcher } from "./watchers";

/*
 * Pushes session events to open pages (triggers on `sessions` and `members` → LISTEN/NOTIFY → SSE). The security fact:
 * events are advisory. `live` rejects an ended session at its next request whether or not the event
 * arrives. Change with it: the trigger's payload (drizzle/), app/(app)/live/route.ts, app/_ui/live.tsx.
 */

export type Watch = { stop(): void };

export type SessionEvents = {
  /**
   * Notifies of a session's events until it ends, is evicted or closed, or until `stop`. Null where no
   * events can be had: this server is full, or its database delivers no notifications.
   */
  watch(
    session: { id: string; userId: string },
    notify: (event: SessionEvent) => void,
  ): Promise<Watch | null>;
  /** The number of watchers of this process, for measurements. */
  watching(): number;
  close(): Promise<void>;
};

/** `url` must lead to the database itself, or to a pooler that keeps a session per connection. */
export function openSessionEvents(db: Db, url: string): SessionEvents {
  const watchers = createWatchers();
  const timers = new Map<Watcher, NodeJS.Timeout>();
  let closed = false;
  const listener = openListener({
    name: "session events",
    channel: "session_changes",
    probeTimeout: livePolicy.probe,
    ...{ url, db, onNotification },
    async onReconnect() {
      await check(watchers.all());
      notifyAll("devices");
      notifyAll("teams");
    },
  });
  const heartbeat = setInterval(() => notifyAll("heartbeat"), livePolicy.heartbeat);
  heartbeat.unref();

  return {
    async watch({ id: sessionId, userId }, notify) {
      if (closed || watchers.isFull()) return null;
      const watcher: Watcher = { sessionId, userId, notify };
      // Added before the check below, so that no change falls between the two.
      for (const oldest of watchers.add(watcher)) dismiss(oldest, "evicted");
      if (!(await listener.start())) {
        remove(watcher);
        return null;
      }
      await check([watcher]).catch((error) => {
        remove(watcher); // the caller gets no handle to stop it
        throw error;
      });
      return { stop: () => remove(watcher) };
    },
    watching: watchers.count,
    async close() {
      closed = true;
      clearInterval(heartbeat);
      for (const watcher of watchers.all()) dismiss(watcher, "closed");
      await listener.close();
    },
  };

  /**
   * The payload of the triggers: "insert" or "delete", session and user; or "member", user and team. "*" and
   * "member *" after very many rows.
   */
  function onNotification(payload: string): void {
    if (payload === "*") check(watchers.all()).catch(report);
    if (payload === "member *") notifyAll("teams");
    const [operation, sessionId, userId = ""] = payload.split(" ");
    if (operation === "member") return void notifyMembers(`${sessionId}`, userId).catch(report);
    for (const watcher of watchers.ofUser(userId)) {
      if (watcher.sessionId !== sessionId) watcher.notify("devices");
      else if (operation === "delete") dismiss(watcher, "ended");
    }
  }

  /** The user whose membership changed, and the other members of that team who watch. */
  async function notifyMembers(changed: string, teamId: string): Promise<void> {
    for (const watcher of watchers.ofUser(changed)) watcher.notify("teams");
    const others = watchers.all().filter(({ userId }) => userId !== changed);
    if (others.length === 0 || !teamId) return;
    const ids = [...new Set(others.map(({ userId }) => userId))];
    const rows = await db
      .select({ userId: members.userId })
      .from(members)
      .where(and(eq(members.teamId, teamId), inArray(members.userId, ids)));
    for (const { userId } of rows)
      for (const watcher of watchers.ofUser(userId)) watcher.notify("members");
  }

  /** One query for any number of watchers: dismisses those of ended sessions, and times the others. */
  async function check(all: Watcher[]): Promise<void> {
    const left = await secondsLeft(db, all);
    for (const watcher of all) {
      // Removed while the query ran: a timer would keep it in memory.
      if (!watchers.has(watcher)) continue;
      const ends = left.get(watcher.sessionId);
      if (ends === undefined) dismiss(watcher, "ended");
      else checkAgainIn(watcher, seconds(ends + 1)); // a second late, so that it has ended by then
    }
  }

  /** Where the session was used meanwhile, that check finds a later end. */
  function checkAgainIn(watcher: Watcher, wait: number): void {
    clearTimeout(timers.get(watcher));
    const timer = setTimeout(() => check([watcher]).catch(report), Math.min(wait, hours(12)));
    timers.set(watcher, timer.unref());
  }

  function dismiss(watcher: Watcher, event: "ended" | "evicted" | "closed"): void {
    remove(watcher);
    watcher.notify(event);
  }

  function remove(watcher: Watcher): void {
    watchers.remove(watcher);
    clearTimeout(timers.get(watcher));
    timers.delete(watcher);
  }

  function notifyAll(event: SessionEvent): void {
    for (const watcher of watchers.all()) watcher.notify(event);
  }
}

/** Of each watched session that is live, by its id: how long it lasts if it is not used. */
async function secondsLeft(db: Db, watchers: Watcher[]): Promise<Map<string, number>> {
  if (watchers.length === 0) return new Map();
  const ids = [...new Set(watchers.map(({ sessionId }) => sessionId))];
  const rows = await db
    .select({ id: sessions.id, left: sql<number>`extract(epoch from ${endsAt} - now())::float8` })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(sql`${inArray(sessions.id, ids)} and ${live}`);
  return new Map(rows.map(({ id, left }) => [id, left]));
}

function report(error: unknown): void {
  console.error("session events: checking sessions failed", error);
}

// On globalThis, because a development server evaluates this module again at every change, and
// because instrumentation.ts and the pages are bundled apart from each other.
const SHARED = Symbol.for("latchkey.session-events");
const shared: { [SHARED]?: SessionEvents } = globalThis as object;

/** This server's. Opens no connection before the first watch. */
export function sessionEvents(): SessionEvents {
  const { DATABASE_URL, DATABASE_DIRECT_URL } = databaseEnv();
  shared[SHARED] ??= openSessionEvents(database(), DATABASE_DIRECT_URL ?? DATABASE_URL);
  return shared[SHARED];
}

/** At shutdown, which open streams would delay. */
export async function closeSessionEvents(): Promise<void> {
  await shared[SHARED]?.close();
}
