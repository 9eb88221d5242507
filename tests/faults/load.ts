import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "@/lib/db/client";
import { requestLimits } from "@/lib/db/limits";
import { minutes, seconds } from "@/lib/time";
import type { App } from "@/tests/support/app";
import { type Answer, type HttpClient, httpClient } from "@/tests/support/http-client";
import { actionNamed, formBody } from "@/tests/support/surface";
import { addTeam } from "@/tests/support/team-surface";
import { createLogin, createUser } from "@/tests/support/users";
import { type Row, report } from "./report";

/*
 * What users do during a fault: they open pages, write notes and log devices out, one request
 * after the other. Each records which requests succeeded, and the database is compared with that
 * at the end.
 */

/**
 * A request without an answer after this time hangs: it waited for the pool, for an answer, and for
 * a silent connection.
 */
export const hangs = requestLimits.answer + requestLimits.silence + seconds(20);

type Outcome = "well" | "hung" | string;

type Sent = { at: number; outcome: Outcome };

type Client = {
  visitor: HttpClient;
  handle: string;
  project: string;
  devices: string[];
  name: string;
};

export type Load = {
  /** Waits until each client has had this many answers of this kind from now on. */
  each(kind: "well" | "refused", count: number): Promise<void>;
  /** Waits for the next good answer to a page and to a form. */
  recovered(): Promise<void>;
  stop(): Promise<{ sent: Sent[]; notes: string[]; ended: string[] }>;
};

export async function startLoad(app: App, connection: Connection, clients: number): Promise<Load> {
  const { db, sql } = connection;
  const made: Client[] = [];
  for (let at = 0; at < clients; at++) {
    const [user, second] = [await createUser(db), await createUser(db)];
    const { handle, project } = await addTeam(connection, user, second);
    const { token } = await createLogin(db, user);
    const devices: string[] = [];
    for (let device = 0; device < 10; device++)
      devices.push((await createLogin(db, user)).session.id);
    made.push({ visitor: httpClient(app, token), handle, project, devices, name: `${at}` });
  }
  await sql`delete from rate_limits`;

  const sent: Sent[][] = made.map(() => []);
  const [notes, ended]: [string[], string[]] = [[], []];
  let stopped = false;
  const running = made.map(async (client, at) => {
    for (let step = 0; !stopped; step++) {
      const outcome = await request(client, step);
      sent[at]?.push({ at: Date.now(), outcome });
      await sleep(20); // a user's pace; refusals are immediate
    }
  });

  async function request(client: Client, step: number): Promise<Outcome> {
    const { visitor, handle: team, project, name } = client;
    const path = `/t/${team}/projects/${project}`;
    if (step % 4 === 3) {
      const body = `note ${name} ${step}`;
      const action = actionNamed("addNote");
      const answer = await timed(visitor.post(path, formBody(action, { team, project, body })));
      const outcome = outcomeOf(answer);
      if (outcome === "well") notes.push(body);
      return outcome;
    }
    const device = step % 10 === 9 ? client.devices.pop() : undefined;
    if (device) {
      const form = formBody(actionNamed("logOutDevice"), { id: device });
      const outcome = outcomeOf(await timed(visitor.post("/settings/devices", form)));
      if (outcome === "well") ended.push(device);
      return outcome;
    }
    return outcomeOf(await timed(visitor.get(path)));
  }

  const until = async (done: () => boolean, what: string) => {
    for (const deadline = Date.now() + minutes(2); Date.now() < deadline; await sleep(20))
      if (done()) return;
    throw new Error(`Under load: no ${what} within two minutes.`);
  };
  return {
    async each(kind, count) {
      const from = sent.map((each) => each.length);
      const isKind = ({ outcome }: Sent) => (outcome === "well") === (kind === "well");
      await until(
        () => sent.every((each, at) => each.slice(from[at]).filter(isKind).length >= count),
        `${kind} answers for each`,
      );
    },
    async recovered() {
      const from = sent.map((each) => each.length);
      const before = notes.length;
      await until(
        () =>
          notes.length > before &&
          sent.some((each, at) => each.slice(from[at]).some(({ outcome }) => outcome === "well")),
        "good answer",
      );
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
      return { sent: sent.flat(), notes, ended };
    },
  };
}

async function timed(answer: Promise<Answer>): Promise<Answer | "hung" | "closed"> {
  const late = new AbortController();
  const hung = sleep(hangs, "hung" as const, { signal: late.signal }).catch(() => "hung" as const);
  return Promise.race([answer.catch(() => "closed" as const), hung]).finally(() => late.abort());
}

/** Returns "well", "hung", or how the request was refused. */
function outcomeOf(answer: Answer | "hung" | "closed"): Outcome {
  if (typeof answer === "string") return answer;
  const { location } = answer.headers;
  if (location?.startsWith("/unavailable")) return "/unavailable";
  if (location?.startsWith("/login")) return "/login";
  return answer.status < 400 ? "well" : `${answer.status}`;
}

/**
 * Causes a fault under load and reports it. `during` resolves when the fault has ended; the time
 * to the next good answer is measured from then on. `after` is the database that must contain
 * what was promised.
 */
export async function underLoad(
  fault: string,
  { app, connection }: { app: App; connection: Connection },
  during: (load: Load) => Promise<void>,
  { after = connection, clients = 6 }: { after?: Connection; clients?: number } = {},
): Promise<Row> {
  const load = await startLoad(app, connection, clients);
  await load.each("well", 3);
  const begun = Date.now();
  await during(load);
  const end = Date.now();
  await load.recovered();
  await load.each("well", 2);
  const { sent, notes, ended } = await load.stop();
  const since = sent.filter(({ at }) => at >= begun);
  const refused: Record<string, number> = {};
  for (const { outcome } of since)
    if (outcome !== "well" && outcome !== "hung") refused[outcome] = (refused[outcome] ?? 0) + 1;
  const stored = await after.sql<{ body: string }[]>`
    select body from notes where body = any(${notes})`;
  const live = await after.sql`select from sessions where id = any(${ended}::uuid[])`;
  const first = sent.find(({ at, outcome }) => at > end && outcome === "well");
  const row: Row = {
    fault,
    ...{ sent: since.length, refused, recovered: first ? first.at - end : null },
    well: since.filter(({ outcome }) => outcome === "well").length,
    hung: since.filter(({ outcome }) => outcome === "hung").length,
    lost: new Set(notes).size - new Set(stored.map(({ body }) => body)).size,
    cameBack: live.length,
  };
  report(row);
  await after.sql`delete from notes`;
  return row;
}

/** Holds after each fault: every request is answered, and nothing promised is lost or undone. */
export const kept = { hung: 0, lost: 0, cameBack: 0 };
