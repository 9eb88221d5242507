"use client";

import { usePathname, useRouter } from "next/navigation";
import { useEffect, useRef } from "react";

/**
 * Stands in the shell of logged-in users: leaves when their session ends anywhere, and draws the
 * devices anew when they change. One tab of a browser listens, the others hear it from there; where
 * nothing can be heard, all of it still holds at the next click. `session` is the public id.
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
    let devicesChanged = false;

    const leave = () => {
      if (signal.aborted) return;
      const next = encodeURIComponent(location.pathname + location.search);
      location.replace(`/login?notice=session-ended&next=${next}`);
    };
    // What this tab has just sent may be what ended it: then the answer says where to go. And a login
    // in another tab, which puts a new session in its place, is still on its way here.
    const checkSoon = (otherwise: () => void) => {
      const pause = performance.now() - sentAt < 5000 ? 3000 : 300;
      setTimeout(() => check().catch(otherwise), pause);
    };
    const hear = (news: string) => {
      if (news === "ended") checkSoon(leave);
      if (news === "devices") devicesChanged = true;
      draw();
    };
    const draw = () => {
      if (!devicesChanged || document.hidden || at.current !== "/settings/devices") return;
      devicesChanged = false;
      router.refresh();
    };
    const check = async () => {
      if (signal.aborted) return;
      draw();
      const { status, headers } = await fetch("/live", { method: "HEAD", signal });
      if (status === 204) leave();
      // Somebody logged in in another tab: what stands here may be another person's.
      else if (status === 200 && headers.get("x-session") !== session) location.reload();
    };

    others.onmessage = ({ data }) => hear(data);
    const tell = (news: string) => {
      others.postMessage(news);
      hear(news);
    };
    // Refused: nobody is logged in here any more, or the server cannot tell just now.
    listenAlone(session, signal, tell, () => checkSoon(() => {}));
    const cameBack = () => void (document.hidden || check().catch(() => {})); // or at the next click
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

/** In one tab at a time: when that one closes, the lock goes to the next. */
function listenAlone(
  session: string,
  signal: AbortSignal,
  tell: (news: string) => void,
  refused: () => void,
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
          if (opened) tell("devices"); // it may have missed some
          opened = true;
          pause = 5000;
        };
        // A lost connection it opens again by itself; not after an answer that is no stream.
        source.onerror = () => {
          if (source.readyState !== EventSource.CLOSED) return;
          refused();
          timer = window.setTimeout(open, pause * (1 + Math.random()));
          pause = Math.min(2 * pause, 300_000);
        };
        for (const news of ["ended", "devices"]) source.addEventListener(news, () => tell(news));
        source.addEventListener("ended", close);
        source.addEventListener("crowded", close);
      };
      open();
      signal.addEventListener("abort", close);
    });
  if (!navigator.locks) void listen();
  else navigator.locks.request(`live ${session}`, { signal }, listen).catch(() => {}); // aborted
}
