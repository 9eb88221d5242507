import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "@/lib/db/client";
import { readVariable } from "@/lib/env";
import { minutes } from "@/lib/time";
import { startApp } from "@/tests/support/app";
import { startTestProvider, webhookSecret } from "@/tests/support/billing";
import type { Answer } from "@/tests/support/http-client";
import { cloneTemplate, startTestServer, type TestServer } from "@/tests/support/postgres";
import { flows, type Site, type Step } from "./flows";
import { report } from "./report";

/*
 * Kills the app (SIGKILL) at random moments while users are in the middle of flows. One kill
 * interrupts many flows, each at a different point, so interrupted flows are counted. After each
 * kill, every step of every flow must be complete or not begun, and the user finishes the flow.
 */

/** The number of interrupted flows of each kind. */
const wanted = Number(readVariable("LATCHKEY_FAULT_FLOWS") ?? 200);
/** Concurrent flows of each kind: few enough not to overload a server that has just started. */
const ofAKind = 4;
/** The time limit. A slow machine interrupts fewer flows; the table reports how many. */
const longest = minutes(Number(readVariable("LATCHKEY_FAULT_MINUTES") ?? 2));

type Running = {
  kind: string;
  steps: Step[];
  /** The index of the step that has not been answered. */
  at: number;
  finished: boolean;
};

let server: TestServer;
let site: Site;

beforeAll(async () => {
  server = await startTestServer();
  const url = await cloneTemplate(server.url, server.template, "kill");
  const payments = await startTestProvider();
  const app = await startApp(url, {
    env: {
      CRON_SECRET: "c".repeat(43), // no worker runs
      STRIPE_SECRET_KEY: payments.standIn.secretKey,
      STRIPE_WEBHOOK_SECRET: webhookSecret,
      STRIPE_API_URL: payments.standIn.origin,
    },
  });
  site = { app, payments, connection: connect(url, { max: 8 }) };
});

afterAll(async () => {
  await site?.app.stop();
  await site?.payments.standIn.stop();
  await site?.connection.sql.end();
  await server?.stop();
});

const patient = { timeout: longest + minutes(5) };

it("after a kill every flow is whole or not begun, and its user finishes it", patient, async () => {
  const counts = new Map<
    string,
    { interrupted: number; finished: number; at: Map<string, number> }
  >();
  for (const kind of Object.keys(flows))
    counts.set(kind, { interrupted: 0, finished: 0, at: new Map() });
  const started = Date.now();
  let kills = 0;
  // First without a kill, to measure a round and to check that each step makes its facts true.
  const first = await prepare(1);
  const firstBegun = Date.now();
  const whole = await run(first);
  for (const { kind, finished } of whole.running) expect(finished, kind).toBe(true);

  // Kills come at any point of a round, including the last steps. A server just started is slower.
  let longestRound = Math.max(1000, 2 * (Date.now() - firstBegun));
  while (Date.now() - started < longest) {
    if ([...counts.values()].every(({ interrupted }) => interrupted >= wanted)) break;
    const running = await prepare(ofAKind);
    const begun = Date.now();
    const round = run(running);
    await Promise.race([sleep(randomInt(20, longestRound + 20)), round]);
    if (running.every(({ finished }) => finished)) {
      longestRound = Math.max(100, Date.now() - begun);
      continue;
    }
    await site.app.kill();
    kills++;
    await round;
    await site.app.start();

    const interrupted = running.filter(({ finished }) => !finished);
    const problems: (string | undefined)[] = [];
    for (let index = 0; index < interrupted.length; index += 8)
      problems.push(...(await Promise.all(interrupted.slice(index, index + 8).map(resume))));
    expect(problems.filter(Boolean)).toEqual([]);
    for (const { kind, steps, at } of interrupted) {
      const count = counts.get(kind);
      const name = steps[at]?.name ?? "";
      if (!count) continue;
      count.interrupted++;
      count.finished++;
      count.at.set(name, (count.at.get(name) ?? 0) + 1);
    }
  }

  for (const [kind, { interrupted, finished, at }] of counts)
    report({
      fault: `kill -9 in: ${kind}`,
      ...{ sent: interrupted, well: finished, refused: {}, hung: 0, recovered: null },
      ...{ lost: null, cameBack: null }, // not counted: each flow was checked above
      note: `${kills} kills; ${[...at].map(([name, count]) => `${count} when it ${name}`).join(", ")}`,
    });
  for (const [kind, { interrupted }] of counts) expect(interrupted, kind).toBeGreaterThan(0);
});

async function prepare(count: number): Promise<Running[]> {
  await site.connection.sql`delete from rate_limits`;
  const all = Object.entries(flows).flatMap(([kind, flow]) =>
    Array.from({ length: count }, async () => ({
      ...{ kind, steps: await flow(site) },
      ...{ at: 0, finished: false },
    })),
  );
  return Promise.all(all);
}

/** Sends a step again if a busy machine refuses it, as its user would. */
async function served(step: Step): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await step.send();
    const refused =
      [500, 503].includes(answer.status) || answer.headers.location?.startsWith("/unavailable");
    if (!refused || attempt === 5) return answer;
  }
}

/** Runs each flow's steps one after the other until one gets no answer. */
async function run(running: Running[]): Promise<{ running: Running[] }> {
  await Promise.all(
    running.map(async (flow) => {
      for (const step of flow.steps) {
        const answer = await served(step).catch(() => undefined);
        // 502 comes from the TLS proxy when the server behind it is gone.
        if (!answer || answer.status === 502) return;
        if (answer.status >= 400)
          throw new Error(
            `${flow.kind}, ${step.name}: ${answer.status} ${answer.body.slice(0, 200)}`,
          );
        flow.at++;
      }
      flow.finished = true;
    }),
  );
  return { running };
}

/**
 * Returns what is wrong with a flow. Undefined if it is whole or not begun, and can be finished.
 */
async function resume({ kind, steps, at }: Running): Promise<string | undefined> {
  const says = (step: Step, what: string, found: boolean[]) =>
    `${kind}, "${step.name}": ${what} (${found.join(", ")})`;
  for (const [index, step] of steps.entries()) {
    const found = await step.facts();
    const [all, none] = [found.every(Boolean), !found.some(Boolean)];
    if (index < at && !all) return says(step, "answered, and not all there", found);
    if (index > at && !none) return says(step, "not sent, and there", found);
    if (!all && !none) return says(step, "half done", found);
    // An app that lost the response sends the same token again and gets its successor.
    if (all && !(kind === "token refresh" && index === at)) continue;
    const answer = await served(step);
    const after = await step.facts();
    if (answer.status >= 400 || !after.every(Boolean))
      return says(step, `cannot be finished: ${answer.status}`, after);
  }
  return undefined;
}
