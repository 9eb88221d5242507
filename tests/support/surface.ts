import { readFileSync } from "node:fs";
import path from "node:path";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Connection } from "@/lib/db/client";
import { createLogin, createPerson, type Person } from "./people";
import type { Answer, SentHeaders, Visitor } from "./visitor";

/*
 * What the production build answers to, read from the build itself, so that a new page, handler or
 * action is tested without anybody thinking of it.
 */

const manifest = (name: string) => JSON.parse(readFileSync(path.resolve(".next", name), "utf8"));

/** Every address of the build; a dynamic segment is a random token. */
export function allPaths(): string[] {
  const routes: Record<string, string> = manifest("app-path-routes-manifest.json");
  return [...new Set(Object.values(routes))]
    .filter((route) => route !== "/_global-error") // Next's own; always 500
    .map((route) => route.replaceAll(/\[\w+\]/g, newToken));
}

export type Action = { id: string; name: string; file: string; path: string };

/** Every server action, with a page that has it. */
export function allActions(): Action[] {
  type Entry = { filename: string; exportedName: string; workers: Record<string, unknown> };
  const { node }: { node: Record<string, Entry> } = manifest(
    "server/server-reference-manifest.json",
  );
  const routes: Record<string, string> = manifest("app-path-routes-manifest.json");
  return Object.entries(node).map(([id, { filename, exportedName, workers }]) => {
    const [worker = ""] = Object.keys(workers);
    const route = routes[worker.replace(/^app/, "")] ?? "/";
    const address = route.replaceAll(/\[\w+\]/g, newToken);
    return { id, name: exportedName, file: filename, path: address };
  });
}

/** The ways a browser calls an action; each needs nothing but its id. */
export const ways: Record<
  string,
  (visitor: Visitor, action: Action, fields: Fields, headers?: SentHeaders) => Promise<Answer>
> = {
  "as a form without JavaScript": (visitor, action, fields, headers) =>
    visitor.post(action.path, formBody(action, fields), headers),
  "by fetch": (visitor, action, fields, headers) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(`_1_${name}`, value);
    body.append("0", takesState(action) ? '[{},"$K1"]' : '["$K1"]');
    return visitor.post(action.path, body, {
      ...{ "next-action": action.id, accept: "text/x-component" },
      ...headers,
    });
  },
};

export type Fields = Record<string, string>;

/** The body of a form of ours, as React's hidden fields mark it. */
export function formBody(action: Action, fields: Fields | [string, string | Blob][]): FormData {
  const body = new FormData();
  if (takesState(action)) {
    body.append("$ACTION_REF_1", "");
    body.append("$ACTION_1:0", JSON.stringify({ id: action.id, bound: "$@1" }));
    body.append("$ACTION_1:1", "[{}]");
  } else body.append(`$ACTION_ID_${action.id}`, "");
  const entries = Array.isArray(fields) ? fields : Object.entries(fields);
  for (const [name, value] of entries) body.append(name, value);
  return body;
}

/** The form as a page shows it, filled in: with what ties the answer's errors to it. */
export async function shownForm(from: Visitor, action: Action, fields: Fields): Promise<FormData> {
  const { body } = await from.get(action.path);
  const form = body.match(/<form[\s\S]*?<\/form>/g)?.find((each) => each.includes(action.id));
  if (!form) throw new Error(`${action.path} shows no form of ${action.name}.`);
  const filled = new FormData();
  for (const [, name = "", value = ""] of form.matchAll(
    /<input type="hidden" name="([^"]*)"(?: value="([^"]*)")?/g,
  ))
    if (!(name in fields)) filled.append(name, value.replaceAll("&quot;", '"'));
  for (const [name, value] of Object.entries(fields)) filled.append(name, value);
  return filled;
}

/** Next notes in the first byte of an id which arguments the action uses: 0x60 is the first two. */
function takesState({ id }: Action): boolean {
  return id.startsWith("60");
}

/**
 * A user on two devices and somebody about to sign up, with fields that every action takes: called
 * with them by `token`'s owner, each action does what it is for.
 */
export async function everybody(
  connection: Connection,
): Promise<{ person: Person; token: string; fields: Fields }> {
  const { db, sql } = connection;
  const person = await createPerson(db);
  const { token } = await createLogin(db, person);
  const other = await createLogin(db, person);
  const link = newToken();
  await sql`insert into pending_sign_ups (email, token_hash, expires_at)
    values (${`new-${person.email}`}, ${hashToken(link)}, now() + interval '1 hour')`;
  const fields = {
    ...{ id: other.session.id, token: link, name: "Another Name", theme: "dark" },
    ...{ email: person.email, password: "correct horse battery", next: "/settings/devices" },
  };
  return { person, token, fields };
}
