import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { billingIsOn } from "@/lib/billing/entitlements";
import { childEnv, setEnv, siteUrl } from "@/lib/env";
import { hashesOf, type StaticBuild, type StaticPages, staticBuildFile } from "@/lib/static-pages";
import { readEnvFiles } from "./database";
import { command, step } from "./terminal";

/*
 * `npm run build`: Next's build, and then the hashes of the inline scripts of each page that it made, which the
 * server names in the page's Content Security Policy. Fails at what the policy would block.
 */

const next = path.join("node_modules", "next", "dist", "bin", "next");

// Next's own page for an error in the root layout. It does without its style and its script.
const lastResort = "/_global-error";

// Of prerender-manifest.json, as far as it is read here.
type Prerendered = { routes: Record<string, { initialRevalidateSeconds: number | false }> };

command(async () => {
  setEnv({ NODE_ENV: "production" });
  readEnvFiles();
  const build = spawn(process.execPath, [next, "build", ...process.argv.slice(2)], {
    stdio: "inherit",
    env: childEnv(),
  });
  const [code] = await once(build, "exit");
  if (code !== 0) process.exit(1);
  await step("Hashing inline scripts", hashScripts, (pages) => `${pages} public pages hashed`);
});

async function hashScripts(): Promise<number> {
  const manifest = await readFile(path.join(".next", "prerender-manifest.json"), "utf8");
  const { routes } = JSON.parse(manifest) as Prerendered;
  const pages: StaticPages = {};
  for (const [route, { initialRevalidateSeconds }] of Object.entries(routes)) {
    const html = await htmlOf(route);
    if (html === null || route === lastResort) continue;
    if (initialRevalidateSeconds !== false)
      throw new Error(
        `The page ${route} is made again by the server (\`revalidate\`), so its scripts have no fixed hashes. Remove \`revalidate\`, or call \`await connection()\` in the page.`,
      );
    pages[route] = hashesOf(html, route);
  }
  const build: StaticBuild = { siteUrl: siteUrl(), sold: billingIsOn(), pages };
  await writeFile(path.join(".next", staticBuildFile), JSON.stringify(build, null, 2));
  return Object.keys(pages).length;
}

/** Null for the answer of a route handler, such as an image. */
async function htmlOf(route: string): Promise<string | null> {
  const name = route === "/" ? "index" : route.slice(1);
  return readFile(path.join(".next", "server", "app", `${name}.html`), "utf8").catch(() => null);
}
