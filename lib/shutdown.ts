import diagnostics from "node:diagnostics_channel";
import type { Server, ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { seconds } from "./time";

/*
 * Owns the end of the server at SIGTERM and SIGINT: no new connections, an answer for every request that is in
 * progress, then what the caller stops, then the exit. Next's own handler would exit without waiting for the
 * worker, whose job would stay locked for hours: server.js, as lib/commands/build.ts writes it, switches that
 * handler off. `next dev` has no such switch, and ends as Next does.
 */

// Docker kills after ten.
const LIMIT = seconds(9);

const signals = { SIGINT: 2, SIGTERM: 15 };

/** `stop` gets what waits until no request is in progress. A second signal changes nothing. */
export function stopAtSignals(stop: (answered: () => Promise<void>) => Promise<unknown>): void {
  const requests = trackRequests();
  let stopping = false;
  for (const [signal, number] of Object.entries(signals))
    process.on(signal, async () => {
      if (stopping) return;
      stopping = true;
      const exit = () => process.exit(128 + number);
      setTimeout(() => {
        console.error(`Stopped after ${LIMIT / seconds(1)} seconds, with work in progress.`);
        exit();
      }, LIMIT);
      await stop(requests.finish).catch(console.error);
      exit();
    });
}

function trackRequests(): { finish(): Promise<void> } {
  const open = new Set<ServerResponse>();
  // Of the first request; before it there is none to wait for.
  let server: Server | undefined;
  let stopping = false;
  let onEmpty = () => {};
  diagnostics.subscribe("http.server.request.start", (message) => {
    // Node documents this channel's message as { request, response, socket, server }.
    const started = message as { response: ServerResponse; server: Server };
    const { response } = started;
    server = started.server;
    open.add(response);
    response.once("close", () => {
      open.delete(response);
      if (open.size === 0) onEmpty();
    });
    if (stopping) refuseMore(response);
  });
  return {
    async finish() {
      stopping = true;
      server?.close(); // and those of its connections that are idle
      for (const response of open) refuseMore(response);
      if (open.size > 0)
        await new Promise<void>((resolve) => {
          onEmpty = resolve;
        });
      // Next calls what `after` was given at the same event, and its queries must reach the pool.
      await nextTurn();
    },
  };

  /** An open connection would bring further requests. */
  function refuseMore(response: ServerResponse): void {
    server?.close();
    if (!response.headersSent) response.setHeader("Connection", "close");
  }
}
