import { type NextRequest, NextResponse } from "next/server";
import { isActionBody, isActionRequest } from "@/lib/action-body";
import { formTargets } from "@/lib/billing/origins";
import { env } from "@/lib/env";
import { isSameOrigin } from "@/lib/http";
import { pathHeader, refusalHeader } from "@/lib/incoming";
import { pageHeaders, securityHeaders } from "@/lib/response-headers";

/*
 * Refuses requests that another site's page sent, that are too large or that are malformed, before
 * Next parses them (Next would answer with 500, and a stack in the log). It decides nothing about
 * access: pages, actions and handlers each check it themselves, and the tests also run with this
 * file turned off.
 */

/*
 * Runs for requests that carry a form or an action, and for those that are to be refused, at any
 * path; and for all that lib/incoming.ts has not prepared: requests that are not GET or HEAD,
 * and those on a host without Node's HTTP server. Running it for each page would cost a
 * tenth of the page's processor time. Never runs for files of the build and for public pages,
 * which are the same for every visitor. Their list must be written out here, because the build
 * reads it from the source.
 */
export const config = {
  matcher: [
    {
      source: "/((?!_next/static/|docs/api$|pricing$|$).*)",
      // `pathHeader`
      missing: [{ type: "header", key: "x-path" }],
    },
    { source: "/:path*", has: [{ type: "header", key: "content-type" }] },
    { source: "/:path*", has: [{ type: "header", key: "next-action" }] },
    // `refusalHeader`
    { source: "/:path*", has: [{ type: "header", key: "x-refused" }] },
  ],
};

// Next's own limit for actions. Next answers 500 if a larger form came without JavaScript.
const MAX_BODY_BYTES = 1024 * 1024;

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const { APP_URL, production } = env();
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const path = request.nextUrl.pathname;
  const page = pageHeaders({ APP_URL, production }, { path, nonce, leadsTo: formTargets(path) });

  const refused = request.headers.get(refusalHeader);
  if (refused === "405") return refuse(405, "This method is not supported.");
  if (refused !== null || !isDecodable(path)) return refuse(400, "This request is malformed.");
  if (isForeignMutation(request, APP_URL, production))
    return refuse(403, "This request does not come from this site.");
  if (Number(request.headers.get("content-length")) > MAX_BODY_BYTES)
    return refuse(413, "This request is too large.");
  const malformed = await refusedActionBody(request);
  if (malformed === 413) return refuse(413, "This request is too large.");
  if (malformed === 400) return refuse(400, "This form is malformed.");

  const headers = new Headers(request.headers);
  // Next reads the nonce for its own scripts from this header.
  headers.set("content-security-policy", page["Content-Security-Policy"]);
  headers.set(pathHeader, path + request.nextUrl.search);
  return secured(NextResponse.next({ request: { headers } }));

  function refuse(status: 400 | 403 | 405 | 413, sentence: string): NextResponse {
    const response = secured(new NextResponse(`${sentence}\n`, { status }));
    // RFC 9110, 15.5.6: a 405 names the methods that are supported.
    if (status === 405) response.headers.set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
    return response;
  }

  function secured(response: NextResponse): NextResponse {
    for (const [name, value] of Object.entries({ ...securityHeaders(APP_URL), ...page }))
      response.headers.set(name, value);
    return response;
  }
}

/** Whether the path decodes. Next answers 500 if the parameter of a dynamic route does not. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Returns the status to refuse an action's body with; undefined if Next can decode it. Next keeps a
 * copy of what is read here. The JSON API reads its own bodies.
 */
async function refusedActionBody(request: NextRequest): Promise<400 | 413 | undefined> {
  if (request.nextUrl.pathname.startsWith("/api/")) return undefined;
  const [id, type] = [request.headers.get("next-action"), request.headers.get("content-type")];
  if (!isActionRequest(request.method, id, type)) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      if (size > MAX_BODY_BYTES) return 413;
      chunks.push(chunk);
    }
  } catch {
    return 400; // the client went away
  }
  return (await isActionBody(Buffer.concat(chunks), id, type)) ? undefined : 400;
}

function isForeignMutation(request: NextRequest, appUrl: string, production: boolean): boolean {
  if (request.method === "GET" || request.method === "HEAD" || request.method === "OPTIONS")
    return false;
  // The JSON API carries its credentials in a header that no page can make a browser send.
  if (request.nextUrl.pathname.startsWith("/api/")) return false;
  return !isSameOrigin(request.headers, appUrl, !production);
}
