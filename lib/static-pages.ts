import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { scriptHash } from "./response-headers";

/*
 * Owns what the build notes of the public pages that it made (lib/commands/build.ts), and the server reads at
 * boot. They have no nonce, since all visitors get the same bytes: the hashes of their inline scripts stand in
 * its place. No action makes them again, as `revalidatePath` of `/` does: the hashes would be others
 * (tests/lib/static-pages.test.ts).
 */

/** For each path the sources of its inline scripts, as in `script-src`. */
export type StaticPages = { [path: string]: string };

export type StaticBuild = {
  /** What links to pages begin with, where they have to be absolute. */
  siteUrl: string;
  /** Whether they show prices. */
  sold: boolean;
  /** Of the key that the build was given for the ids of its actions, `actionsKeyHash`; null without one. */
  actionsKey: string | null;
  pages: StaticPages;
};

export const staticBuildFile = "static-pages.json";

/** Compared at boot; the key itself stands in a file of Next's. */
export function actionsKeyHash(key: string | undefined): string | null {
  return key === undefined ? null : createHash("sha256").update(key).digest("base64url");
}

/** The path in `StaticPages` of the page for what is not found. */
export const notFoundPath = "/_not-found";

/** Null in development, where the server makes all pages. `directory`: that of the build. */
export function readStaticBuild(directory: string): StaticBuild | null {
  try {
    return JSON.parse(readFileSync(`${directory}/${staticBuildFile}`, "utf8"));
  } catch {
    return null;
  }
}

/** The hashes of the inline scripts of a page. Throws at what the policy would block. */
export function hashesOf(html: string, page: string): string {
  const blocked =
    /<style[\s>]/i.exec(html)?.[0] ??
    /<[a-z][^>]*?\s(style|on[a-z]+)\s*=/i.exec(html.replace(inlineScript, ""))?.[0];
  if (blocked)
    throw new Error(
      `The page ${page} has ${blocked}…, which its Content Security Policy blocks: use a class of the style sheet, or an event handler of a client component.`,
    );
  const hashes = [...html.matchAll(inlineScript)].map(([, text]) => scriptHash(text ?? ""));
  return [...new Set(hashes)].join(" ");
}

const inlineScript = /<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/gi;
