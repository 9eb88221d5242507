import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { minutes } from "@/lib/time";
import { privateJwks, sealingKey, startApp, startServer, stopServer } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";
import { freePort } from "@/tests/support/instances";

/** Starts a production server with only this environment and waits for it to exit. */
async function boot(env: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const names = ["APP_URL", "AUTH_SECRET", "JWT_PRIVATE_JWKS", "SMTP_URL", "MAIL_FROM"];
  const others = ["DATABASE_URL", "ENCRYPTION_KEYS"];
  const unset = Object.fromEntries([...names, ...others].map((name) => [name, ""]));
  const server = startServer(await freePort(), { ...unset, ...env });
  let said = "";
  for (const stream of [server.stdout, server.stderr])
    stream?.on("data", (chunk) => {
      said += chunk;
    });
  const limit = setTimeout(() => stopServer(server), minutes(2));
  const code = await new Promise<number | null>((resolve) => server.once("close", resolve));
  clearTimeout(limit);
  return { code, said };
}

test("a server without its environment lists every missing variable and does not start", async () => {
  const { code, said } = await boot({});
  expect(code).toBeGreaterThan(0);
  for (const name of [
    "APP_URL",
    "DATABASE_URL",
    "AUTH_SECRET",
    "ENCRYPTION_KEYS",
    "JWT_PRIVATE_JWKS",
    "SMTP_URL",
    "MAIL_FROM",
  ])
    expect(said).toMatch(new RegExp(`^\\s+${name}\\s+is missing`, "m"));
  expect(said).not.toMatch(/^\s+at .*\(/m);
});

test("a wrong variable is named with the expected form, and its value is not printed", async () => {
  const { code, said } = await boot({
    APP_URL: "http://example.com",
    DATABASE_URL: "mysql://root:hunter2@host/db",
    AUTH_SECRET: "short",
    JWT_PRIVATE_JWKS: '{"keys":[]}',
    SMTP_URL: "example.com",
    MAIL_FROM: "no-email",
    TRUSTED_PROXY_HOPS: "many",
  });
  expect(code).toBeGreaterThan(0);
  expect(said).toMatch(/APP_URL\s+must be https/);
  expect(said).toMatch(/DATABASE_URL\s+must look like postgres:/);
  expect(said).toMatch(/AUTH_SECRET\s+must be at least 32 random bytes/);
  expect(said).toMatch(/TRUSTED_PROXY_HOPS\s+\S/);
  expect(said).not.toContain("hunter2");
});

const completeEnv = (databaseUrl: string) => ({
  ...{ APP_URL: "https://example.com", DATABASE_URL: databaseUrl, AUTH_SECRET: sealingKey },
  ...{ ENCRYPTION_KEYS: sealingKey, JWT_PRIVATE_JWKS: privateJwks() },
  ...{ SMTP_URL: "smtp://localhost", MAIL_FROM: "a@example.com" },
});

test("several instances need the actions' encryption key, and a key other than the build's is logged", async ({
  newDatabase,
}) => {
  const key = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY";
  const complete = { ...completeEnv(await newDatabase()), INSTANCES: "2" };
  for (const [value, complaint] of [
    ["", "is missing"],
    ["short", "must be 32 random bytes in base64"],
  ] as const) {
    const { code, said } = await boot({ ...complete, [key]: value });
    expect(code).toBeGreaterThan(0);
    expect(said).toMatch(new RegExp(`^\\s+${key}\\s+${complaint}`, "m"));
  }

  const env = { INSTANCES: "2", [key]: randomBytes(32).toString("base64") };
  const app = await startApp(complete.DATABASE_URL, { env, instances: 1 });
  await app.stop();
  expect(await readFile(app.log, "utf8")).toContain(`The build was made with another ${key}`);
});

test("a server goes on when the reader of its log has ended, and does not log the failed writes", async ({
  newDatabase,
}) => {
  const port = await freePort();
  const server = startServer(port, completeEnv(await newDatabase()));
  const exited = once(server, "exit");
  let said = "";
  server.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  const status = () =>
    fetch(`http://127.0.0.1:${port}/api/health`).then(
      (answer) => answer.status,
      () => 0,
    );
  await expect.poll(status).toBe(200);
  server.stdout?.destroy(); // each request logs a line there
  for (let n = 0; n < 20; n++) expect(await status()).toBe(200);
  server.kill("SIGTERM");
  await exited;
  expect(said).not.toContain("EPIPE");
});

test("a server warns if a pooler does not pass its limits on", async ({ newDatabase }) => {
  const url = await newDatabase();
  const limits = "Postgres does not end statements that take too long";
  // With `pgbouncer=true` the limits are not sent, because poolers refuse them.
  const pooled = await startApp(`${url}?pgbouncer=true`, { instances: 1 });
  await expect.poll(() => readFile(pooled.log, "utf8")).toContain(limits);
  await pooled.stop();
  const direct = await startApp(url, { instances: 1 });
  await direct.stop(); // waits for the statements in progress
  expect(await readFile(direct.log, "utf8")).not.toContain(limits);
});

const mailbox = ["/dev/mailbox", "/dev/mailbox.json", "/dev/mailbox?to=a@example.com"];

test("there is no mailbox in production", async ({ app }) => {
  for (const path of mailbox) expect((await httpClient(app).get(path)).status).toBe(404);
});

for (const mode of ["development", "test", "staging", "Production", ""]) {
  test(`a built server started with NODE_ENV="${mode}" runs as in production`, async ({
    newDatabase,
  }) => {
    const unmailed = await boot({ NODE_ENV: mode });
    expect(unmailed.code).toBeGreaterThan(0);
    expect(unmailed.said).toMatch(/^\s+SMTP_URL\s+is missing/m);
    expect(unmailed.said).toMatch(/^\s+APP_URL\s+is missing/m);

    const app = await startApp(await newDatabase(), { env: { NODE_ENV: mode }, instances: 1 });
    try {
      const { get, post } = httpClient(app);
      for (const path of mailbox)
        for (const host of [undefined, "localhost", "127.0.0.1:3000"])
          expect((await get(path, { host })).status).toBe(404);
      const login = await get("/login");
      expect(login.status).toBe(200);
      expect(login.body).not.toMatch(/demo@example\.com|demo password/);
      expect((await get("/signup?notice=check-your-email")).body).not.toContain("/dev/mailbox");
      expect(login.headers["content-security-policy"]).not.toContain("unsafe-eval");
      // In development, 127.0.0.1 counts as localhost.
      const twin = app.origin.replace("localhost", "127.0.0.1");
      expect((await post("/logout", "", { origin: twin })).status).toBe(403);
      expect((await post("/logout", "", { origin: app.origin })).status).toBe(303);
    } finally {
      await app.stop();
    }
  });
}

test("the build contains neither the mailbox nor the demo log-in", () => {
  // A text of each that is in the source and must not be in the build.
  const texts: Record<string, string> = {
    "lib/mail/mailbox.ts": "mailbox.jsonl",
    "app/dev/mailbox/page.dev.tsx": "Mail is caught here",
    "app/(auth)/login/page.tsx": "Demo: ",
  };
  const built = [".next/server", ".next/static"]
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) =>
        path.join(folder, file),
      ),
    )
    .filter((file) => /\.(js|html|rsc|json)$/.test(file) && statSync(file).isFile())
    .map((file) => readFileSync(file, "utf8"));
  expect(built.some((text) => text.includes("Finish creating your account"))).toBe(true);
  for (const [source, text] of Object.entries(texts)) {
    expect(readFileSync(source, "utf8")).toContain(text);
    expect(built.filter((each) => each.includes(text))).toEqual([]);
  }
  expect(readFileSync(".next/app-path-routes-manifest.json", "utf8")).not.toContain("/dev/");
});
