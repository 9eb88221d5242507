import { once } from "node:events";
import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { contract } from "@/lib/billing/contract";
import { startProxy, startTestProvider, type TestProvider } from "@/tests/support/billing";
import { runCommand } from "@/tests/support/commands";

/* Runs the command as typed, with the stand-in for Stripe and a script for Stripe's CLI. */

let test: TestProvider;
beforeAll(async () => {
  test = await startTestProvider();
});
afterAll(() => test.standIn.stop());

const verify = (env: { STRIPE_SECRET_KEY: string; STRIPE_API_URL?: string; PATH?: string }) =>
  runCommand("billing-verify", [], { NODE_ENV: "production", STRIPE_API_URL: "", ...env });

const account = () => ({
  STRIPE_SECRET_KEY: test.standIn.secretKey,
  STRIPE_API_URL: test.standIn.origin,
});

/**
 * Creates a folder whose `npx` forwards the stand-in's events like `stripe listen`. `ended`
 * resolves once it was stopped.
 */
async function createCli(): Promise<{ folder: string; ended: Promise<unknown> }> {
  let end: (value?: unknown) => void;
  const ended = new Promise((resolve) => {
    end = resolve;
  });
  const server = createServer(async (incoming, outgoing) => {
    const forward = new URL(incoming.url ?? "/", "http://localhost").searchParams.get("forward");
    if (!forward) return incoming.on("close", end).resume(); // held open while the command runs
    await test.standIn.tell({ do: "webhook", url: forward, secret: "whsec_cli" });
    outgoing.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const folder = await mkdtemp(path.join(os.tmpdir(), "cli-"));
  await writeFile(
    path.join(folder, "npx"),
    `#!${process.execPath}
    const [url] = process.argv.slice(-1);
    fetch("${origin}/?forward=" + encodeURIComponent(url)).then(() => {
      console.error("> Ready! Your webhook signing secret is whsec_cli (^C to quit)");
      return fetch("${origin}/");
    });`,
  );
  await chmod(path.join(folder, "npx"), 0o700);
  return { folder, ended };
}

describe("npm run billing:verify", () => {
  it("passes each case, lists what it cannot check, and leaves nothing behind", async () => {
    const { code, said } = await verify(account());
    expect(said).toContain(`${contract.length - 2} passed, 0 failed, 2 not checked.`);
    expect(code).toBe(0);
    for (const { name } of contract) expect(said).toContain(name);
    expect(said).toMatch(/not checked: no API pays on the hosted page/);
    expect(said).toMatch(/not checked: .*npx/);
    expect(said).toMatch(/by hand what no API can show:\n {2}- Buy a plan once/);
    const { customers, testClocks } = await test.standIn.tell({ do: "state" });
    expect({ customers, testClocks }).toEqual({ customers: [], testClocks: [] });
  });

  it.skipIf(process.platform === "win32")(
    "receives events that Stripe's command line forwards",
    async () => {
      const { folder, ended } = await createCli();
      const { code, said } = await verify({ ...account(), PATH: folder });
      expect(said).toContain(`${contract.length - 1} passed, 0 failed, 1 not checked.`);
      expect(code).toBe(0);
      await ended;
    },
  );

  it("fails if the provider answers differently, and names the case", async () => {
    const { url, stop } = await startProxy(test, (body) =>
      body.replaceAll('"past_due"', '"active"'),
    );
    onTestFinished(stop);
    const { code, said } = await verify({ ...account(), STRIPE_API_URL: url });
    expect(said).toMatch(/✗ a failed payment makes it past due/);
    expect(said).toContain(" 1 failed, 2 not checked.");
    expect(code).toBe(1);
  });

  it("refuses the key of a live account, and sends no request with it", async () => {
    for (const kind of ["sk_live", "rk_live"]) {
      const { code, said } = await verify({ ...account(), STRIPE_SECRET_KEY: `${kind}_latchkey` });
      expect(said).toContain("not the key of a test account");
      expect(code).toBe(1);
    }
  });

  it("explains how to make a test account if there is no key and no command line", async () => {
    const { code, said } = await verify({ STRIPE_SECRET_KEY: "" });
    expect(said).toContain("npx --yes @stripe/cli sandbox create");
    expect(said).toContain("No account was made");
    expect(code).toBe(1);
  });
});
