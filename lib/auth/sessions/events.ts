import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { eq, inArray, sql } from "drizzle-orm";
import postgres from "postgres";
import { livePolicy } from "@/lib/auth/policy";
import { type Db, database } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { databaseEnv } from "@/lib/env";
import { hours, seconds } from "@/lib/time";
import { endsAt, live } from "./live";

/*
 * Owns the news that a session has ended, on its way from the database to whoever watches it. The
 * security fact: nothing depends on it. A session that has ended is dead at its next request,
 * whether or not anybody was told; this only spares its person from finding out by a click. A
 * trigger on `sessions` notifies, each server listens on one connection, and nothing is asked of the
 * database while nothing happens.
 */

/**
 * "devices": another session of the same user came or went. "crowded": see livePolicy. "closed": this
 * server stops, and another one may be asked.
 */
export type SessionNews = "ended" | "devices" | "beat" | "crowded" | "closed";

export type Watch = { stop(): void };

export type SessionChanges = {
  /**
   * Tells what happens to a session until it ends, is crowded out or closed, or until it is stopped. Null where
   * there can be no news: this server is full, or its database cannot notify.
   */
  watch(
    session: { id: string; userId: string },
    tell: (news: SessionNews) => void,
  ): Promise<Watch | null>;
  /** Of this process, for its measurements. */
  watching(): number;
  close(): Promise<void>;
};

type Watcher = {
  sessionId: string;
  userId: string;
  tell(news: SessionNews): void;
  end?: NodeJS.Timeout;
};

const CHANNEL = "session_changes";

/** `url` must lead to the database itself, or to a pooler that keeps a session per connection. */
export function openSessionChanges(db: Db, url: string): SessionChanges {
  const watchers = new Map<string, Set<Watcher>>(); // by user: that is whom a change concerns
  let count = 0;
  let closed = false;
  let listening: Promise<boolean> | undefined;
  let listener: postgres.Sql | undefined;
  let losses = 0; // of the listener's connection
  let recovering = false;
  let refused = false; // the log says so once, however many streams ask
  let echo: { word: string; heard(): void } | undefined;
  const beat = setInterval(() => tellEveryone("beat"), livePolicy.beat);
  beat.unref();

  return {
    async watch({ id: sessionId, userId }, tell) {
      if (closed || count >= livePolicy.streamsPerServer) return null;
      const watcher: Watcher = { sessionId, userId, tell };
      add(watcher); // before the check below, so that no change falls between the two
      listening ??= listen();
      if (!(await listening)) {
        remove(watcher);
        return null;
      }
      await verify([watcher]).catch((error) => {
        remove(watcher); // nobody else would: the caller has nothing to stop
        throw error;
      });
      return { stop: () => remove(watcher) };
    },
    watching: () => count,
    async close() {
      closed = true;
      clearInterval(beat);
      for (const watcher of everyone()) {
        remove(watcher);
        watcher.tell("closed");
      }
      await listener?.end({ timeout: 1 });
    },
  };

  function everyone(): Watcher[] {
    return [...watchers.values()].flatMap((set) => [...set]);
  }

  function tellEveryone(news: SessionNews): void {
    for (const watcher of everyone()) watcher.tell(news);
  }

  function add(watcher: Watcher): void {
    const own = watchers.get(watcher.userId) ?? new Set();
    watchers.set(watcher.userId, own.add(watcher));
    count++;
    const same = [...own].filter(({ sessionId }) => sessionId === watcher.sessionId);
    same.slice(0, -livePolicy.streamsPerSession).forEach(crowd);
  }

  function remove(watcher: Watcher): void {
    clearTimeout(watcher.end);
    const own = watchers.get(watcher.userId);
    if (!own?.delete(watcher)) return;
    count--;
    if (own.size === 0) watchers.delete(watcher.userId);
  }

  function crowd(watcher: Watcher): void {
    remove(watcher);
    watcher.tell("crowded");
  }

  function end(watcher: Watcher): void {
    remove(watcher);
    watcher.tell("ended");
  }

  function heard(payload: string): void {
    if (payload === echo?.word) echo.heard();
    if (payload === "*") verify(everyone()).catch(report);
    const [what, sessionId, userId = ""] = payload.split(" ");
    for (const watcher of watchers.get(userId) ?? []) {
      if (watcher.sessionId !== sessionId) watcher.tell("devices");
      else if (what === "delete") end(watcher);
    }
  }

  /** One query for any number of watchers: who is dead is told, who lives is asked again at its end. */
  async function verify(all: Watcher[]): Promise<void> {
    if (all.length === 0) return;
    const ids = [...new Set(all.map(({ sessionId }) => sessionId))];
    const rows = await db
      .select({ id: sessions.id, left: sql<number>`extract(epoch from ${endsAt} - now())::float8` })
      .from(sessions)
      .innerJoin(users, eq(users.id, sessions.userId))
      .where(sql`${inArray(sessions.id, ids)} and ${live}`);
    const left = new Map(rows.map((row) => [row.id, row.left]));
    for (const watcher of all) {
      // Gone while the query was under way: a timer of its own would keep it.
      if (!watchers.get(watcher.userId)?.has(watcher)) continue;
      const ends = left.get(watcher.sessionId);
      if (ends === undefined) end(watcher);
      else {
        clearTimeout(watcher.end);
        // Touched meanwhile, it ends later. A second late, so that it is over by then.
        const wait = Math.min(seconds(ends + 1), hours(12));
        watcher.end = setTimeout(() => void verify([watcher]).catch(report), wait);
        watcher.end.unref();
      }
    }
  }

  /** Whether news can come. A pooler may take a LISTEN and never deliver: so it is tried out. */
  async function listen(): Promise<boolean> {
    const target = new URL(url);
    target.searchParams.delete("pgbouncer"); // ours, and not a parameter of the server
    const client = postgres(target.href, {
      max: 1,
      idle_timeout: 0,
      max_lifetime: null,
      fetch_types: false,
      prepare: false,
      connect_timeout: 5,
      backoff: () => 0.5,
      onnotice: () => {},
      connection: { application_name: "latchkey listener" },
      // Its types do not name the option that its own `listen` is built on; that one gives up when
      // the database is away for long.
      ...{ onnotify: (_channel: string, payload: string) => heard(payload) },
      onclose() {
        losses++;
        if (listener === client) recover(client);
      },
    });
    try {
      // postgres.js tries for ever where a connection is taken and dropped again.
      const late = sleep(seconds(5), false, { ref: false });
      const listens = client.unsafe(`listen ${CHANNEL}`).then(() => true);
      listens.catch(() => {}); // also when it comes too late
      if (!(await Promise.race([listens, late]))) throw new Error("LISTEN got no answer.");
      if (await delivers()) {
        listener = client;
        refused = false;
        return true;
      }
      console.warn(
        "Live sign-out is off: this database connection delivers no notifications. " +
          "Behind a transaction pooler, set DATABASE_DIRECT_URL.",
      );
      await client.end({ timeout: 1 });
      return false;
    } catch (error) {
      if (!refused) report(error);
      refused = true;
      listening = undefined; // the next stream tries again
      await client.end({ timeout: 1 });
      return false;
    }
  }

  async function delivers(): Promise<boolean> {
    const word = `echo ${randomUUID()}`;
    const arrived = new Promise<boolean>((resolve) => {
      echo = { word, heard: () => resolve(true) };
    });
    await db.execute(sql`select pg_notify(${CHANNEL}, ${word})`);
    const answer = await Promise.race([arrived, sleep(livePolicy.echo, false, { ref: false })]);
    echo = undefined;
    return answer;
  }

  /** After a lost connection: listens again, and asks what was missed. */
  async function recover(client: postgres.Sql): Promise<void> {
    if (recovering) return;
    recovering = true;
    for (let seen = -1; !closed && seen !== losses; ) {
      seen = losses;
      try {
        await client.unsafe(`listen ${CHANNEL}`);
        await verify(everyone());
        tellEveryone("devices");
      } catch {
        seen = -1;
        await sleep(seconds(1), undefined, { ref: false });
      }
    }
    recovering = false;
  }

  function report(error: unknown): void {
    console.error("Live sign-out waits for the database:", error);
  }
}

// On globalThis, because a development server evaluates this module again at every change, and
// because instrumentation.ts and the pages are bundled apart from each other.
const SHARED = Symbol.for("latchkey.session-changes");
const shared: { [SHARED]?: SessionChanges } = globalThis as object;

/** This server's. Opens no connection before the first watch. */
export function sessionChanges(): SessionChanges {
  const { DATABASE_URL, DATABASE_DIRECT_URL } = databaseEnv();
  shared[SHARED] ??= openSessionChanges(database(), DATABASE_DIRECT_URL ?? DATABASE_URL);
  return shared[SHARED];
}

/** At shutdown: open streams would hold it up. */
export async function closeSessionChanges(): Promise<void> {
  await shared[SHARED]?.close();
}
