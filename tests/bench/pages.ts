import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import autocannon from "autocannon";
import { step } from "@/lib/commands/terminal";
import { childEnv } from "@/lib/env";
import { startApp } from "@/tests/support/app";
import type { Visitor } from "./population";
import { type Contestant, type Length, type Race, run } from "./rounds";

/*
 * What a session adds to a page of the production build. The landing page is the fair one to ask:
 * its header looks the session up where there is a cookie, and the rest is the same for every
 * visitor. The first page of a team, which needs a session, stands beside it.
 */

const CONNECTIONS = 10;
const ours = "Landing page with a session";

export async function pageRace(
  databaseUrl: string,
  { token, team }: Visitor & { team: string },
  { rounds }: Length,
  later: (cleanUp: () => unknown) => void,
): Promise<Race> {
  if (!existsSync(".next/BUILD_ID"))
    await step(
      "Building",
      () => build(later),
      () => "Built",
    );
  const app = await startApp(databaseUrl);
  later(app.stop);
  const cookie = `__Host-session=${token}`;
  const contestants = [
    page("Landing page without a session", `http://127.0.0.1:${app.port}/`),
    page(ours, `http://127.0.0.1:${app.port}/`, cookie),
    page("A team's first page", `http://127.0.0.1:${app.port}/t/${team}`, cookie),
  ];
  const title = `Pages, ${CONNECTIONS} in flight`;
  const race = async () => {
    await run(contestants, { rounds: 3, turn: 1000 }); // to warm up
    return run(contestants, { rounds, turn: 1000 });
  };
  const results = await step(title, race, () => title);
  return { title, results, ours, goal: 0.9 };
}

function page(name: string, url: string, cookie?: string): Contestant {
  return {
    name,
    async run(milliseconds) {
      const headers = cookie ? { cookie } : {};
      const options = { url, headers, connections: CONNECTIONS, duration: milliseconds / 1000 };
      const { requests, duration, errors, non2xx } = await autocannon(options);
      if (errors || non2xx)
        throw new Error(`${name}: ${errors} errors, ${non2xx} answers not 200.`);
      return requests.total / duration;
    },
  };
}

function build(later: (cleanUp: () => unknown) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = path.resolve("node_modules/next/dist/bin/next");
    const env = childEnv({ NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" });
    const child = execFile(process.execPath, [next, "build"], { env }, (error, stdout, stderr) =>
      error ? reject(new Error(`The build failed:\n${stdout}${stderr}`)) : resolve(),
    );
    later(() => child.kill());
  });
}
