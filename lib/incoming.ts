import { randomBytes } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  contentSecurityPolicy,
  pageHeaders,
  pageReferrerPolicy,
  securityHeaders,
} from "./response-headers";
import { notFoundPath, type StaticPages } from "./static-pages";

/*
 * Runs for every request before Next's router. It sets the headers of the response (those of a
 * page when its head is written) and passes the nonce to Next. It marks requests that proxy.ts
 * is to refuse: Next throws (500, with a stack in the log) at a TRACE request, at a target that
 * is not a path or does not decode, and at a malformed Next-Router-State-Tree header, which
 * Next hides from proxy.ts.
 */

/**
 * The header with the path and query of a page, because Next does not tell a layout which page it
 * surrounds. proxy.ts does not run for a request that has the header. This bypasses no check: a
 * header that a client sends is replaced here, or removed.
 */
export const pathHeader = "x-path";

/**
 * The header with the status that proxy.ts answers with. A client that sends it itself is refused,
 * and gains nothing.
 */
export const refusalHeader = "x-refused";

/**
 * Called once at boot. `checkRouterState` throws at a Next-Router-State-Tree header that Next
 * cannot read. `formTargets` returns the other sites that the forms of the page at a path may lead
 * to. `pages` are those that the build made.
 */
export function prepareRequests(
  site: { APP_URL: string; production: boolean },
  checkRouterState: (header: string | string[] | undefined) => unknown,
  formTargets: (path: string) => string[],
  pages: StaticPages = {},
): void {
  const { APP_URL, production } = site;
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
    const path = request.url?.replace(/\?.*/s, "") ?? "";
    // For other requests proxy.ts runs, and chooses the nonce.
    const isPlainGet =
      (request.method === "GET" || request.method === "HEAD") &&
      request.headers["content-type"] === undefined &&
      request.headers["next-action"] === undefined;
    const nonce = randomBytes(16).toString("base64");
    const page = isPlainGet && pageHeaders(site, { path, nonce, leadsTo: formTargets(path) });
    setPageHeaders(response, page, policies.get(path) ?? policies.get(notFoundPath));
    explainMissingAction(response);
    // Next compares an action's Origin with this header, and answers 500 if a client or a proxy
    // sent another one. proxy.ts decides whether a request comes from this site.
    if (production) request.headers["x-forwarded-host"] = host;
    if (page) {
      request.headers[pathHeader] = withoutRouterQuery(request.url ?? "");
      // Next reads the nonce for its own scripts from this header.
      request.headers["content-security-policy"] = page["Content-Security-Policy"];
    } else delete request.headers[pathHeader];
    const status = refusal(request, checkRouterState);
    if (!status) return;
    // Removes what Next would throw at, before Next reads the request.
    request.headers = { host: request.headers.host, [refusalHeader]: `${status}` };
    request.method = "GET";
    request.url = "/";
  });
}

/**
 * Sets the headers of a page when the head is written, which is when Next has decided what
 * the answer is. `page`: the headers of a page rendered for a GET. `staticPolicy`: the policy
 * of a page of the build.
 */
function setPageHeaders(
  response: ServerResponse,
  page: Record<string, string> | false,
  staticPolicy: string | undefined,
): void {
  const { writeHead } = response;
  response.writeHead = function (this: ServerResponse, ...head: unknown[]) {
    if (this.hasHeader("x-nextjs-prerender")) {
      if (staticPolicy) this.setHeader("Content-Security-Policy", staticPolicy);
      this.setHeader("Referrer-Policy", pageReferrerPolicy);
    } else if (page && `${this.getHeader("content-type")}`.startsWith("text/html")) {
      for (const name in page) this.setHeader(name, page[name] ?? "");
    }
    return writeHead.apply(this, head as Parameters<typeof writeHead>);
  } as typeof writeHead;
}

/**
 * Removes the query parameter that Next adds to a navigation in the browser. It is not
 * part of the page's URL.
 */
function withoutRouterQuery(url: string): string {
  return url.replace(/([?&])_rsc=[^&]*(&|$)/, (_, before, after) => (after ? before : ""));
}

/**
 * Replaces Next's answer to an action that this build does not have, because the page is
 * from another version: "Server Action unavailable." Without JavaScript, that answer is the
 * page that the user sees.
 */
function explainMissingAction(response: ServerResponse): void {
  const { end, writeHead } = response;
  const isMissing = () => response.statusCode === 409 && response.hasHeader(missingActionHeader);
  // Next's compression writes the head before it calls `end`.
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
  // proxy.ts gets a Request of the Fetch standard, which cannot have this method.
  if (request.method === "TRACE") return 405;
  // `OPTIONS *` and `GET http://host/path` are for proxies; Next would redirect to that host.
  if (!request.url?.startsWith("/")) return 400;
  // Next treats an empty header as an action, and the matcher of proxy.ts does not match it.
  if (request.headers["next-action"] === "") return 400;
  try {
    // Next answers 500 if the path of a dynamic route does not decode.
    decodeURIComponent(request.url.replace(/\?.*/s, ""));
    checkRouterState(request.headers["next-router-state-tree"]);
  } catch {
    return 400;
  }
}
