import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import { contentSecurityPolicy, pageReferrerPolicy, securityHeaders } from "./response-headers";
import { notFoundPath, type StaticPages } from "./static-pages";

/*
 * Runs for every request before Next's router does. Next answers `//x` and `/login/` with a redirect
 * of its own, without proxy.ts and without the `headers` of next.config.ts; and it throws (500, with
 * a stack in the log) at a TRACE request, at a target that is no path, and at a broken
 * Next-Router-State-Tree header, which it hides from proxy.ts. So the headers are set here, and such
 * a request is marked for proxy.ts to refuse.
 *
 * A page that the build made gets its policy here too, when its head is written: what proxy.ts set is for
 * pages with a nonce, and proxy.ts does not know what is not found.
 */

/**
 * Names the status that proxy.ts answers with. A client that sends this header itself is refused,
 * and gains nothing.
 */
export const refusalHeader = "x-refused";

/**
 * Called once at boot. `checkRouterState` throws at a Next-Router-State-Tree header that Next cannot
 * read. `pages` are those that the build made.
 */
export function prepareRequests(
  { APP_URL, production }: { APP_URL: string; production: boolean },
  checkRouterState: (header: string | string[] | undefined) => unknown,
  pages: StaticPages = {},
): void {
  const { host } = new URL(APP_URL);
  const headers = new Map(Object.entries(securityHeaders(APP_URL)));
  const policies = new Map(
    Object.entries(pages).map(([path, hashes]) => [
      path,
      contentSecurityPolicy(APP_URL, { scripts: `'self' ${hashes}`, styles: "'self'" }),
    ]),
  );
  // In development Next shows an error of proxy.ts itself on a page with scripts.
  if (!production) headers.delete("Content-Security-Policy");
  diagnostics.subscribe("http.server.request.start", (message) => {
    // Node documents this channel's message as { request, response, socket, server }.
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    response.setHeaders(headers);
    setStaticPolicy(request, response, policies);
    explainMissingAction(response);
    // Next compares an action's Origin with it, and answers 500 where a client or a proxy sent another one.
    // Whether a request comes from this site, proxy.ts decides.
    if (production) request.headers["x-forwarded-host"] = host;
    const status = refusal(request, checkRouterState);
    if (!status) return;
    // What Next throws at must be gone by the time it reads the request.
    request.headers = { host: request.headers.host, [refusalHeader]: `${status}` };
    request.method = "GET";
    request.url = "/";
  });
}

/** As soon as Next has said that the answer is a page of the build. */
function setStaticPolicy(
  request: IncomingMessage,
  response: ServerResponse,
  policies: Map<string, string>,
): void {
  const path = request.url?.replace(/\?.*/s, "") ?? "";
  const { writeHead } = response;
  response.writeHead = function (this: ServerResponse, ...head: unknown[]) {
    if (this.hasHeader("x-nextjs-prerender")) {
      const policy = policies.get(path) ?? policies.get(notFoundPath);
      if (policy) this.setHeader("Content-Security-Policy", policy);
      this.setHeader("Referrer-Policy", pageReferrerPolicy);
    }
    return writeHead.apply(this, head as Parameters<typeof writeHead>);
  } as typeof writeHead;
}

/**
 * Next's answer to an action that this build does not have, because the page is of another version, says
 * "Server Action unavailable." Without JavaScript it is the page that the user sees.
 */
function explainMissingAction(response: ServerResponse): void {
  const { end, writeHead } = response;
  const isMissing = () => response.statusCode === 409 && response.hasHeader(missingActionHeader);
  // Next's compression has the head written before it calls `end`.
  response.writeHead = function (this: ServerResponse, ...head: unknown[]) {
    if (isMissing()) this.setHeader("Content-Length", Buffer.byteLength(missingAction));
    return writeHead.apply(this, head as Parameters<typeof writeHead>);
  } as typeof writeHead;
  response.end = function (this: ServerResponse, ...body: unknown[]) {
    return end.apply(this, (isMissing() ? [missingAction] : body) as Parameters<typeof end>);
  } as typeof end;
}

const missingActionHeader = "x-nextjs-action-not-found";
const missingAction =
  "This page is from an earlier version of the site, and nothing was saved. Go back, reload it and try again.\n";

function refusal(
  request: IncomingMessage,
  checkRouterState: (header: string | string[] | undefined) => unknown,
): 400 | 405 | undefined {
  // The Request of the Fetch standard, which proxy.ts is given, cannot have this method.
  if (request.method === "TRACE") return 405;
  // `OPTIONS *` and `GET http://host/path` are for proxies; Next redirects to the host they name.
  if (!request.url?.startsWith("/")) return 400;
  // Next takes it for an action, and the matcher of proxy.ts does not see it.
  if (request.headers["next-action"] === "") return 400;
  try {
    checkRouterState(request.headers["next-router-state-tree"]);
  } catch {
    return 400;
  }
}
