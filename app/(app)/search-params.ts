import type { Route } from "next";

export type Query = Record<string, string | string[] | undefined>;

/**
 * A query parameter as a trimmed string of at most 254 characters, without control characters; empty
 * if absent or repeated.
 */
export function stringParam(query: Query, name: string): string {
  const value = query[name];
  return typeof value === "string"
    ? value
        .replace(/\p{Cc}/gu, "")
        .trim()
        .slice(0, 254)
    : "";
}

/** A query parameter that is one of `values`; undefined if it is anything else. */
export function enumParam<Value extends string>(
  query: Query,
  name: string,
  values: readonly Value[],
): Value | undefined {
  return values.find((value) => value === stringParam(query, name));
}

/** `path` with the parameters that are neither empty nor undefined. */
export function urlFor(path: string, query: Record<string, string | undefined>): Route {
  const set = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  const search = new URLSearchParams(set).toString();
  return (search ? `${path}?${search}` : path) as Route; // of this site, whatever the query
}
