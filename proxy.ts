import { type NextRequest, NextResponse } from "next/server";
import { isActionBody, isActionRequest } from "@/lib/action-body";
import { hostedPageOrigins } from "@/lib/billing/origins";
import { env } from "@/lib/env";
import { isSameOrigin } from "@/lib/http";
import { refusalHeader } from "@/lib/incoming";
import {
  contentSecurityPolicy,
  pageReferrerPolicy,
  securityHeaders,
  themeScriptHash,
} from "@/lib/response-headers";

/*
 * Sets the headers of every response, and refuses what another site's page sent, what is too large
 * and what is malformed before Next parses it (Next would answer with 500, and a stack in the log).
 * It decides nothing about access: pages, actions and handlers each ask for themselves, and the
 * tests run with this file switched off.
 */

/*
 * Not run for files: those of the build below `_next/static`, and the public pages that are the same for every
 * visitor, whose headers lib/incoming.ts sets. A list of such pages has to be written out here, since the build
 * reads it from the source. A request with a body, or one to refuse, comes here wherever it goes.
 */
export const config = {
  matcher: [
    "/((?!_next/static/|docs/api$|pricing$|$).*)",
    { source: "/:path*", has: [{ type: "header", key: "content-type" }] },
    { source: "/:path*", has: [{ type: "header", key: "next-action" }] },
    // `refusalHeader`
    { source: "/:path*", has: [{ type: "header", key: "x-refused" }] },
  ],
};

// Next's own limit for actions, which it answers with 500 where the form came without JavaScript.
const MAX_BODY_BYTES = 1024 * 1024;

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const { APP_URL, production } = env();
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const policy = pagePolicy(nonce, request.nextUrl.pathname, APP_URL, production);

  const refused = request.headers.get(refusalHeader);
  if (refused === "405") return refuse(405, "This method is not supported.");
  if (refused !== null || !isDecodable(request.nextUrl.pathname))
    return refuse(400, "This request is malformed.");
  if (isForeignMutation(request, APP_URL, production))
    return refuse(403, "This request does not come from this site.");
  if (Number(request.headers.get("content-length")) > MAX_BODY_BYTES)
    return refuse(413, "This request is too large.");
  const malformed = await refusedActionBody(request);
  if (malformed === 413) return refuse(413, "This request is too large.");
  if (malformed === 400) return refuse(400, "This form is malformed.");

  const headers = new Headers(request.headers);
  // Next takes the nonce for its own scripts from here.
  headers.set("content-security-policy", policy);
  // Which page a layout stands around, Next does not say.
  headers.set("x-path", request.nextUrl.pathname + request.nextUrl.search);
  return secured(NextResponse.next({ request: { headers } }));

  function refuse(status: 400 | 403 | 405 | 413, sentence: string): NextResponse {
    const response = secured(new NextResponse(`${sentence}\n`, { status }));
    // RFC 9110, 15.5.6: it names the methods there are.
    if (status === 405) response.headers.set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
    return response;
  }

  function secured(response: NextResponse): NextResponse {
    for (const [name, value] of Object.entries(securityHeaders(APP_URL)))
      response.headers.set(name, value);
    response.headers.set("Content-Security-Policy", policy);
    response.headers.set("Referrer-Policy", referrerPolicy(request.nextUrl.pathname));
    return response;
  }
}

const leadsToPayment = /^\/t\/[^/]+\/settings\/billing$/;

/** Next answers 500 where the parameter of a dynamic route does not decode. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The status to refuse an action's body with; undefined where Next can decode it. Next keeps a copy
 * of what is read here. The JSON API reads its own bodies.
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

function pagePolicy(nonce: string, path: string, appUrl: string, production: boolean): string {
  // Development only: React rebuilds stack traces with eval, and the error overlay has inline styles.
  const evaluated = production ? "" : " 'unsafe-eval'";
  return contentSecurityPolicy(appUrl, {
    scripts: `'self' 'nonce-${nonce}' 'strict-dynamic' ${themeScriptHash}${evaluated}`,
    styles: production ? `'self' 'nonce-${nonce}'` : "'self' 'unsafe-inline'",
    leadsTo: leadsToPayment.test(path) ? hostedPageOrigins() : [],
  });
}

/** A path that holds a token must not be sent to another site in a Referer header. */
function referrerPolicy(path: string): string {
  return /^\/(signup|reset-password|confirm-browser|change-email|restore-email|not-me|invitations)\/./.test(
    path,
  )
    ? "no-referrer"
    : pageReferrerPolicy;
}
