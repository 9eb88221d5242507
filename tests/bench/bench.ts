import { command, interrupted, say, step } from "@/lib/commands/terminal";
import { connect } from "@/lib/db/client";
import { startTestServer, type TestServer } from "@/tests/support/postgres";
import { directoryRace } from "./directory";
import { cleanUpNotes, growthRaces } from "./growth";
import { loginRace } from "./logins";
import { lookupRaces } from "./lookups";
import { machine } from "./machine";
import { pageRaces } from "./pages";
import { populate } from "./population";
import { projectRace } from "./projects";
import { count, printGoals, printRace, saveReport } from "./report";
import type { Race } from "./rounds";
import { streamRaces } from "./streams";
import { addTeams, teamRaces } from "./teams";
import { tokenRaces } from "./tokens";

/*
 * npm run bench: measures what a session costs per request, next to the alternatives. `--quick`
 * measures only the small table in a few rounds. `--large` adds ten million sessions, which take
 * some 8 GB of disk. Names of parts (`-- pages tokens`) run only those parts. Only a run of all
 * parts is saved.
 */

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const sizes = quick ? [10_000] : [10_000, 1_000_000];
if (args.includes("--large")) sizes.push(10_000_000);
const length = { rounds: quick ? 5 : 9, turn: 400 };

const named = args.filter((argument) => !argument.startsWith("--"));

type Later = (cleanUp: () => unknown) => void;

/** A database filled by `populate`. */
type Table = { size: number; url: string };

type Bench = { server: TestServer; tables: Table[]; large: Table; later: Later };

/** Each part yields races, and sentences for the report. The chart shows the last four races. */
const parts: Record<string, (bench: Bench) => AsyncGenerator<Race | string>> = {
  async *lookups({ tables }) {
    for (const { url, size } of tables) yield* lookupRaces(url, size, length);
  },
  growth: ({ tables }) => growthRaces(tables, length),
  async *teams({ server, large }) {
    const size = 100_000;
    const url = await populated(server, size);
    await addTeams(url, size);
    yield* teamRaces(url, size, length, 0.67);
    if (quick) return;
    await addTeams(large.url, large.size);
    yield* teamRaces(large.url, large.size, length);
  },
  async *projects({ large }) {
    yield await projectRace(large.url, length);
  },
  async *logins({ large }) {
    yield await loginRace(large.url, length);
  },
  pages: ({ large, later }) => pageRaces(large.url, length, later),
  tokens: ({ large }) => tokenRaces(large.url, length),
  streams: ({ large, later }) => streamRaces(large.url, large.size, length, later),
  async *directory({ server, large }) {
    yield await directoryRace(server, large.size, length);
  },
  async *"clean-up"({ large }) {
    yield* await cleanUpNotes(large.url, large.size);
  },
};

command(async () => {
  const cleanUps: (() => unknown)[] = [];
  const interruption = interrupted().then(() => {
    throw new Error("Interrupted. The databases and servers of this run are gone.");
  });
  try {
    await Promise.race([bench((cleanUp) => cleanUps.unshift(cleanUp)), interruption]);
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
});

async function bench(later: Later): Promise<void> {
  const names = Object.keys(parts);
  if (!named.every((name) => names.includes(name)))
    throw new Error(`The parts are ${names.join(", ")}.`);
  const server = await step("Starting Postgres", startTestServer, () => "Postgres ready");
  later(server.stop);
  const tables: Table[] = [];
  for (const size of sizes) tables.push({ size, url: await populated(server, size) });
  const large = tables[quick ? 0 : 1];
  if (!large) throw new Error("There is no table.");
  const [races, notes]: [Race[], string[]] = [[], []];
  for (const [name, part] of Object.entries(parts)) {
    if (named.length > 0 && !named.includes(name)) continue;
    for await (const result of part({ server, tables, large, later })) {
      if (typeof result === "string") notes.push(result);
      else races.push(shown(result));
    }
  }
  printGoals(races);
  say(...notes, "");
  if (!quick && named.length === 0) await saveReport(races, notes, await machine(large.url));
}

async function populated(server: TestServer, size: number): Promise<string> {
  const fill = async () => {
    const url = await server.createDatabase(`bench_${size}`);
    const { sql } = connect(url, { max: 1 });
    await populate(sql, size);
    await sql.end();
    return url;
  };
  return step(`Making ${count(size)} sessions`, fill, () => `${count(size)} sessions made`);
}

function shown(race: Race): Race {
  printRace(race);
  return race;
}
