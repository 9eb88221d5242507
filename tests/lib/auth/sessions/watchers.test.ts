import { describe, expect, it } from "vitest";
import { livePolicy } from "@/lib/auth/policy";
import { createWatchers, type Watcher } from "@/lib/auth/sessions/watchers";
import { times } from "@/tests/support/races";

const watcher = (sessionId: string, userId = "user"): Watcher => ({
  ...{ sessionId, userId },
  notify: () => {},
});

describe("createWatchers", () => {
  it("finds the watchers of a user, and of all users", () => {
    const watchers = createWatchers();
    const [first, second, other] = [watcher("a"), watcher("b"), watcher("c", "other user")];
    for (const each of [first, second, other]) watchers.add(each);
    expect(watchers.ofUser("user")).toEqual([first, second]);
    expect(watchers.ofUser("unknown")).toEqual([]);
    expect(watchers.all()).toEqual([first, second, other]);
    expect(watchers.count()).toBe(3);
  });

  it("returns a session's oldest watchers above its cap, and none of another session", () => {
    const watchers = createWatchers();
    const own = times(livePolicy.streamsPerSession, () => watcher("a"));
    for (const each of [...own, watcher("b")]) expect(watchers.add(each)).toEqual([]);
    expect(watchers.add(watcher("a"))).toEqual([own[0]]);
    expect(watchers.add(watcher("a"))).toEqual(own.slice(0, 2));
  });

  it("drops a removed watcher, and counts the removal once", () => {
    const watchers = createWatchers();
    const [first, second] = [watcher("a"), watcher("a")];
    for (const each of [first, second]) watchers.add(each);
    for (const _ of [1, 2]) watchers.remove(first);
    expect([watchers.has(first), watchers.has(second), watchers.count()]).toEqual([false, true, 1]);
    watchers.remove(second);
    expect([watchers.all(), watchers.count()]).toEqual([[], 0]);
  });

  it("is full at the server's cap, until one is removed", () => {
    const watchers = createWatchers();
    const all = times(livePolicy.streamsPerServer, (n) => watcher(`${n}`));
    for (const each of all) {
      expect(watchers.isFull()).toBe(false);
      watchers.add(each);
    }
    expect(watchers.isFull()).toBe(true);
    if (all[0]) watchers.remove(all[0]);
    expect(watchers.isFull()).toBe(false);
  });
});
