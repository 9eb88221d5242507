import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { scriptHash } from "./response-headers";

/*
 * What the build records about the public pages that it made (lib/commands/build.ts), and the
 * server reads at boot. They have no nonce, because all visitors get the same bytes: the hashes of
 * their inline scripts replace it. No action makes them again, as `revalidatePath` of `/` would,
 * because the hashes would change (tests/lib/static-pages.test.ts).
 */

/** The sources of each path's inline scripts, as in `script-src`. */
export type StaticPages = { [path: string]: string };

export type StaticBuild = {
  /** The URL with which links to pages begin where they have to be absolute. */
  siteUrl: string;
  /** Whether the pages show prices. */
  sold: boolean;
  /**
   * The `actionsKeyHash` of the key that the build was given for the ids of its
   * actions; null without one.
   */
  actionsKey: string | null;
  pages: StaticPages;
};

export const staticBuildFile = "static-pages.json";

/** Returns a hash of the key, to be compared at boot. The key itself is in one of Next's files. */
export function actionsKeyHash(key: string | undefined): string | null {
  return key === undefined ? null : createHash("sha256").update(key).digest("base64url");
}

/** The path of the not-found page in `StaticPages`. */
export const notFoundPath = "/_not-found";

/** Reads the build's record in `directory`. Null in development, which prerenders no page. */
export function readStaticBuild(directory: string): StaticBuild | null {
  try {
    return JSON.parse(readFileSync(`${directory}/${staticBuildFile}`, "utf8"));
  } catch {
    return null;
  }
}

/** Returns the hashes of a page's inline scripts. Throws if the policy would block anything. */
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
