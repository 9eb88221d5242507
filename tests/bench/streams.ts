import { execFileSync } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "@playwright/test";
import { createSession } from "@/lib/auth/sessions/create";
import { invalidateSession } from "@/lib/auth/sessions/end";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import { seconds } from "@/lib/time";
import { type App, startApp } from "@/tests/support/app";
import { ensureBrowser } from "@/tests/support/browser";
import { visitorNumber } from "./population";
import { count } from "./report";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";
import { median, quantile } from "./statistics";

/*
 * Live sign-out with many pages open on one server. Measures how much memory the streams take, how
 * long after the statement that ends a session its page receives the event, and has left in a
 * browser, and what other users' logins cost meanwhile.
 */

const STREAMS = 1000;
const ENDED = 40;
const LEFT = 20;
const CLIENTS = 60;

/** Yields races and report sentences. `url`'s sessions must be numbered like `populate`'s. */
export async function* streamRaces(
  url: string,
  size: number,
  { rounds }: Length,
  later: (cleanUp: () => unknown) => void,
): AsyncGenerator<Race | string> {
  const app = await startApp(url);
  later(app.stop);
  const { sql } = connect(url, { max: 1 });
  later(() => sql.end());
  const open = (n: number) => openStream(app.port, visitorNumber(n).token);
  const first = await open(1); // creates the listener, and what else exists once
  later(first.close);

  const before = residentMegabytes(app.pid);
  const streams = await step(
    `Opening ${count(STREAMS)} streams`,
    async () => {
      const opened = [];
      for (let n = 2; n < STREAMS + 2; n++) opened.push(await open(n));
      return opened;
    },
    () => `${count(STREAMS)} streams open`,
  );
  later(() => {
    for (const { close } of streams) close();
  });
  await sleep(seconds(2));
  const after = residentMegabytes(app.pid);

  const waits: number[] = [];
  for (const [index, { ended }] of streams.slice(0, ENDED).entries()) {
    await sleep(seconds(Math.random())); // at any time between two readings
    const start = performance.now();
    await sql`delete from sessions where id = ${visitorNumber(index + 2).id}`;
    await ended;
    waits.push(performance.now() - start);
  }
  const lefts = await step(
    "Ending sessions of pages in a browser",
    () => leaveTimes(app, sql),
    () => `${LEFT} pages left`,
  );
  yield* loginRaces(url, size, rounds, app.pid);
  const each = ((after - before) * 1024) / STREAMS;
  yield* [
    `${count(STREAMS)} open streams on one server: ${before.toFixed(0)} MB became ${after.toFixed(0)} MB, ${each.toFixed(0)} KB each.`,
    `From the statement that ends a session to its page, with ${count(STREAMS)} open: ${median(waits).toFixed(1)} ms (p10–p90: ${quantile(waits, 0.1).toFixed(1)}–${quantile(waits, 0.9).toFixed(1)} ms, ${ENDED} times).`,
    `Until the page in a browser has left for the log-in: ${median(lefts).toFixed(0)} ms (p90: ${quantile(lefts, 0.9).toFixed(0)} ms, ${LEFT} times).`,
  ];
}

/**
 * Logins at the same time, with the pages open and without. To measure without them, the server
 * that reads for them is stopped (SIGSTOP), so it sends no queries.
 */
async function* loginRaces(
  url: string,
  size: number,
  rounds: number,
  server: number,
): AsyncGenerator<Race> {
  const { db, sql } = connect(url, { max: CLIENTS });
  const client = { ip: "198.51.100.7", userAgent: null };
  // Excludes users whose pages are open.
  const users = { first: STREAMS, last: Math.floor(size / 3) };
  const logIn = async () => {
    const userId = numberedUser(randomInt(users.first, users.last));
    const fields = { userId, authVersion: 1, amr: ["pwd"], persistent: true, presented: null };
    const created = await createSession(db, { ...fields, client });
    if (!created) throw new Error("No session was made.");
    return { userId, id: created.id };
  };
  const logInAndOut = async () => {
    const { userId, id } = await logIn();
    if (!(await invalidateSession(db, { id, userId, client }, id))) throw new Error("Not ended.");
  };
  const races: [string, number, () => Promise<unknown>][] = [
    ["Logins", 0.9, logIn],
    ["Logins, each ended again", 0.8, logInAndOut],
  ];
  for (const [name, goal, call] of races) {
    const title = `${name}, ${CLIENTS} in flight`;
    const ours = `${count(STREAMS)} pages open`;
    const all: Contestant[] = [
      { name: "No page open", run: (milliseconds) => throughput(call, CLIENTS, milliseconds) },
      {
        name: ours,
        async run(milliseconds) {
          process.kill(server, "SIGCONT");
          try {
            return await throughput(call, CLIENTS, milliseconds);
          } finally {
            process.kill(server, "SIGSTOP");
          }
        },
      },
    ];
    process.kill(server, "SIGSTOP");
    try {
      // Each turn is long enough for several readings.
      const race = () => run(all, { rounds, turn: seconds(3) });
      yield { title, results: await step(title, race, () => title), ours, goal };
    } finally {
      process.kill(server, "SIGCONT");
    }
  }
  await sql.end();
}

/** Returns the id of a user created by `populate`. */
const numberedUser = (n: number) => createHash("md5").update(`user${n}`).digest("hex");

/** Returns the milliseconds from the end of a session to the login page, in a browser. */
async function leaveTimes(app: App, sql: Connection["sql"]): Promise<number[]> {
  const browser = await chromium.launch({
    executablePath: ensureBrowser(),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  const waits: number[] = [];
  for (let n = STREAMS + 2; n < STREAMS + 2 + LEFT; n++) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const { token, id } = visitorNumber(n);
    await context.addCookies([
      { name: "__Host-session", value: token, url: app.origin, secure: true, httpOnly: true },
    ]);
    const page = await context.newPage();
    const live = page.waitForResponse((response) => response.url().endsWith("/live"));
    await page.goto(`${app.origin}/settings`);
    await live;
    await sleep(seconds(Math.random())); // at any time between two readings
    await sql`delete from sessions where id = ${id}`;
    const start = performance.now();
    await page.waitForURL(/login/, { waitUntil: "commit" });
    waits.push(performance.now() - start);
    await context.close();
  }
  await browser.close();
  return waits;
}

type Stream = { ended: Promise<void>; close(): void };

function openStream(port: number, token: string): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const headers = { cookie: `__Host-session=${token}` };
    const request = http.get({ port, path: "/live", headers, agent: false }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`${response.statusCode}`));
      let text = "";
      const ended = new Promise<void>((told) => {
        response.on("data", (chunk) => {
          text += chunk;
          if (text.includes("event: ended")) told();
        });
      });
      response.on("error", () => {}); // closed by us
      resolve({ ended, close: () => request.destroy() });
    });
    request.on("error", reject);
  });
}

function residentMegabytes(pid: number): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)])) / 1024;
}
