import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Listener, type ListenerOptions, openListener } from "@/lib/db/listen";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { startTcpProxy } from "@/tests/support/tcp-proxy";

const open: Listener[] = [];
afterEach(async () => {
  for (const listener of open.splice(0)) await listener.close();
  vi.restoreAllMocks();
});

function openOn(channel: string, options: Partial<ListenerOptions> = {}) {
  const received: string[] = [];
  const onReconnect = vi.fn(async () => {});
  const listener = openListener({
    ...{ name: "a test", channel, url: databaseUrl, db, probeTimeout: 2000, onReconnect },
    onNotification: (payload) => received.push(payload),
    ...options,
  });
  open.push(listener);
  return { listener, received, onReconnect };
}

describe("openListener", () => {
  it("delivers the channel's notifications, and no probe of any listener", async () => {
    const { listener, received } = openOn("one");
    expect(await listener.start()).toBe(true);
    expect(await openOn("one").listener.start()).toBe(true);
    await sql`select pg_notify('two', 'of another channel')`;
    await sql`select pg_notify('one', 'first'), pg_notify('one', 'second')`;
    await vi.waitFor(() => expect(received).toEqual(["first", "second"]), 30_000);
  });

  it("connects once, however many calls start it, and not before the first", async () => {
    const { listener } = openOn("three");
    const connections = async () => {
      const rows = await sql`
        select from pg_stat_activity
        where datname = current_database() and query = 'listen three'`;
      return rows.length;
    };
    expect(await connections()).toBe(0);
    expect(await Promise.all([listener.start(), listener.start()])).toEqual([true, true]);
    expect(await connections()).toBe(1);
  });

  it("repeats onReconnect after a lost connection, until it succeeds", async () => {
    const proxy = await startTcpProxy(databaseUrl);
    let calls = 0;
    const onReconnect = async () => {
      if (++calls === 1) throw new Error("the database is not ready");
    };
    const { listener, received } = openOn("four", { url: proxy.url, onReconnect });
    await listener.start();
    proxy.cut();
    await sleep(100);
    proxy.mend();
    await vi.waitFor(() => expect(calls).toBeGreaterThan(1), 30_000);
    await sql`select pg_notify('four', 'after')`;
    await vi.waitFor(() => expect(received).toEqual(["after"]), 30_000);
    await listener.close();
    proxy.stop();
  });

  it("tries again at the next call after an error, with one line in the log for the outage", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const proxy = await startTcpProxy(databaseUrl);
    proxy.cut();
    const { listener } = openOn("five", { url: proxy.url });
    for (const _ of [1, 2]) expect(await listener.start()).toBe(false);
    expect(error.mock.calls.map(([line]) => line)).toEqual(["a test: LISTEN failed, retrying"]);
    proxy.mend();
    expect(await listener.start()).toBe(true);
    await listener.close();
    proxy.stop();
  });
});
