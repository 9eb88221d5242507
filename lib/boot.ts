import { countUnreadableSecrets } from "@/lib/auth/credentials/two-factor";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { closeSessionEvents } from "@/lib/auth/sessions/events";
import { billingIsOn, offPlan } from "./billing/entitlements";
import { formTargets } from "./billing/origins";
import { closeDatabase, database, endsLongStatements } from "./db/client";
import { countPendingMigrations } from "./db/migrate";
import { EnvError, env, logsRequests } from "./env";
import { isLoopback, recordPeerAddresses } from "./http";
import { prepareRequests } from "./incoming";
import { logRequests } from "./request-log";
import { stopAtSignals } from "./shutdown";
import { actionsKeyHash, readStaticBuild, type StaticBuild } from "./static-pages";
import { startTelemetry } from "./telemetry";
import { startWorker } from "./worker";

/** Prepares the server before its first request. Ends the process if the environment is invalid. */
export async function boot(checkRouterState: Parameters<typeof prepareRequests>[1]): Promise<void> {
  try {
    env();
    offPlan();
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    console.error(`\n${error.message}\n`);
    process.exit(1);
  }
  // The process that reads the log may end before this server. Next logs the error of a failed
  // write, and that write fails too: such a server would do nothing else.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const stopTelemetry = await startTelemetry();
  recordPeerAddresses();
  logRequests(env().TRUSTED_PROXY_HOPS > 0, logsRequests(env()) ? print : undefined);
  const build = readStaticBuild(".next");
  if (build) reportBuild(build);
  prepareRequests(env(), checkRouterState, formTargets, build?.pages);
  // A host without a long-running process calls POST /api/jobs instead.
  const worker = env().CRON_SECRET ? undefined : startWorker();
  stopAtSignals(async (answered) => {
    // An open stream of events is a request in progress.
    closeSessionEvents();
    await Promise.all([worker?.stop(), answered()]);
    await answered(); // requests that came over an open connection while the worker stopped
    await Promise.all([closeDatabase(), stopTelemetry()]);
  });
  void reportDatabase();
}

const print = (line: string) => void process.stdout.write(line);

/** Logs an error where the build does not fit this environment. */
function reportBuild({ siteUrl, sold, actionsKey }: StaticBuild): void {
  const { APP_URL, NEXT_SERVER_ACTIONS_ENCRYPTION_KEY: key } = env();
  if (key && actionsKey !== actionsKeyHash(key))
    console.error(
      "The build was made with another NEXT_SERVER_ACTIONS_ENCRYPTION_KEY, or with none: it refuses the forms of pages from other versions. Run `npm run build` with the server's key.",
    );
  if (siteUrl !== APP_URL && !isLoopback(new URL(APP_URL).hostname))
    console.error(
      `The public pages were built for ${siteUrl}: run \`npm run build\` with the APP_URL of the server.`,
    );
  if (sold !== billingIsOn())
    console.error(
      `The public pages were built ${sold ? "with" : "without"} prices: run \`npm run build\` with the STRIPE_SECRET_KEY of the server.`,
    );
}

/** Logs the problems that every page would otherwise fail with. The server starts all the same. */
async function reportDatabase(): Promise<void> {
  try {
    const pending = await countPendingMigrations(database());
    if (pending > 0)
      console.error(`The database lacks ${pending} migration(s): run \`npm run db:migrate\`.`);
    if (!(await endsLongStatements(database())))
      console.error(
        "Postgres does not end statements that take too long, because a pooler does not pass the limit on. Set it in the pooler or for the role: see “When something fails” in DEPLOY.md.",
      );
    const keys = parseSealingKeys(env().ENCRYPTION_KEYS);
    const unreadable = pending > 0 ? 0 : await countUnreadableSecrets(database(), keys);
    if (unreadable > 0)
      console.error(
        `No key of ENCRYPTION_KEYS opens the authenticator secrets of ${unreadable} user(s). They can only log in with a recovery code.`,
      );
  } catch (error) {
    console.error("The database does not answer. Is DATABASE_URL right?", error);
  }
}
