import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes, randomUUID } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";

/*
 * Logs each request as a line of JSON. Security: the line contains no token, because `redactedPath`
 * keeps only the parts of a path that look like words, and no query.
 */

type Line = {
  at: string;
  /** Also in the response, as X-Request-Id. */
  id: string;
  method?: string;
  path: string;
  status: number;
  ms: number;
  /** The id of the session, if one was found by a cookie or an access token. */
  session?: string;
  /** The client disconnected before it had the whole response. */
  aborted?: true;
};

// On globalThis, because Next bundles instrumentation.ts and the pages separately.
const CURRENT = Symbol.for("latchkey.request-log");
const shared: { [CURRENT]?: AsyncLocalStorage<{ session?: string }> } = globalThis as object;

/**
 * Called once at boot. `trusted`: whether a proxy of ours is in front, whose X-Request-Id is kept.
 * Every response has an id. `write` gets the lines; without it, none are made.
 */
export function logRequests(trusted: boolean, write?: (line: string) => void): void {
  const current = new AsyncLocalStorage<{ session?: string }>();
  shared[CURRENT] = current;
  // When an action redirects, Next fetches the target from this server itself, with the headers of
  // the request it answers. No client knows the name of this header.
  const ours = `x-id-${randomBytes(16).toString("hex")}`;
  diagnostics.subscribe("http.server.request.start", (message) => {
    // Node documents this channel's message as { request, response, socket, server }.
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const { method, url = "", headers } = request;
    const inner = single(headers[ours]);
    const id = inner ?? (trusted ? validId(headers["x-request-id"]) : undefined) ?? randomUUID();
    headers[ours] = id;
    response.setHeader("X-Request-Id", id);
    if (!write || inner || url.startsWith("/_next/static/")) return;
    const start = performance.now();
    const found: { session?: string } = {};
    current.enterWith(found);
    response.once("close", () => {
      const line: Line = {
        at: new Date().toISOString(),
        ...{ id, method, path: redactedPath(url), status: response.statusCode },
        ms: Math.round((performance.now() - start) * 10) / 10,
        ...found,
        ...(response.writableFinished ? {} : { aborted: true }),
      };
      write(`${JSON.stringify(line)}\n`);
    });
  });
}

/** Adds the session that was found to the log line of the request. */
export function noteSession(id: string | undefined): void {
  const found = shared[CURRENT]?.getStore();
  if (found && id) found.session = id;
}

// The parts of a route: words, files, versions, and the parameters of Next's patterns ("[token]").
const word = /^(\.?[a-z]{1,24}(-[a-z]{1,24}){0,3}(\.[a-z]{1,5})?|v\d|\[[\w.-]+\]|)$/;

/**
 * Returns a path without its query, with `*` in place of each part that may be an
 * id, a handle or a token.
 */
export function redactedPath(url: string): string {
  const [path = ""] = url.split(/[?#]/, 1);
  const parts = path.split("/", 12);
  // A team's handle may consist of letters alone.
  const isWord = (part: string, index: number) =>
    word.test(part) && (parts[index - 1] !== "t" || part.startsWith("["));
  return parts.map((part, index) => (isWord(part, index) ? part : "*")).join("/");
}

const single = (header: string | string[] | undefined) =>
  typeof header === "string" ? header : undefined;

function validId(header: string | string[] | undefined): string | undefined {
  const id = single(header);
  return id && /^[\w.-]{8,64}$/.test(id) ? id : undefined;
}
