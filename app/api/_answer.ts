import type { z } from "zod";
import { Problem, type ProblemCode, type ProblemExtras, problem } from "@/lib/api/problems";
import { isUnreachable } from "@/lib/db/client";
import { env } from "@/lib/env";
import { id as uuid } from "@/lib/fields";
import { isFromAnotherSite } from "@/lib/http";

/*
 * Wraps every route of the API. Security: there is no ambient authority. No cookie is read or set,
 * and a request from a page of another site is refused before any work is done.
 */

/** Runs a route, and turns a thrown `Problem` into its response. */
export async function answer(request: Request, route: () => Promise<Response>): Promise<Response> {
  try {
    if (isFromAnotherSite(request.headers, env().APP_URL)) throw new Problem("foreign-origin");
    return await route();
  } catch (error) {
    if (error instanceof Problem) return problemResponse(error.code, error.extras);
    if (!isUnreachable(error)) throw error;
    console.error("The database does not answer:", error);
    return problemResponse("unavailable", { headers: { "Retry-After": "1" } });
  }
}

/** Returns a JSON response. No response of the API may be cached. */
export function json(body: unknown, status: 200 | 201 = 200): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
}

export function noContent(): Response {
  return new Response(null, { status: 204, headers: { "Cache-Control": "no-store" } });
}

const MAX_BODY_BYTES = 64 * 1024;

/** Returns the body if it matches the schema. Otherwise throws a problem with the errors. */
export async function readJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.output<Schema>> {
  requireJson(request);
  return validate(parse(await readText(request)), schema);
}

/** Like `readJson`, for a route whose body is optional: an empty body counts as `{}`. */
export async function readOptionalJson<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await readText(request);
  if (text === "") return validate({}, schema);
  requireJson(request);
  return validate(parse(text), schema);
}

/** Returns the URL's query parameters. A repeated parameter is an error, not a guess. */
export function readQuery<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): z.output<Schema> {
  const query = new Map<string, string | string[]>();
  const { searchParams } = new URL(request.url);
  for (const name of searchParams.keys()) {
    const [first = "", ...more] = searchParams.getAll(name);
    query.set(name, more.length > 0 ? [first, ...more] : first);
  }
  return validate(Object.fromEntries(query), schema);
}

/** Returns the id in a path. A malformed id gets the same "not found" as an unknown id. */
export function readId(segment: string): string {
  const read = uuid.safeParse(segment.toLowerCase());
  if (!read.success) throw new Problem("not-found");
  return read.data;
}

function requireJson(request: Request): void {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) throw new Problem("unsupported-media-type");
}

function validate<Schema extends z.ZodType>(body: unknown, schema: Schema): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;

  // A Map: a plain object inherits `__proto__` and `constructor`, so those would not be added.
  const errors = new Map<string, string>();
  for (const issue of result.error.issues) {
    const unknown = issue.code === "unrecognized_keys";
    const names = unknown ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    const sentence = unknown ? "There is no such field." : issue.message;
    for (const path of names) {
      const name = path.join(".") || "body";
      if (!errors.has(name)) errors.set(name, sentence);
    }
  }
  throw new Problem("invalid-input", { errors: Object.fromEntries(errors) });
}

/** Counts the bytes while reading: the announced length may be wrong or missing. */
async function readText(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    size += part.value.byteLength;
    if (size > MAX_BODY_BYTES) {
      await reader?.cancel();
      throw new Problem("too-large");
    }
    chunks.push(part.value);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("invalid-json");
  }
}

export function problemResponse(code: ProblemCode, extras: ProblemExtras = {}): Response {
  const { headers, ...rest } = extras;
  const body = problem(code, rest);
  return Response.json(body, {
    status: body.status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      ...(body.status === 401 && { "WWW-Authenticate": "Bearer" }),
      ...headers,
    },
  });
}
