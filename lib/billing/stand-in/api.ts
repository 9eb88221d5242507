import type { IncomingMessage } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import type { Account } from "./account";
import { ApiError, unknownParameter } from "./errors";
import { Params, plainName } from "./params";
import type { Route } from "./route";
import { routes } from "./routes";
import { clock } from "./state";
import { advance } from "./time";

/*
 * The API, as the SDK calls it: the key, idempotency keys, unknown parameters. Security: every
 * request needs the secret key.
 */

export type Reply = { status: number; body: string; headers?: Record<string, string> };

export async function answerApi(
  account: Account,
  secretKey: string,
  request: IncomingMessage,
): Promise<Reply> {
  try {
    const body = await readBody(request);
    if (body === null) throw new ApiError(413, "The request is too large.");
    const reply = callApi(account, secretKey, request, body);
    await pause(account.delay);
    return reply;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { status: error.status, body: JSON.stringify(error.body, null, 2) };
  }
}

/** Synchronous from checking the idempotency key to storing the answer: requests cannot overlap. */
function callApi(
  account: Account,
  secretKey: string,
  request: IncomingMessage,
  body: string,
): Reply {
  if (request.headers.authorization !== `Bearer ${secretKey}`)
    throw new ApiError(401, "Invalid API Key provided.");
  if (account.isDown)
    throw new ApiError(503, "The stand-in has been told to be down.", { type: "api_error" });
  const { pathname, search } = new URL(request.url ?? "/", account.origin);
  const { method = "GET" } = request;
  const [route, id] = findRoute(method, pathname);
  const params = new Params(new URLSearchParams(method === "POST" ? body : search));
  const key = method === "POST" ? request.headers["idempotency-key"] : undefined;
  const asked = `${pathname}?${params.canonical()}`;
  const stored = account.state.answers.find((each) => each.key === key);
  if (stored && stored.request !== asked)
    throw new ApiError(
      400,
      `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
      { type: "idempotency_error" },
    );
  if (stored)
    return { ...stored, headers: { "Idempotent-Replayed": "true", "Idempotency-Key": stored.key } };
  const unknown = params.names().find((name) => !isTaken(route, name));
  if (unknown) throw unknownParameter(unknown);
  advance(account);
  const { state } = account;
  const found = route.run({ account, state, params, id, at: clock(state) });
  const reply = { status: 200, body: JSON.stringify(found, null, 2) };
  if (typeof key === "string") state.answers.push({ key, request: asked, ...reply });
  if (method !== "GET") account.save();
  return reply;
}

function findRoute(method: string, pathname: string): [Route, string] {
  for (const route of routes) {
    const pattern = new RegExp(`^${route.path.replace(":id", "(\\w+)")}$`);
    const match = route.method === method && pattern.exec(pathname);
    if (match) return [route, match[1] ?? ""];
  }
  throw new ApiError(404, `Unrecognized request URL (${method}: ${pathname}).`);
}

function isTaken({ takes }: Route, name: string): boolean {
  const plain = plainName(name);
  return (
    plain === "expand[]" ||
    takes.some(
      (each) => each === plain || (each.endsWith("*") && plain.startsWith(each.slice(0, -1))),
    )
  );
}

const BODY_LIMIT = 256 * 1024;

/** Returns null if the body is too long, but reads it all, so that the sender gets the answer. */
export async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length <= BODY_LIMIT) chunks.push(chunk);
  }
  return length > BODY_LIMIT ? null : Buffer.concat(chunks).toString("utf8");
}
