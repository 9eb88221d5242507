import diagnostics from "node:diagnostics_channel";
import type { Server, ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { seconds } from "./time";

/*
 * Shuts the server down at SIGTERM and SIGINT: refuses new connections, answers every request in
 * progress, stops what the caller stops, and exits. Next's own handler would exit without waiting
 * for the worker, whose job would stay locked for hours, so server.js, as lib/commands/build.ts
 * writes it, turns that handler off. `next dev` has no such switch, and ends as Next does.
 */

// Docker kills the process after ten seconds.
const LIMIT = seconds(9);

const signals = { SIGINT: 2, SIGTERM: 15 };

/**
 * Calls `stop` at the first signal, with a function that waits until no request is in progress. A
 * second signal changes nothing.
 */
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
  // Set by the first request; before that, there are no requests to wait for.
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
      server?.close(); // also closes its idle connections
      for (const response of open) refuseMore(response);
      if (open.size > 0)
        await new Promise<void>((resolve) => {
          onEmpty = resolve;
        });
      // Next runs the callbacks of `after` at the same event; their queries must reach the pool.
      await nextTurn();
    },
  };

  /** Closes the connection after its response, because it would bring further requests. */
  function refuseMore(response: ServerResponse): void {
    server?.close();
    if (!response.headersSent) response.setHeader("Connection", "close");
  }
}
