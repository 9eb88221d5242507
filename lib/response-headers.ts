import { days } from "./time";

/*
 * The security headers of a response, as data. They are set twice: by lib/incoming.ts before Next
 * sees the request, because Next answers some requests without running proxy.ts, and by proxy.ts,
 * which knows the nonce.
 */

// Two years: what hstspreload.org recommends; it requires at least one.
const hstsMaxAge = days(730) / 1000;

/**
 * For a response that loads nothing: a redirect or an error of Next's own. proxy.ts replaces
 * `Content-Security-Policy` and `Referrer-Policy` with those of the page.
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
