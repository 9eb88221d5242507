import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import autocannon from "autocannon";
import { step } from "@/lib/commands/terminal";
import { connect } from "@/lib/db/client";
import { seconds } from "@/lib/time";
import { type App, startApp, startProgram, stopServer } from "@/tests/support/app";
import { freePort } from "@/tests/support/instances";
import { productionBuild, programs, run as runProgram } from "@/tests/support/processes";
import { createTestTeam } from "@/tests/support/teams";
import { createLogin, createUser, password } from "@/tests/support/users";
import { type Contestant, type Length, type Race, run } from "./rounds";

/*
 * What our pages cost the server's CPU, next to one-line pages of Next: one made by the build, and
 * one made for each request. "Per second" means per second of the server's CPU time, so neither the
 * client nor the database counts.
 */

const CONNECTIONS = 10;
/**
 * Requests to each page in each of four warm-up turns. Node compiles frequently run code during the
 * requests and in the same CPU time: each of the first thousand costs twice as much as later ones.
 */
const WARM_UP = 1000;
// Not below this folder, because Next would use its proxy.ts.
const bare = path.join(os.tmpdir(), "latchkey-bare-next");

type Page = Contestant & { warmUp(): Promise<unknown> };

/** A user with a session's token and a team's handle. */
type Visitor = { email: string; token: string; team: string };

type Later = (cleanUp: () => unknown) => void;

export async function* pageRaces(
  databaseUrl: string,
  { rounds }: Length,
  later: Later,
): AsyncGenerator<Race | string> {
  if (!existsSync(".next/BUILD_ID")) await step("Building", build, () => "Built");
  const app = await startApp(databaseUrl);
  later(app.stop);
  const other = await step(
    "Building bare pages of Next",
    () => bareServer(later),
    () => "Bare pages built",
  );
  const visitor = await addVisitor(databaseUrl);
  const races = [
    {
      title: "CPU of public pages",
      ours: "Landing page",
      goal: 1 / 1.2,
      all: publicPages(app, other),
    },
    {
      title: "CPU of pages with a session",
      ours: "A team's first page",
      goal: 1 / 1.6,
      all: ownPages(app, other, visitor),
    },
    {
      title: "CPU of the API",
      ours: "GET /api/v1/me",
      all: [
        page("Bare dynamic page of Next", other, "/dynamic"),
        page("GET /api/v1/me", app, "/api/v1/me", {
          headers: { authorization: `Bearer ${await accessToken(app, visitor)}` },
        }),
      ],
    },
  ];
  for (const { title, ours, goal, all } of races) {
    const race = async () => {
      for (let turn = 0; turn < 4; turn++) for (const each of all) await each.warmUp();
      return run(all, { rounds, turn: 700 });
    };
    yield { title, results: await step(title, race, () => title), ours, ...(goal && { goal }) };
  }
  yield* sizeNotes(app, other, visitor);
}

/** Yields sentences for the report: what a browser with an empty cache downloads for a page. */
async function* sizeNotes(app: Server, other: Server, { token, team }: Visitor) {
  const cookie = `__Host-session=${token}`;
  const pages: [string, Server, string, string?][] = [
    ["Bare form of Next", other, "/form"],
    ["Landing page", app, "/"],
    ["Log-in page", app, "/login"],
    ["A team's first page", app, `/t/${team}`, cookie],
    ["Devices, 5 rows", app, "/settings/devices", cookie],
  ];
  for (const [name, { port }, url, cookies = ""] of pages) {
    const get = async (from: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}${from}`, {
        headers: { cookie: cookies },
      });
      if (!answer.ok) throw new Error(`${from}: ${answer.status}.`);
      return answer.text();
    };
    const html = await get(url);
    let scripts = 0;
    // Current browsers skip `noModule` scripts.
    for (const [tag, source = ""] of html.matchAll(/<script[^>]*? src="([^"]+)"[^>]*>/g))
      if (!/ noModule/i.test(tag)) scripts += gzipSync(await get(source)).length;
    const size = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
    yield `${name}: ${size(html.length)} of HTML, ${size(scripts)} of JavaScript (gzip).`;
  }
}

type Server = Pick<App, "port" | "pid">;

function publicPages(app: Server, other: Server): Page[] {
  return [
    page("Bare static page of Next", other, "/"),
    page("Landing page", app, "/"),
    page("API reference", app, "/docs/api"),
    page("Not found", app, "/nothing", { status: 404 }),
  ];
}

function ownPages(app: Server, other: Server, { token, team }: Visitor): Page[] {
  const headers = { cookie: `__Host-session=${token}` };
  return [
    page("Bare dynamic page of Next", other, "/dynamic"),
    page("Log-in page", app, "/login"),
    page("A team's first page", app, `/t/${team}`, { headers }),
    page("Devices, 5 rows", app, "/settings/devices", { headers }),
  ];
}

function page(
  name: string,
  { port, pid }: Server,
  url: string,
  { headers = {}, status = 200 }: { headers?: Record<string, string>; status?: number } = {},
): Page {
  const ask = async (length: { amount: number } | { duration: number }) => {
    const { requests, errors, statusCodeStats } = await autocannon({
      ...{ url: `http://127.0.0.1:${port}${url}`, headers, connections: CONNECTIONS },
      ...length,
    });
    const answered = statusCodeStats?.[`${status}`]?.count ?? 0;
    if (errors || answered !== requests.total)
      throw new Error(`${name}: ${errors} errors, ${JSON.stringify(statusCodeStats)}.`);
    return requests.total;
  };
  return {
    name,
    async run(milliseconds) {
      const before = cpuSeconds(pid);
      const answered = await ask({ duration: milliseconds / 1000 });
      return answered / (cpuSeconds(pid) - before);
    },
    warmUp: () => ask({ amount: WARM_UP }),
  };
}

/** Returns the CPU time of all threads of a process, in user mode and in the kernel. */
function cpuSeconds(pid: number): number {
  const stat = `/proc/${pid}/stat`;
  if (!existsSync(stat)) {
    const time = execFileSync("ps", ["-o", "time=", "-p", `${pid}`], { encoding: "utf8" });
    return time
      .trim()
      .split(":")
      .reduce((total, part) => 60 * total + Number(part), 0);
  }
  // proc(5): fields 14 and 15, in ticks of 10 ms. The split drops the first two fields.
  const fields = readFileSync(stat, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** A user with five devices and one team. */
async function addVisitor(databaseUrl: string): Promise<Visitor> {
  const { db, sql } = connect(databaseUrl, { max: 1 });
  const user = await createUser(db, { name: "Ada" });
  for (let n = 1; n < 5; n++) await createLogin(db, user);
  const { token } = await createLogin(db, user);
  const { handle } = await createTestTeam(db, { owner: [user] }, { name: "Acme" });
  await sql.end();
  return { email: user.email, token, team: handle };
}

async function accessToken({ port }: Server, { email }: Visitor): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  const { access_token: token } = await answer.json();
  if (typeof token !== "string") throw new Error(`No access token: ${answer.status}.`);
  return token;
}

async function bareServer(later: Later): Promise<Server> {
  await rm(bare, { recursive: true, force: true });
  for (const folder of ["dynamic", "form"])
    await mkdir(path.join(bare, "app", folder), { recursive: true });
  await symlink(path.resolve("node_modules"), path.join(bare, "node_modules"));
  for (const [name, text] of Object.entries(bareFiles))
    await writeFile(path.join(bare, name), text);
  const built = await runProgram({ script: programs.next, args: ["build"], directory: bare }, true);
  if (!built) throw new Error("The bare pages could not be built.");
  const port = await freePort();
  const server = startProgram(
    [path.resolve(programs.next), "start", "-p", `${port}`, "-H", "127.0.0.1"],
    {},
    bare,
  );
  later(() => stopServer(server));
  await reached(`http://127.0.0.1:${port}/`);
  return { port, pid: server.pid ?? 0 };
}

const bareFiles = {
  "package.json": `{ "private": true }`,
  // Next compiles no file outside the root, and the packages are in another folder.
  "next.config.mjs": `export default { turbopack: { root: ${JSON.stringify(path.parse(bare).root)} } };\n`,
  "app/layout.js": `export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n`,
  "app/page.js": `export default () => <p>Hello</p>;\n`,
  "app/form/page.js": `import { Form } from "./form";
export default () => <Form save={async () => { "use server"; return "Saved"; }} />;\n`,
  "app/form/form.js": `"use client";
import { useActionState } from "react";
export function Form({ save }) {
  const [state, action] = useActionState(save);
  return <form action={action}><input name="name" /><button>Save</button>{state}</form>;
}\n`,
  "app/dynamic/page.js": `import { connection } from "next/server";
export default async () => {
  await connection();
  return <p>Hello</p>;
};\n`,
};

async function reached(url: string): Promise<void> {
  const until = Date.now() + seconds(30);
  for (;;) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    if (Date.now() > until) throw new Error(`${url} does not answer with a page.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function build(): Promise<void> {
  if (!(await runProgram(productionBuild, true))) throw new Error("The build failed.");
}
