import { createHash } from "node:crypto";
import { themeScript } from "./theme";
import { days } from "./time";

/*
 * The security headers of a response, as data. lib/incoming.ts sets them, and those of a page once
 * Next has decided that the answer is a page; proxy.ts sets them for requests that are not GET, and
 * where no HTTP server of Node runs. A page made by the build has no nonce: lib/incoming.ts sends
 * the hashes of its inline scripts (lib/static-pages.ts).
 */

// Two years, as hstspreload.org recommends; it requires at least one.
const hstsMaxAge = days(730) / 1000;

/**
 * Returns the headers of a response that loads nothing: a redirect, an error of Next's own, JSON.
 * The headers of a page replace two of them.
 */
export function securityHeaders(appUrl: string): Record<string, string> {
  return {
    "Content-Security-Policy":
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    ...(appUrl.startsWith("https:") && {
      "Strict-Transport-Security": `max-age=${hstsMaxAge}; includeSubDomains`,
    }),
  };
}

/**
 * Returns an inline script's hash, as a Content Security Policy has it. `text` is the content
 * between the script's tags.
 */
export function scriptHash(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** `scripts`, `styles`: the sources of each directive. `leadsTo`: other sites that forms lead to. */
export function contentSecurityPolicy(
  appUrl: string,
  { scripts, styles, leadsTo = [] }: { scripts: string; styles: string; leadsTo?: string[] },
): string {
  return [
    "default-src 'self'",
    `script-src ${scripts}`,
    `style-src ${styles}`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    // A redirect that answers a form counts as well.
    ["form-action 'self'", ...leadsTo].join(" "),
    "frame-ancestors 'none'",
    ...(appUrl.startsWith("https:") ? ["upgrade-insecure-requests"] : []),
  ].join("; ");
}

/**
 * Returns the headers of the page at this path, rendered for its request. `nonce` is for its
 * scripts and styles: 16 random bytes or more in base64. `leadsTo`: other sites that its forms may
 * lead to.
 */
export function pageHeaders(
  { APP_URL, production }: { APP_URL: string; production: boolean },
  { path, nonce, leadsTo }: { path: string; nonce: string; leadsTo: string[] },
): { "Content-Security-Policy": string; "Referrer-Policy": string } {
  // Development only: React rebuilds stack traces with eval; the error overlay has inline styles.
  const evaluated = production ? "" : " 'unsafe-eval'";
  return {
    "Content-Security-Policy": contentSecurityPolicy(APP_URL, {
      scripts: `'self' 'nonce-${nonce}' 'strict-dynamic' ${themeScriptHash}${evaluated}`,
      styles: production ? `'self' 'nonce-${nonce}'` : "'self' 'unsafe-inline'",
      leadsTo,
    }),
    "Referrer-Policy": holdsToken.test(path) ? "no-referrer" : pageReferrerPolicy,
  };
}

/** A path that holds a token must not be sent to another site in a Referer header. */
const holdsToken =
  /^\/(signup|reset-password|confirm-browser|change-email|restore-email|not-me|invitations)\/./;

/** The hash of the script in the head of each page. */
export const themeScriptHash: string = scriptHash(themeScript);

/** The Referrer-Policy of a page: what it discloses to other sites that it links to. */
export const pageReferrerPolicy = "strict-origin-when-cross-origin";
