import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import { generate } from "selfsigned";
import { product } from "@/lib/product";

/**
 * The reverse proxy of a production server: TLS, the Host as it came, and the client's address
 * appended to X-Forwarded-For. The certificate is made anew each time and self-signed.
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
  // A connection that its server closes for idleness may be closed while the next request is under way:
  // so those of the clients stay open, and the server gets a new one for each request.
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
        // Where the server is killed in the middle of its answer, the client's connection ends too.
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
    /** Everything in URLs, cookies, bearers and JSON that looks like a token. */
    tokens,
    stop() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}

/** The shapes of what the product issues: tokens and links, API keys, JWTs signed with Ed25519. */
const apiKey = `(?:${product.apiKeyPrefix}|${product.teamKeyPrefix})[0-9A-Za-z]{38}`;
const secret = new RegExp(
  String.raw`(?<![\w-])([\w-]{43}|${apiKey}|[\w-]+\.[\w-]+\.[\w-]{86})(?![\w-])`,
  "g",
);
