"use client";

import { usePathname, useRouter } from "next/navigation";
import { useEffect, useRef } from "react";

/**
 * Live sign-out, in the layout of logged-in users. Redirects to the login when the session ends
 * anywhere, leaves a team's pages when the membership ends, and refreshes the list of devices or
 * members when it changes. One tab of a browser holds the stream and broadcasts its events to the
 * others. Without a stream, the next request still finds that the session has ended. `session` is
 * the public id. Change with it: app/(app)/live/route.ts (the events).
 */
export function Live({ session }: { session: string }) {
  const router = useRouter();
  const path = usePathname();
  const at = useRef(path);
  at.current = path;

  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    const others = new BroadcastChannel(`session ${session}`);
    let sentAt = Number.NEGATIVE_INFINITY;
    const changed = new Set<string>();

    const leave = () => {
      if (signal.aborted) return;
      const next = encodeURIComponent(location.pathname + location.search);
      location.replace(`/login?notice=session-ended&next=${next}`);
    };
    // If this tab has just submitted a form, the form may have ended the session or left the team,
    // and its response redirects the tab. Or another tab has logged in, which replaces the session,
    // and the new cookie may not have arrived yet. So wait before checking.
    const checkSoon = (otherwise: () => void) => {
      const pause = performance.now() - sentAt < 5000 ? 3000 : 300;
      setTimeout(() => check().catch(otherwise), pause);
    };
    const onEvent = (event: string) => {
      if (event === "ended") checkSoon(leave);
      else changed.add(event);
      // A tab that shows the team of a former member leaves the page even if the tab is hidden.
      if (event === "teams" && teamOf(at.current)) checkSoon(() => {});
      else refresh();
    };
    const refresh = () => {
      const shown = [...changed].filter((event) => isAbout(at.current, event));
      if (document.hidden || shown.length === 0) return;
      for (const event of shown) changed.delete(event);
      router.refresh();
    };
    const check = async () => {
      if (signal.aborted) return;
      const team = teamOf(at.current);
      const url = team ? `/live?team=${team}` : "/live";
      const { status, headers } = await fetch(url, { method: "HEAD", signal });
      if (headers.get("x-team") !== "none") refresh();
      else if (team === teamOf(at.current)) return location.replace("/teams?notice=gone");
      if (status === 204) leave();
      // Another tab's login replaced the session: this page may show another user's data.
      else if (status === 200 && headers.get("x-session") !== session) location.reload();
    };

    others.onmessage = ({ data }) => onEvent(data);
    const broadcast = (event: string) => {
      others.postMessage(event);
      onEvent(event);
    };
    // Refused: this browser no longer has a session, or the server cannot send events now.
    listenInOneTab(session, signal, broadcast, () => checkSoon(() => {}));
    const cameBack = () => void (document.hidden || check().catch(() => {})); // or on a click
    document.addEventListener("submit", () => (sentAt = performance.now()), { signal });
    document.addEventListener("visibilitychange", cameBack, { signal });
    addEventListener("pageshow", ({ persisted }) => persisted && cameBack(), { signal });
    return () => {
      stop.abort();
      others.close();
    };
  }, [session, router]);

  return null;
}

/** Events kept until the page is refreshed: until then it may show too little or too much. */
const kept = ["devices", "teams", "members"];

function isAbout(path: string, event: string): boolean {
  if (event === "devices") return path === "/settings/devices";
  if (event === "members") return path.endsWith("/settings/members");
  return teamOf(path) !== undefined || path === "/teams";
}

/** Returns the handle of the team whose page this is. */
function teamOf(path: string): string | undefined {
  return /^\/t\/([a-z0-9]{10})(?![^/])/.exec(path)?.[1];
}

/** Holds the stream in one tab at a time: when that tab closes, the lock goes to the next. */
function listenInOneTab(
  session: string,
  signal: AbortSignal,
  notify: (event: string) => void,
  onRefused: () => void,
): void {
  const listen = () =>
    new Promise<void>((done) => {
      let source: EventSource;
      let timer = 0;
      let pause = 5000;
      let opened = false;
      const close = () => {
        clearTimeout(timer);
        source.close();
        done();
      };
      const open = () => {
        source = new EventSource("/live");
        source.onopen = () => {
          if (opened) for (const event of kept) notify(event); // some may have been missed
          opened = true;
          pause = 5000;
        };
        // An EventSource reconnects by itself, except after a response that is not an event stream.
        source.onerror = () => {
          if (source.readyState !== EventSource.CLOSED) return;
          onRefused();
          timer = window.setTimeout(open, pause * (1 + Math.random()));
          pause = Math.min(2 * pause, 300_000);
        };
        for (const event of ["ended", ...kept]) source.addEventListener(event, () => notify(event));
        source.addEventListener("ended", close);
        source.addEventListener("evicted", close);
      };
      open();
      signal.addEventListener("abort", close);
    });
  if (!navigator.locks) void listen();
  else navigator.locks.request(`live ${session}`, { signal }, listen).catch(() => {}); // aborted
}
