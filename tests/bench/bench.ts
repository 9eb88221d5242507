import { command, interrupted, say, step } from "@/lib/commands/terminal";
import { connect } from "@/lib/db/client";
import { startTestServer, type TestServer } from "@/tests/support/postgres";
import { directoryRace } from "./directory";
import { loginRace } from "./logins";
import { lookupRaces } from "./lookups";
import { machine } from "./machine";
import { pageRaces } from "./pages";
import { populate, visitorNumber } from "./population";
import { projectRace } from "./projects";
import { count, printGoals, printRace, saveReport } from "./report";
import type { Race } from "./rounds";
import { streamNotes } from "./streams";
import { teamOf, teamRaces } from "./teams";
import { tokenRaces } from "./tokens";

/*
 * npm run bench: what a session costs per request, beside what else it could have been. With
 * --quick only the small table and few rounds, and the saved results stay as they are.
 */

const quick = process.argv.includes("--quick");
const sizes = quick ? [10_000] : [10_000, 1_000_000];
const length = { rounds: quick ? 5 : 9, turn: 400 };

type Later = (cleanUp: () => unknown) => void;

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
  const server = await step("Starting Postgres", startTestServer, () => "Postgres ready");
  later(server.stop);
  const races: Race[] = [];
  let url = "";
  for (const size of sizes) {
    url = await populated(server, size);
    for await (const race of lookupRaces(url, size, length)) races.push(shown(race));
  }
  const small = quick ? url : await populated(server, 100_000);
  for await (const race of teamRaces(small, quick ? 10_000 : 100_000, length, 0.67))
    races.push(shown(race));
  if (!quick) for await (const race of teamRaces(url, 1_000_000, length)) races.push(shown(race));
  races.push(shown(await projectRace(url, length)));
  // Before those that the chart shows: it takes the last four.
  races.push(shown(await loginRace(url, length)));
  const visitor = { ...visitorNumber(1), team: teamOf(1) };
  for await (const race of pageRaces(url, visitor, length, later)) races.push(shown(race));
  for await (const race of tokenRaces(url, length)) races.push(shown(race));
  const notes = await streamNotes(url, later);
  races.push(shown(await directoryRace(server, Math.max(...sizes), length)));
  printGoals(races);
  say(...notes, "");
  if (!quick) await saveReport(races, notes, await machine(url));
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
