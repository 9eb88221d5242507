import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { childEnv } from "@/lib/env";

/* Starts and stops the OpenID provider of development and tests (openid-provider.mjs). */

export type OpenidProvider = {
  /** The variables with which the site can log in with it. */
  env: { OIDC_ISSUER: string; OIDC_CLIENT_ID: string; OIDC_CLIENT_SECRET: string };
  process: ChildProcess;
  stop(): Promise<void>;
};

export async function startOpenidProvider(site: {
  port: number;
  appUrl: string;
}): Promise<OpenidProvider> {
  const [clientId, clientSecret] = ["demo-client", "demo-secret"]; // only this machine can reach it
  const script = path.join("lib", "dev", "openid-provider.mjs");
  const child = fork(script, [JSON.stringify({ ...site, clientId, clientSecret })], {
    env: childEnv(),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [],
  });
  const [said] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (said !== "ready") throw new Error("The OpenID provider for development did not start.");
  return {
    env: {
      OIDC_ISSUER: `http://127.0.0.1:${site.port}`,
      OIDC_CLIENT_ID: clientId,
      OIDC_CLIENT_SECRET: clientSecret,
    },
    process: child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}
