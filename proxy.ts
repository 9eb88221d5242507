import { type NextRequest, NextResponse } from "next/server";
import { env } from "@/lib/env";
import { isSameOrigin } from "@/lib/http";

/*
 * Sets the headers of every response, and turns away what another site's page sent or what is too
 * large before Next parses it (it would answer some with 500). It decides nothing about access:
 * pages, actions and handlers each ask for themselves, and the tests run with this file switched off.
 */

// Next's own limit for actions, which it answers with 500 where the form came without JavaScript.
const MAX_BODY_BYTES = 1024 * 1024;

export function proxy(request: NextRequest): NextResponse {
  const { APP_URL, production } = env();
  const nonce = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64");
  const policy = contentSecurityPolicy(nonce, APP_URL, production);

  if (isForeignMutation(request, APP_URL, production)) {
    return secured(
      new NextResponse("This request does not come from this site.\n", { status: 403 }),
    );
  }
  if (Number(request.headers.get("content-length")) > MAX_BODY_BYTES) {
    return secured(new NextResponse("This request is too large.\n", { status: 413 }));
  }
  const headers = new Headers(request.headers);
  // Next takes the nonce for its own scripts from here.
  headers.set("content-security-policy", policy);
  // Which page a layout stands around, Next does not say.
  headers.set("x-path", request.nextUrl.pathname + request.nextUrl.search);
  return secured(NextResponse.next({ request: { headers } }));

  function secured(response: NextResponse): NextResponse {
    response.headers.set("Content-Security-Policy", policy);
    response.headers.set("X-Content-Type-Options", "nosniff");
    response.headers.set("Referrer-Policy", referrerPolicy(request.nextUrl.pathname));
    response.headers.set(
      "Permissions-Policy",
      "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    response.headers.set("Cross-Origin-Opener-Policy", "same-origin");
    response.headers.set("Cross-Origin-Resource-Policy", "same-origin");
    if (APP_URL.startsWith("https:"))
      response.headers.set("Strict-Transport-Security", "max-age=63072000");
    return response;
  }
}

function isForeignMutation(request: NextRequest, appUrl: string, production: boolean): boolean {
  if (request.method === "GET" || request.method === "HEAD" || request.method === "OPTIONS")
    return false;
  // The JSON API carries its credentials in a header that no page can make a browser send.
  if (request.nextUrl.pathname.startsWith("/api/")) return false;
  return !isSameOrigin(request.headers, appUrl, !production);
}

function contentSecurityPolicy(nonce: string, appUrl: string, production: boolean): string {
  // Development only: React rebuilds stack traces with eval, and the error overlay has inline styles.
  const script = production ? "" : " 'unsafe-eval'";
  const style = production ? `'self' 'nonce-${nonce}'` : "'self' 'unsafe-inline'";
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${script}`,
    `style-src ${style}`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    ...(appUrl.startsWith("https:") ? ["upgrade-insecure-requests"] : []),
  ].join("; ");
}

/** A path that holds a token must not travel to anyone in a Referer header. */
function referrerPolicy(path: string): string {
  return /^\/(signup|reset-password|change-email|restore-email|not-me)\/./.test(path)
    ? "no-referrer"
    : "strict-origin-when-cross-origin";
}
