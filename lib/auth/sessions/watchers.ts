import { livePolicy } from "@/lib/auth/policy";

/*
 * The registry of open streams and its caps, without a database, a timer or a connection. Security:
 * on one server, a session has at most `livePolicy.streamsPerSession` streams, and all sessions
 * together at most `streamsPerServer`, so that no user can exhaust the server's memory.
 */

/**
 * "devices": another session of the same user began or ended. "teams": the user joined or left a
 * team, or has another role there. "members": another member of a team did. "evicted": over the
 * session's cap. "closed": this server is shutting down; the client may connect to another one.
 */
export type SessionEvent =
  | ("ended" | "devices" | "teams" | "members")
  | ("heartbeat" | "evicted" | "closed");

export type Watcher = {
  sessionId: string;
  userId: string;
  notify(event: SessionEvent): void;
};

export type Watchers = {
  /** Adds a watcher. Returns the session's oldest ones beyond its cap, for the caller to evict. */
  add(watcher: Watcher): Watcher[];
  /** Has no effect if the watcher is not registered. */
  remove(watcher: Watcher): void;
  has(watcher: Watcher): boolean;
  ofUser(userId: string): Watcher[];
  all(): Watcher[];
  count(): number;
  isFull(): boolean;
};

export function createWatchers(): Watchers {
  // By user, because a change to a session concerns all watchers of its user.
  const byUser = new Map<string, Set<Watcher>>();
  let count = 0;

  return {
    add(watcher) {
      const own = byUser.get(watcher.userId) ?? new Set();
      byUser.set(watcher.userId, own.add(watcher));
      count++;
      const same = [...own].filter(({ sessionId }) => sessionId === watcher.sessionId);
      return same.slice(0, -livePolicy.streamsPerSession);
    },
    remove(watcher) {
      const own = byUser.get(watcher.userId);
      if (!own?.delete(watcher)) return;
      count--;
      if (own.size === 0) byUser.delete(watcher.userId);
    },
    has: (watcher) => byUser.get(watcher.userId)?.has(watcher) ?? false,
    ofUser: (userId) => [...(byUser.get(userId) ?? [])],
    all: () => [...byUser.values()].flatMap((own) => [...own]),
    count: () => count,
    isFull: () => count >= livePolicy.streamsPerServer,
  };
}
