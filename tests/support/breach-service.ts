import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/* A local Pwned Passwords service. Tests can replace its responses with invalid ones. */

export type BreachService = {
  /** The value for BREACHED_PASSWORDS_URL. */
  url: string;
  /** The requests received, in order. */
  requests: { method?: string; url?: string; headers: IncomingHttpHeaders }[];
  /** Replaces the response. */
  answer(next: (response: ServerResponse) => unknown): void;
  stop(): Promise<void>;
};

export async function startBreachService(): Promise<BreachService> {
  const requests: BreachService["requests"] = [];
  let answer: (response: ServerResponse) => unknown = (response) => response.end(rangeOf());
  const server = createServer(({ method, url, headers }, response) => {
    requests.push({ method, url, headers });
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A listening TCP server's address is never a string or null.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/range/`,
    requests,
    answer: (next) => {
      answer = next;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function digestOf(password: string): { prefix: string; suffix: string } {
  const digest = createHash("sha1").update(password).digest("hex").toUpperCase();
  return { prefix: digest.slice(0, 5), suffix: digest.slice(5) };
}

/** Returns a response in the public service's format that contains these lines among others. */
export function rangeOf(...lines: string[]): string {
  const other = (n: number) => `${n.toString(16).toUpperCase().padStart(35, "0")}:${n % 7}`;
  return [...Array.from({ length: 1000 }, (_, n) => other(n)), ...lines, other(1000)].join("\r\n");
}
