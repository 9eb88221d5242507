import type { Route } from "next";

export type Query = Record<string, string | string[] | undefined>;

/** What an address asks for under this name: once, without what no field of ours sends. */
export function asked(query: Query, name: string): string {
  const value = query[name];
  return typeof value === "string"
    ? value
        .replace(/\p{Cc}/gu, "")
        .trim()
        .slice(0, 254)
    : "";
}

/** The same, where only these words mean anything. */
export function askedAmong<Word extends string>(
  query: Query,
  name: string,
  words: readonly Word[],
): Word | undefined {
  return words.find((word) => word === asked(query, name));
}

/** A path of this site with what of the query says anything. */
export function address(path: string, query: Record<string, string | undefined>): Route {
  const said = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  const search = new URLSearchParams(said).toString();
  return (search ? `${path}?${search}` : path) as Route; // of this site, whatever the query
}
