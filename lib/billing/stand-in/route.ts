import type { Account } from "./account";
import { invalid, missing } from "./errors";
import { listOf } from "./fields";
import type { Params } from "./params";
import type { State } from "./state";

/* The type of an API route, and the routes that read. */

export type Call = { account: Account; state: State; params: Params; at: number; id: string };

export type Route = {
  method: "GET" | "POST" | "DELETE";
  /** `:id` is the id of an object. */
  path: string;
  /** The accepted parameters besides `expand`, which has no effect here. */
  takes: string[];
  run(call: Call): object;
};

/**
 * Returns the routes that list objects, newest first, and that read one. A filter returns
 * the object's value, which must equal the one asked for; `asked` is null if the request
 * does not use the filter.
 */
export function reads<T extends { id: string }>(
  name: string,
  kind: string,
  all: (state: State) => T[],
  filters: Record<string, (each: T, asked: string | null) => unknown>,
): Route[] {
  const path = `/v1/${name}`;
  const list = ({ state, params }: Call) => {
    const limit = params.integer("limit") ?? 10;
    if (limit < 1 || limit > 100)
      throw invalid("Invalid limit: it must be between 1 and 100.", "limit");
    const after = params.text("starting_after");
    const newest = all(state).toReversed();
    const start = after === null ? 0 : newest.findIndex(({ id }) => id === after) + 1;
    if (after !== null && start === 0) throw missing(kind, after, "starting_after");
    const found = newest.slice(start).filter((each) =>
      Object.entries(filters).every(([filter, read]) => {
        const many = filter.endsWith("[]") ? params.list(filter.slice(0, -2)) : [];
        const asked = params.text(filter);
        const value = read(each, asked);
        if (filter.endsWith("[]")) return many.length === 0 || many.includes(String(value));
        return asked === null ? value !== HIDDEN : String(value) === asked;
      }),
    );
    return listOf(found.slice(0, limit), path, found.length > limit);
  };
  const read = ({ state, id }: Call) => find(all(state), id, kind);
  const takes = [...Object.keys(filters), "limit", "starting_after"];
  return [
    { method: "GET", path, takes, run: list },
    { method: "GET", path: `${path}/:id`, takes: [], run: read },
  ];
}

/** Returned by a filter for an object that a list without that filter leaves out. */
export const HIDDEN = Symbol("hidden");

/** Finds an object. `param` is the parameter that has the id; without it, the path has the id. */
export function find<T extends { id: string }>(
  all: T[],
  id: string,
  kind: string,
  param?: string,
): T {
  const found = all.find((each) => each.id === id);
  if (!found) throw missing(kind, id, param);
  return found;
}
