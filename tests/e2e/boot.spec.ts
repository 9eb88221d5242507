import { freePort, startServer, stopServer } from "@/tests/support/app";
import { expect, test } from "@/tests/support/story";
import { visitor } from "@/tests/support/visitor";

/** Starts a production server with this environment alone and waits for its end. */
async function boot(env: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const names = ["APP_URL", "AUTH_SECRET", "JWT_PRIVATE_JWKS", "SMTP_URL", "MAIL_FROM"];
  const unset = Object.fromEntries([...names, "DATABASE_URL"].map((name) => [name, ""]));
  const server = startServer(await freePort(), process.cwd(), { ...unset, ...env });
  let said = "";
  for (const stream of [server.stdout, server.stderr])
    stream?.on("data", (chunk) => {
      said += chunk;
    });
  const limit = setTimeout(() => stopServer(server), 20_000);
  const code = await new Promise<number | null>((resolve) => server.once("close", resolve));
  clearTimeout(limit);
  return { code, said };
}

test("a server without its environment says all that is missing and does not start", async () => {
  const { code, said } = await boot({});
  expect(code).toBeGreaterThan(0);
  for (const name of [
    "APP_URL",
    "DATABASE_URL",
    "AUTH_SECRET",
    "JWT_PRIVATE_JWKS",
    "SMTP_URL",
    "MAIL_FROM",
  ])
    expect(said).toMatch(new RegExp(`^\\s+${name}\\s+is missing`, "m"));
  expect(said).not.toMatch(/^\s+at .*\(/m);
});

test("what is wrong is named with what would be right, and never printed", async () => {
  const { code, said } = await boot({
    APP_URL: "http://example.com",
    DATABASE_URL: "mysql://root:hunter2@host/db",
    AUTH_SECRET: "short",
    JWT_PRIVATE_JWKS: '{"keys":[]}',
    SMTP_URL: "example.com",
    MAIL_FROM: "nobody",
    TRUSTED_PROXY_HOPS: "many",
  });
  expect(code).toBeGreaterThan(0);
  expect(said).toMatch(/APP_URL\s+must be https/);
  expect(said).toMatch(/DATABASE_URL\s+must look like postgres:/);
  expect(said).toMatch(/AUTH_SECRET\s+must be at least 32 random bytes/);
  expect(said).toMatch(/TRUSTED_PROXY_HOPS\s+\S/);
  expect(said).not.toContain("hunter2");
});

test("there is no mailbox in production", async ({ app }) => {
  for (const path of ["/dev/mailbox", "/dev/mailbox.json", "/dev/mailbox?to=a@example.com"])
    expect((await visitor(app).get(path)).status).toBe(404);
});
