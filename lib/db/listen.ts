import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import { seconds } from "@/lib/time";
import type { Db } from "./client";

/*
 * Owns one connection that LISTENs on a channel, its probe and its reconnection. Delivery is not
 * guaranteed: what is notified while the connection is lost does not arrive, so `onReconnect` must read
 * the current state. Nothing is asked of the database while nothing is notified.
 */

export type Listener = {
  /**
   * Whether notifications arrive. The first call connects; after an error, the next call tries again.
   * False for good where the database takes LISTEN and delivers nothing, as a transaction pooler does.
   */
  start(): Promise<boolean>;
  close(): Promise<void>;
};

export type ListenerOptions = {
  /** Stands before its lines in the log. */
  name: string;
  channel: string;
  /** Must lead to the database itself, or to a pooler that keeps a session per connection. */
  url: string;
  /** Sends the probe. */
  db: Db;
  probeTimeout: number;
  onNotification(payload: string): void;
  /** After a lost connection. Called again until it succeeds. */
  onReconnect(): Promise<void>;
};

const PROBE = "probe ";

export function openListener(options: ListenerOptions): Listener {
  const { name, channel, url, db, probeTimeout, onNotification, onReconnect } = options;
  let started: Promise<boolean> | undefined;
  let current: postgres.Sql | undefined;
  let closed = false;
  let losses = 0; // of any connection of this listener
  let recovering = false;
  let reported = false; // one line in the log for each outage, however many calls fail
  let onProbe: { payload: string; arrived(): void } | undefined;

  return {
    start() {
      started ??= start();
      return started;
    },
    async close() {
      closed = true;
      await current?.end({ timeout: 1 });
    },
  };

  async function start(): Promise<boolean> {
    const client = connectListener(url, receive, () => {
      losses++;
      if (current === client) recover(client);
    });
    try {
      await listenWithin(client, channel, seconds(5));
      if (await delivers()) {
        current = client;
        reported = false;
        return true;
      }
      console.warn(
        `${name}: this database connection delivers no notifications. ` +
          "Behind a transaction pooler, set DATABASE_DIRECT_URL.",
      );
    } catch (error) {
      if (!reported) console.error(`${name}: LISTEN failed, retrying`, error);
      reported = true;
      started = undefined; // the next call tries again
    }
    await client.end({ timeout: 1 });
    return false;
  }

  /** A pooler may take a LISTEN and never deliver, so a notification is sent and waited for. */
  async function delivers(): Promise<boolean> {
    const payload = PROBE + randomUUID();
    const arrived = new Promise<boolean>((resolve) => {
      onProbe = { payload, arrived: () => resolve(true) };
    });
    await db.execute(sql`select pg_notify(${channel}, ${payload})`);
    const answer = await Promise.race([arrived, sleep(probeTimeout, false, { ref: false })]);
    onProbe = undefined;
    return answer;
  }

  function receive(payload: string): void {
    if (payload === onProbe?.payload) onProbe.arrived();
    // Other servers' probes arrive here too.
    if (!payload.startsWith(PROBE)) onNotification(payload);
  }

  /** Listens again, until no connection was lost meanwhile. */
  async function recover(client: postgres.Sql): Promise<void> {
    if (recovering) return;
    recovering = true;
    for (let seen = -1; !closed && seen !== losses; ) {
      seen = losses;
      try {
        await client.unsafe(`listen ${channel}`);
        await onReconnect();
      } catch {
        seen = -1;
        await sleep(seconds(1), undefined, { ref: false });
      }
    }
    recovering = false;
  }
}

function connectListener(
  url: string,
  onNotification: (payload: string) => void,
  onClose: () => void,
): postgres.Sql {
  const target = new URL(url);
  target.searchParams.delete("pgbouncer"); // ours, and not a parameter of the server
  return postgres(target.href, {
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    fetch_types: false,
    prepare: false,
    connect_timeout: 5,
    backoff: () => 0.5,
    onnotice: () => {},
    connection: { application_name: "latchkey listener" },
    // The option under postgres.js's own `listen`, which its types leave out. That `listen` gives up
    // when the database is unreachable for long.
    ...{ onnotify: (_channel: string, payload: string) => onNotification(payload) },
    onclose: onClose,
  });
}

/** postgres.js retries without end where a connection is accepted and then dropped. */
async function listenWithin(
  client: postgres.Sql,
  channel: string,
  milliseconds: number,
): Promise<void> {
  const late = sleep(milliseconds, false, { ref: false });
  const listens = client.unsafe(`listen ${channel}`).then(() => true);
  listens.catch(() => {}); // also when it fails after the limit
  if (!(await Promise.race([listens, late]))) throw new Error("LISTEN got no answer.");
}
