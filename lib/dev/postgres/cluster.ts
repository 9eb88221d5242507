/*
 * Creates the data directory with initdb. Security: logging in requires a random password,
 * which is stored beside the data and which only its owner can read. Trust authentication would
 * be simpler, but a superuser of Postgres can run programs: any other account of the machine
 * could run them as this one.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { type Location, serverEnv } from "./location";
import { removeInterruptedClusters } from "./recovery";

const run = promisify(execFile);

/** Creates the data beside its final path and renames it: data at that path is always complete. */
export async function createCluster(location: Location): Promise<void> {
  const { home, major } = location;
  const existing = await clusterVersion(home);
  if (existing === major) return;
  if (existing) {
    throw new Error(
      `The data in ${home} was created by PostgreSQL ${existing}, and PostgreSQL ${major} is installed. Run \`npm run db:reset\` to start afresh; it deletes that data.`,
    );
  }
  await removeInterruptedClusters(home);
  const fresh = `${home}.new-${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    await initdb(location, fresh);
    await rename(fresh, home).catch(async (error) => {
      if (await clusterVersion(home)) return; // a concurrent start was faster
      if (!existsSync(home)) throw error;
      await rm(home, { recursive: true }); // incomplete: a part of it was deleted
      await rename(fresh, home);
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function clusterVersion(home: string): Promise<string | undefined> {
  const file = path.join(home, "data", "PG_VERSION");
  return (await readFile(file, "utf8").catch(() => undefined))?.trim();
}

async function initdb({ bin, user }: Location, home: string): Promise<void> {
  const data = path.join(home, "data");
  const passwordFile = path.join(home, "password");
  await mkdir(data, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  // Under root, the server's user can pass through to its data but owns nothing beside it, so it
  // cannot redirect what root writes there (the log, the lease file).
  await chmod(home, user.uid === undefined ? 0o700 : 0o711);
  if (user.uid !== undefined && user.gid !== undefined) {
    for (const own of [data, passwordFile]) await chown(own, user.uid, user.gid);
  }
  const flags = [
    `--pgdata=${data}`,
    `--pwfile=${passwordFile}`,
    "--username=postgres",
    "--auth=scram-sha-256",
    // Built into Postgres, so that sorting and lower() are the same on every machine.
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-instructions",
  ];
  await run(bin.initdb, flags, { ...user, cwd: home, env: serverEnv() }).catch((error) => {
    throw new Error(`PostgreSQL could not create its data in ${home}.\n\n${error.stderr.trim()}`);
  });
}
