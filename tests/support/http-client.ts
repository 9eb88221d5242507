import { randomInt } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import type { App } from "./app";

/*
 * HTTP requests as a browser sends them, without a browser: the test sets every header, redirects are
 * not followed and cookies not kept. Requests go through the TLS proxy, as a browser's do.
 */

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  setCookie: string[];
  body: string;
};

/** `undefined` leaves out a header that would be sent otherwise. */
export type SentHeaders = Record<string, string | string[] | undefined>;

export type HttpClient = {
  get(path: string, headers?: SentHeaders): Promise<Answer>;
  /** As our own pages post, unless `headers` say otherwise. */
  post(path: string, body: FormData | string, headers?: SentHeaders): Promise<Answer>;
};

const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });

/** A client that presents this session token, if given; from a random IP address. */
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
  const sent = Object.fromEntries(given) as OutgoingHttpHeaders; // the undefined are gone
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
        // An event stream does not end: its first part is the answer.
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
 * A random IP address, or the tests would use up each other's limits. The app under test trusts two
 * hops: this is the client's address as the outer proxy sends it.
 */
export function randomClientIp(): Record<string, string> {
  const [a, b] = [randomInt(256), randomInt(256)];
  return { "x-forwarded-for": `10.${randomInt(256)}.${a}.${b}` };
}

/** The session token that an answer puts into the browser; undefined if it puts none. */
export function tokenFrom(answer: Answer): string | undefined {
  const value = answer.setCookie
    .map((line) => /^(?:__Host-)?session=([^;]*)/.exec(line)?.[1])
    .find((found) => found !== undefined);
  return value || undefined;
}

/** Without what is random in each answer: the nonce of its scripts, and the challenge for a passkey. */
export function withoutRandom(html: string): string {
  return html
    .replaceAll(/nonce(="|\\":\\")[\w+/=]+/g, "nonce")
    .replaceAll(/'nonce-[^']+'/g, "")
    .replaceAll(/challenge(\\+":\\+")[\w-]+/g, "challenge");
}
