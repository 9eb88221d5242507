import { randomBytes } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/*
 * What a request says about itself, and how much of it is trusted. Pure functions over headers, so
 * that pages, actions, handlers and proxy.ts all decide alike.
 */

type HeaderReader = Pick<Headers, "get">;

/** Where a request came from. A field is null if it is not known. */
export type Client = { ip: string | null; userAgent: string | null };

/**
 * Returns whether a mutation comes from our own pages. A browser always sends `Origin` with a POST,
 * and `Sec-Fetch-Site` over https. A request with neither is not a browser's form; one in which
 * either header differs comes from another site's page. `loopbackToo` (development) treats
 * 127.0.0.1 and localhost as the same host, on the same port only.
 */
export function isSameOrigin(headers: HeaderReader, appUrl: string, loopbackToo = false): boolean {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  if (site === null && origin === null) return false;
  if (site !== null && site !== "same-origin") return false;
  if (origin === null) return true;
  return origin === appUrl || (loopbackToo && isLoopbackTwin(origin, appUrl));
}

/**
 * Returns whether a page of another site sent this request, for routes that accept a bearer and no
 * cookie. Programs send neither header.
 */
export function isFromAnotherSite(headers: HeaderReader, appUrl: string): boolean {
  const fromBrowser = headers.get("sec-fetch-site") !== null || headers.get("origin") !== null;
  return fromBrowser && !isSameOrigin(headers, appUrl);
}

function isLoopbackTwin(origin: string, appUrl: string): boolean {
  if (!URL.canParse(origin)) return false;
  const [theirs, ours] = [new URL(origin), new URL(appUrl)];
  return (
    origin === theirs.origin &&
    theirs.protocol === ours.protocol &&
    theirs.port === ours.port &&
    isLoopback(theirs.hostname) &&
    isLoopback(ours.hostname)
  );
}

/**
 * Returns whether the Host header names this machine. Another site can let its own name resolve to
 * 127.0.0.1 (DNS rebinding), so that its page can read what answers there; the browser then sends
 * that name as Host.
 */
export function isLoopbackHost(host: string | null): boolean {
  return !!host && isLoopback(host.toLowerCase().replace(/:\d+$/, ""));
}

/**
 * Returns whether `hostname` is this machine. It must be as the URL parser writes it: in lower
 * case, an IPv6 address in brackets.
 */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Returns where to go after login: a path on this site, or the dashboard. */
export function safeNext(next: unknown): string {
  const path = ownPath(next, "/dashboard");
  // Sending a visitor of /login back to /login would never end.
  return /^\/(login|logout|confirm)(\/|\?|$)/.test(path) ? "/dashboard" : path;
}

/**
 * Returns `next` if it is a path on this site, else the fallback. Parses it as a browser does,
 * because `/\evil`, `//evil` and `/%09/evil` fool any check of the string.
 */
export function ownPath(next: unknown, fallback: string): string {
  if (typeof next !== "string" || next.length > 2000 || !next.startsWith("/")) return fallback;
  const base = "https://latchkey.invalid";
  if (!URL.canParse(next, base)) return fallback;
  const url = new URL(next, base);
  if (url.origin !== base) return fallback;
  const path = url.pathname + url.search;
  return /^\/([/\\]|%(09|0a|0d|5c|2f))/i.test(path) ? fallback : path;
}

// The header's name is random at every start, so that no client can send the header itself. It is
// kept on globalThis because Next bundles instrumentation.ts and the pages separately.
const PEER = Symbol.for("latchkey.peer-address-header");
const shared: { [PEER]?: string } = globalThis as object;

/**
 * Called once at boot. Adds each connection's own IP address to its requests as a header, for
 * `clientAddress`. When an action redirects, Next fetches the target from this server itself, with
 * the headers of the request it answers: a request that already has the header keeps it, and so
 * counts as the browser's.
 */
export function recordPeerAddresses(): void {
  if (shared[PEER]) return;
  const header = `x-peer-${randomBytes(16).toString("hex")}`;
  shared[PEER] = header;
  diagnostics.subscribe("http.server.request.start", (message) => {
    // Node documents this channel's message as { request, response, socket, server }.
    const { request } = message as { request: IncomingMessage };
    request.headers[header] ??= request.socket.remoteAddress;
  });
}

/**
 * Returns the client's IP address, or null if no trusted source names it. With `hops`
 * proxies in front, it is the entry that many from the right of X-Forwarded-For; entries
 * further left can be forged by the client. With none, the header is ignored and the
 * connection's own IP address counts.
 */
export function clientAddress(headers: HeaderReader, hops: number): string | null {
  const peer = shared[PEER] ? headers.get(shared[PEER]) : null;
  const chain = (headers.get("x-forwarded-for") ?? "").split(",").map((part) => part.trim());
  const said = (hops === 0 ? peer : chain.at(-hops)) ?? "";
  // Some proxies (Azure's among them) add the port: "203.0.113.9:4711", "[2001:db8::7]:4711".
  const [, v6, v4] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?$/.exec(said) ?? [];
  // Node appends the interface to a link-local IP address ("fe80::1%eth0"), which
  // Postgres' inet refuses.
  const address = (v6 ?? v4 ?? said).replace(/^::ffff:|%.*$/g, "");
  return isIP(address) ? address : null;
}
