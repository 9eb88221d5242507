import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import { securityHeaders } from "./response-headers";

/*
 * Runs for every request before Next's router does. Next answers `//x` and `/login/` with a redirect
 * of its own, without proxy.ts and without the `headers` of next.config.ts; and it throws (500, with
 * a stack in the log) at a TRACE request, at a target that is no path, and at a broken
 * Next-Router-State-Tree header, which it hides from proxy.ts. So the headers are set here, and such
 * a request is marked for proxy.ts to refuse.
 */

/**
 * Names the status that proxy.ts answers with. A client that sends this header itself is refused,
 * and gains nothing.
 */
export const refusalHeader = "x-refused";

/**
 * Called once at boot. `checkRouterState` throws at a Next-Router-State-Tree header that Next cannot
 * read.
 */
export function prepareRequests(
  { APP_URL, production }: { APP_URL: string; production: boolean },
  checkRouterState: (header: string | string[] | undefined) => unknown,
): void {
  const headers = new Map(Object.entries(securityHeaders(APP_URL)));
  // In development Next shows an error of proxy.ts itself on a page with scripts.
  if (!production) headers.delete("Content-Security-Policy");
  diagnostics.subscribe("http.server.request.start", (message) => {
    // Node documents this channel's message as { request, response, socket, server }.
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    response.setHeaders(headers);
    const status = refusal(request, checkRouterState);
    if (!status) return;
    // What Next throws at must be gone by the time it reads the request.
    request.headers = { host: request.headers.host, [refusalHeader]: `${status}` };
    request.method = "GET";
    request.url = "/";
  });
}

function refusal(
  request: IncomingMessage,
  checkRouterState: (header: string | string[] | undefined) => unknown,
): 400 | 405 | undefined {
  // The Request of the Fetch standard, which proxy.ts is given, cannot have this method.
  if (request.method === "TRACE") return 405;
  // `OPTIONS *` and `GET http://host/path` are for proxies; Next redirects to the host they name.
  if (!request.url?.startsWith("/")) return 400;
  try {
    checkRouterState(request.headers["next-router-state-tree"]);
  } catch {
    return 400;
  }
}
