import { sessionEvents, type Watch } from "@/lib/auth/sessions/events";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import type { SessionEvent } from "@/lib/auth/sessions/watchers";
import { database } from "@/lib/db/client";
import { noteSession } from "@/lib/request-log";
import { getTeamSession, isHandle } from "@/lib/teams/lookup";
import { presentedToken } from "@/lib/web/cookies";

export const dynamic = "force-dynamic";

/**
 * Server-Sent Events about the presented session: that it ended, or that its user's devices or
 * teams changed. Responds 204 without a session, which stops an EventSource for good. Does not
 * touch the session: an open page must not keep it alive.
 */
export async function GET(request: Request): Promise<Response> {
  const session = await findSession();
  if (!session) return noContent();
  noteSession(session.id);
  const { readable, notify, onCancel } = eventStream();
  const watch: Watch | null = await sessionEvents().watch(session, notify);
  if (!watch) return noContent();
  onCancel(watch.stop);
  request.signal.addEventListener("abort", watch.stop);
  // The caller may have disconnected during the query: Next then drops the stream uncancelled.
  if (request.signal.aborted) watch.stop();
  return new Response(readable, {
    headers: {
      "Content-Type": "text/event-stream",
      // Compression and nginx's buffering would hold events back until enough have accumulated.
      "Cache-Control": "private, no-store, no-transform",
      "X-Accel-Buffering": "no",
    },
  });
}

/**
 * Returns the id of the browser's current session, for a tab that becomes visible again. With
 * `?team=`, also whether its user is a member of the team with that handle.
 */
export async function HEAD(request: Request): Promise<Response> {
  const handle = new URL(request.url).searchParams.get("team");
  const token = await presentedToken();
  const session = token
    ? await (isHandle(handle)
        ? getTeamSession(database(), token, handle)
        : getSession(database(), token))
    : null;
  if (!session) return noContent();
  noteSession(session.id);
  const team = "team" in session && { "X-Team": session.team ? "member" : "none" };
  return new Response(null, { headers: { ...noStore, "X-Session": session.id, ...team } });
}

async function findSession(): Promise<Session | null> {
  const token = await presentedToken();
  return token ? getSession(database(), token) : null;
}

const noStore = { "Cache-Control": "private, no-store" };

function noContent(): Response {
  return new Response(null, { status: 204, headers: noStore });
}

function eventStream() {
  const encoder = new TextEncoder();
  let out: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = () => {};
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      out = controller;
      // Milliseconds until a browser reconnects, enough for a server to restart.
      controller.enqueue(encoder.encode("retry: 2000\n\n"));
    },
    cancel: () => cancelled(),
  });
  return {
    readable,
    onCancel(stop: () => void) {
      cancelled = stop;
    },
    notify(event: SessionEvent) {
      try {
        // On "closed", close without an event: the browser then reconnects by itself.
        if (event !== "closed")
          out?.enqueue(
            encoder.encode(event === "heartbeat" ? ":\n\n" : `event: ${event}\ndata:\n\n`),
          );
        if (event === "ended" || event === "evicted" || event === "closed") out?.close();
      } catch {
        cancelled(); // the browser has closed the stream
      }
    },
  };
}
