import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopbackHost, isSameOrigin } from "@/lib/http";
import { seconds } from "@/lib/time";
import type { Account, Webhook } from "./account";
import { answerApi, type Reply, readBody } from "./api";
import { answer } from "./control";
import { forgetOldest, readState, writeState } from "./file";
import { showPage } from "./pages";
import { advance } from "./time";
import { enqueue } from "./webhooks";

/*
 * The stand-in for Stripe, as a separate process: its API and its pages. Its first argument is
 * JSON, see start.ts. Security: it listens only on 127.0.0.1, and refuses requests that name
 * another host (DNS rebinding) and forms of other sites; the API needs the secret key. It ends with
 * the process that started it.
 */

type Options = {
  port: number;
  file: string | null;
  webhook: Webhook;
  secretKey: string;
};

async function handle(
  account: Account,
  secretKey: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const isApi = request.url?.startsWith("/v1/");
  let reply: Reply;
  try {
    if (!isLoopbackHost(request.headers.host ?? null))
      reply = plain(421, "This host is not served here.");
    else if (!URL.canParse(request.url ?? "/", account.origin)) reply = plain(400, "Bad request.");
    else if (isApi) reply = await answerApi(account, secretKey, request);
    else reply = await answerPage(account, request);
  } catch (error) {
    if (request.errored) return; // the client has disconnected
    console.error("The stand-in for Stripe failed:", error);
    reply = plain(500, "The stand-in failed; its terminal says why.");
  }
  response.writeHead(reply.status, {
    ...{ "Content-Type": "application/json", "Cache-Control": "no-store" },
    "X-Content-Type-Options": "nosniff",
    "Request-Id": `req_${randomBytes(8).toString("hex")}`,
    ...reply.headers,
  });
  response.end(reply.body);
}

async function answerPage(account: Account, request: IncomingMessage): Promise<Reply> {
  const { method = "GET", headers } = request;
  const url = new URL(request.url ?? "/", account.origin);
  if (method !== "GET" && method !== "POST") return plain(405, "Method not allowed.");
  const reader = { get: (name: string) => String(headers[name] ?? "") || null };
  if (method === "POST" && !isSameOrigin(reader, account.origin, true))
    return plain(403, "A form from another site is refused.");
  const body = await readBody(request);
  if (body === null) return plain(413, "The request is too large.");
  advance(account);
  const form = method === "POST" ? new URLSearchParams(body) : null;
  return showPage(account, url.pathname, url.searchParams, form);
}

function plain(status: number, body: string): Reply {
  return { status, body, headers: { "Content-Type": "text/plain; charset=utf-8" } };
}

const { port, file, webhook, secretKey }: Options = JSON.parse(process.argv[2] ?? "{}");

const server = createServer();

server.on("error", (error) => {
  console.error(`The stand-in for Stripe could not start: ${error.message}`);
  process.exit(1);
});

server.listen(port, "127.0.0.1");

await once(server, "listening");

const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const state = readState(file, origin);

const account: Account = {
  ...{ state, origin, webhook, isDown: false, delay: 0, queue: [], sending: null },
  save() {
    forgetOldest(state);
    if (file) writeState(file, state);
  },
};

server.on("request", (request, response) => handle(account, secretKey, request, response));

setInterval(() => advance(account), seconds(1));

const unsent = state.events.filter(({ id }) => state.deliveries[id]?.status === "waiting");

enqueue(
  account,
  unsent.map(({ id }) => id),
);

process.on("message", async ({ id, command }) => {
  try {
    process.send?.({ id, answer: await answer(account, command) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});

process.once("disconnect", () => process.exit());

process.send?.({ origin });
