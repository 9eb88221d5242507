import { randomInt } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import type { App } from "./app";

/*
 * Sends HTTP requests like a browser, without a browser: the test sets every header, redirects are
 * not followed and cookies are not kept. Requests go through the TLS proxy, as a browser's do.
 */

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  setCookie: string[];
  body: string;
};

/** `undefined` removes a header that would be sent by default. */
export type SentHeaders = Record<string, string | string[] | undefined>;

export type HttpClient = {
  get(path: string, headers?: SentHeaders): Promise<Answer>;
  /** Sends the headers that our own pages send with a POST, unless `headers` override them. */
  post(path: string, body: FormData | string, headers?: SentHeaders): Promise<Answer>;
};

const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });

/** Returns a client that presents this session token, if given, from a random IP address. */
export function httpClient(app: App, token?: string): HttpClient {
  const cookie = token ? `${sessionCookie(app.origin).name}=${token}` : undefined;
  const place = randomClientIp();
  const sameOrigin = { origin: app.origin, "sec-fetch-site": "same-origin" };
  return {
    get: (path, headers) => send(app.origin, path, "GET", { cookie, ...place, ...headers }),
    async post(path, body, headers) {
      const encoded = new Response(body);
      const type = encoded.headers.get("content-type") ?? undefined;
      const bytes = Buffer.from(await encoded.arrayBuffer());
      const sent = { cookie, "content-type": type, ...place, ...sameOrigin, ...headers };
      return send(app.origin, path, "POST", sent, bytes);
    },
  };
}

export function send(
  origin: string,
  path: string,
  method: string,
  headers: SentHeaders,
  body?: Buffer,
): Promise<Answer> {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  const sent = Object.fromEntries(given) as OutgoingHttpHeaders; // undefined values are removed
  return new Promise((resolve, reject) => {
    const options = { method, agent, headers: { ...sent, "content-length": body?.length ?? 0 } };
    // The path is sent unchanged: `new URL` would normalize it.
    const { hostname, port } = new URL(origin);
    const request = https.request({ hostname, port, path, ...options }, (response) => {
      const chunks: Buffer[] = [];
      const answer = () => ({
        status: response.statusCode ?? 0,
        headers: response.headers,
        setCookie: response.headers["set-cookie"] ?? [],
        body: Buffer.concat(chunks).toString("utf8"),
      });
      response.on("data", (chunk) => {
        chunks.push(chunk);
        // An event stream does not end: resolve with its first chunk.
        if (response.headers["content-type"] !== "text/event-stream") return;
        resolve(answer());
        request.destroy();
      });
      response.on("error", reject);
      response.on("end", () => resolve(answer()));
    });
    request.on("error", reject);
    request.end(body);
  });
}

/**
 * Returns the header of a random IP address, so that tests do not use up each other's limits.
 * The app under test trusts two hops: the header holds the client's IP address as the outer
 * proxy sends it.
 */
export function randomClientIp(): Record<string, string> {
  const [a, b] = [randomInt(256), randomInt(256)];
  return { "x-forwarded-for": `10.${randomInt(256)}.${a}.${b}` };
}

/** Returns the session token that the response sets in the browser, or undefined. */
export function tokenFrom(answer: Answer): string | undefined {
  const value = answer.setCookie
    .map((line) => /^(?:__Host-)?session=([^;]*)/.exec(line)?.[1])
    .find((found) => found !== undefined);
  return value || undefined;
}

/** Removes what is random in each response: the nonces of scripts and the passkey challenge. */
export function withoutRandom(html: string): string {
  return html
    .replaceAll(/nonce(="|\\":\\")[\w+/=]+/g, "nonce")
    .replaceAll(/'nonce-[^']+'/g, "")
    .replaceAll(/challenge(\\+":\\+")[\w-]+/g, "challenge");
}
