import type { Route } from "next";

export type Query = Record<string, string | string[] | undefined>;

/**
 * Returns a query parameter as a trimmed string of at most 254 characters, without control
 * characters. Returns "" if it is absent or repeated.
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

/** Returns a query parameter if it is one of `values`, otherwise undefined. */
export function enumParam<Value extends string>(
  query: Query,
  name: string,
  values: readonly Value[],
): Value | undefined {
  return values.find((value) => value === stringParam(query, name));
}

/** Returns `path` with the parameters that are neither empty nor undefined. */
export function urlFor(path: string, query: Record<string, string | undefined>): Route {
  const set = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  const search = new URLSearchParams(set).toString();
  return (search ? `${path}?${search}` : path) as Route; // a path of this site, whatever the query
}
