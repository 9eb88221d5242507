import { type SessionNews, sessionChanges, type Watch } from "@/lib/auth/sessions/events";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import { database } from "@/lib/db/client";
import { presentedToken } from "@/lib/web/cookies";

export const dynamic = "force-dynamic";

/**
 * Server-Sent Events about the presented session: that it ended, or that its user's devices changed.
 * No content for nobody: that ends an EventSource for good. Not a visit: a page that lies open must
 * not keep its session alive.
 */
export async function GET(request: Request): Promise<Response> {
  const session = await findSession();
  if (!session) return nothing();
  const { readable, tell, onCancel } = eventStream();
  const watch: Watch | null = await sessionChanges().watch(session, tell);
  if (!watch) return nothing();
  onCancel(watch.stop);
  request.signal.addEventListener("abort", watch.stop);
  // Who left while the database was asked is heard of no more: Next drops the stream without a word.
  if (request.signal.aborted) watch.stop();
  return new Response(readable, {
    headers: {
      "Content-Type": "text/event-stream",
      // Compressing would hold events back until there are enough of them; so would nginx.
      "Cache-Control": "private, no-store, no-transform",
      "X-Accel-Buffering": "no",
    },
  });
}

/** Whose session the browser has now, asked by a tab that comes back after a while. */
export async function HEAD(): Promise<Response> {
  const session = await findSession();
  if (!session) return nothing();
  return new Response(null, { headers: { ...noStore, "X-Session": session.id } });
}

async function findSession(): Promise<Session | null> {
  const token = await presentedToken();
  return token ? getSession(database(), token) : null;
}

const noStore = { "Cache-Control": "private, no-store" };

function nothing(): Response {
  return new Response(null, { status: 204, headers: noStore });
}

function eventStream() {
  const encoder = new TextEncoder();
  let out: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = () => {};
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      out = controller;
      // Before a browser asks again, in milliseconds: a server that restarts is back by then.
      controller.enqueue(encoder.encode("retry: 2000\n\n"));
    },
    cancel: () => cancelled(),
  });
  return {
    readable,
    onCancel(stop: () => void) {
      cancelled = stop;
    },
    tell(news: SessionNews) {
      try {
        // Closed without a word: the browser then asks again by itself.
        if (news !== "closed")
          out?.enqueue(encoder.encode(news === "beat" ? ":\n\n" : `event: ${news}\ndata:\n\n`));
        if (news === "ended" || news === "crowded" || news === "closed") out?.close();
      } catch {
        cancelled(); // the browser has gone, and its stream with it
      }
    },
  };
}
