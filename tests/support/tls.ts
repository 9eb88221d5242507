import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import { generate } from "selfsigned";
import { product } from "@/lib/product";

/**
 * Starts the reverse proxy of a production server: it terminates TLS, keeps the Host header,
 * and appends the client's IP address to X-Forwarded-For. The certificate is self-signed and
 * new each time.
 */
export async function startTlsProxy(
  target: () => number,
): Promise<{ port: number; tokens: Set<string>; stop(): void }> {
  const { private: key, cert } = await generate([{ name: "commonName", value: "localhost" }], {
    keySize: 2048,
  });
  const tokens = new Set<string>();
  const note = (...texts: (string | undefined)[]) => {
    for (const [token] of texts.join(" ").matchAll(secret)) tokens.add(token);
  };
  const noteJson = (message: http.IncomingMessage) => {
    if (!message.headers["content-type"]?.startsWith("application/json")) return;
    const chunks: Buffer[] = [];
    message.on("data", (chunk) => chunks.push(chunk));
    message.on("end", () => note(Buffer.concat(chunks).toString("utf8")));
  };
  // A server may close an idle connection while the next request is being sent. So connections of
  // clients stay open, and each request uses a new connection to the server.
  const agent = new http.Agent({ keepAlive: false });
  const server = https.createServer({ key, cert, keepAliveTimeout: 0 }, (request, response) => {
    const seen = request.headers["x-forwarded-for"];
    const address = request.socket.remoteAddress ?? "";
    const headers = {
      ...request.headers,
      "x-forwarded-for": seen ? `${seen}, ${address}` : address,
      "x-forwarded-proto": "https",
    };
    const { method, url } = request;
    note(url, request.headers.cookie, request.headers.authorization);
    const forwarded = http.request(
      { host: "127.0.0.1", port: target(), method, path: url, headers, agent },
      (answer) => {
        note(...(answer.headers["set-cookie"] ?? []));
        noteJson(answer);
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        // If the server is killed in the middle of a response, the client's connection ends too.
        pipeline(answer, response, () => {});
      },
    );
    forwarded.on("error", () => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    });
    noteJson(request);
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    // A listening TCP server's address is never a string or null.
    port: (server.address() as AddressInfo).port,
    /** Everything that looks like a token in URLs, cookies, bearer headers and JSON. */
    tokens,
    stop() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}

/** The formats of what the product issues: tokens and links, API keys, JWTs signed with Ed25519. */
const apiKey = `(?:${product.apiKeyPrefix}|${product.teamKeyPrefix})[0-9A-Za-z]{38}`;
const secret = new RegExp(
  String.raw`(?<![\w-])([\w-]{43}|${apiKey}|[\w-]+\.[\w-]+\.[\w-]{86})(?![\w-])`,
  "g",
);
