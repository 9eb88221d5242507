import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import postgres from "postgres";
import { afterEach, describe, expect, it, vi } from "vitest";
import { deleteEmbedded, type EmbeddedOptions, startEmbedded } from "@/lib/dev/postgres/server";

const asRoot = process.getuid?.() === 0;
const undo: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

describe("startEmbedded", () => {
  it("keeps its data between runs", async () => {
    const options = await tempDirectory();
    const first = await startEmbedded(options);
    await query(first.url, "create table kept as select 42 as n");
    await first.stop();

    const second = await startEmbedded(options);
    expect(await query(second.url, "select n from kept")).toEqual([{ n: 42 }]);
    await second.stop();
  });

  it("sorts identically on every machine", async () => {
    const { url, stop } = await startEmbedded(await tempDirectory());
    const sorted =
      "select string_agg(x, ' ' order by x) as x from unnest(array['b', 'B', 'a', 'é']) as t(x)";
    expect(await query(url, sorted)).toEqual([{ x: "B a b é" }]);
    await stop();
  });

  it("is shared by all who start it, and stops with the last", async () => {
    const options = await tempDirectory();
    const [first, second] = await Promise.all([startEmbedded(options), startEmbedded(options)]);
    expect(second.url).toBe(first.url);

    await first.stop();
    expect(await query(second.url, "select 1 as n")).toEqual([{ n: 1 }]);
    await second.stop();
    await expect(query(second.url, "select 1")).rejects.toThrow("ECONNREFUSED");
  });

  it("takes another port where its own is taken", async () => {
    const squatter = createServer().listen(54329, "127.0.0.1");
    await once(squatter, "listening").catch(() => {}); // in use, as by `npm run dev`: fine too
    const { url, stop } = await startEmbedded({ ...(await tempDirectory()), name: "dev" });
    expect(new URL(url).port).not.toBe("54329");
    await stop();
    squatter.close();
  });

  it("does not accept a wrong password", async () => {
    const { url, stop } = await startEmbedded(await tempDirectory());
    const guess = new URL(url);
    guess.password = "guess";
    await expect(query(guess.href, "select 1")).rejects.toThrow("password authentication failed");
    await stop();
  });

  it("stops when the only process that uses it is killed, and starts again with the data", async () => {
    const options = await tempDirectory();
    const { url, child } = await startInChild(options);
    await query(url, "create table kept as select 42 as n");
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(connects(url)).rejects.toThrow("ECONNREFUSED"), 30_000);

    const again = await startEmbedded(options);
    expect(await query(again.url, "select n from kept")).toEqual([{ n: 42 }]);
    await again.stop();
  });

  it("starts after everything was killed and left its lock file", async () => {
    // The durable server, because a test server may lose its last transactions.
    const options = { ...(await tempDirectory()), name: "dev" as const };
    const { url, child } = await startInChild(options);
    await query(url, "create table kept as select 42 as n");
    const { server, supervisor } = await processes(url);
    for (const pid of [supervisor, server]) process.kill(pid, "SIGKILL");
    child.kill("SIGKILL");

    const again = await startEmbedded(options);
    expect(await query(again.url, "select n from kept")).toEqual([{ n: 42 }]);
    await again.stop();
  });

  it("replaces a server whose supervisor was killed", async () => {
    const options = await tempDirectory();
    const { url, child } = await startInChild(options);
    const { server, supervisor } = await processes(url);
    process.kill(supervisor, "SIGKILL");

    const again = await startEmbedded(options);
    expect((await processes(again.url)).server).not.toBe(server);
    await expect(query(url, "select 1")).rejects.toThrow("ECONNREFUSED");
    await again.stop();
    child.kill("SIGKILL");
  });

  it("leaves alone a process that reuses the old server's process id", async () => {
    const options = await tempDirectory();
    const first = await startEmbedded(options);
    const { data } = await processes(first.url);
    await first.stop();
    const bystander = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60_000)"]);
    undo.push(async () => bystander.kill());
    await writeFile(path.join(data, "postmaster.pid"), `${bystander.pid}\n${data}\n`);

    const second = await startEmbedded(options);
    await second.stop();
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
  });

  it("recovers from an interrupted first start", async () => {
    const options = await tempDirectory();
    const home = path.join(options.checkout, ".data", "postgres-test");
    await mkdir(`${home}.new-999999999-0/data`, { recursive: true });
    await mkdir(path.join(home, "data"), { recursive: true });
    const { url, stop } = await startEmbedded(options);
    expect(await query(url, "select 1 as n")).toEqual([{ n: 1 }]);
    await stop();
  });

  it("says what to do with the data of another major version", async () => {
    const options = await tempDirectory();
    const { url, stop } = await startEmbedded(options);
    const { data } = await processes(url);
    await stop();
    await writeFile(path.join(data, "PG_VERSION"), "17\n");
    await expect(startEmbedded(options)).rejects.toThrow("npm run db:reset");
  });

  it.skipIf(process.platform === "win32")("leaves nothing that other users can read", async () => {
    const options = await tempDirectory();
    const data = path.join(options.checkout, ".data");
    await mkdir(data, { mode: 0o755 }); // as an earlier version created it
    const before = process.umask(0);
    const { stop } = await startEmbedded(options);
    process.umask(before);
    const home = path.join(data, "postgres-test");
    const mode = async (file: string) => (await stat(file)).mode & 0o777;
    // Root's server runs as another user, which must traverse both but can list neither.
    const passable = asRoot ? 0o711 : 0o700;
    expect([await mode(data), await mode(home)]).toEqual([passable, passable]);
    const modes = (await readdir(home)).map(async (name) => [
      name,
      await mode(path.join(home, name)),
    ]);
    expect(Object.fromEntries(await Promise.all(modes))).toEqual({
      ...{ data: 0o700, password: 0o600, "server.log": 0o600, "supervisor.json": 0o600 },
    });
    await stop();
  });

  it.skipIf(!asRoot)("as root, runs outside a checkout only root can enter", async () => {
    const options = await tempDirectory(0o700);
    const first = await startEmbedded(options);
    expect((await processes(first.url)).data).toMatch(/^\/var\/lib\/latchkey\/test-/);
    await query(first.url, "create table kept as select 42 as n");
    await first.stop();

    const second = await startEmbedded(options);
    expect(await query(second.url, "select n from kept")).toEqual([{ n: 42 }]);
    await second.stop();
  });
});

describe("deleteEmbedded", () => {
  it("deletes the data", async () => {
    const options = await tempDirectory();
    const first = await startEmbedded(options);
    await query(first.url, "create table kept as select 42 as n");
    await first.stop();
    expect(await deleteEmbedded(options)).toBe(true);

    const second = await startEmbedded(options);
    await expect(query(second.url, "select n from kept")).rejects.toThrow("does not exist");
    await second.stop();
  });

  it("does not stop a server that is in use", async () => {
    const options = await tempDirectory();
    const { url, stop } = await startEmbedded(options);
    expect(await deleteEmbedded(options)).toBe(false);
    expect(await query(url, "select 1 as n")).toEqual([{ n: 1 }]);
    await stop();
  });
});

type TempDirectory = EmbeddedOptions & { checkout: string };

/*
 * Starts and kills servers of Postgres.
 *
 * @module-tag thorough
 */

/** Creates a directory of its own, so that no test touches the checkout's data. */
async function tempDirectory(mode = 0o755): Promise<TempDirectory> {
  const checkout = await mkdtemp(path.join(tmpdir(), "embedded-"));
  await chmod(checkout, mode);
  const options: TempDirectory = { name: "test", checkout };
  undo.push(
    () => rm(checkout, { recursive: true, force: true }),
    () => deleteEmbedded(options),
    () => deleteEmbedded({ ...options, name: "dev" }),
  );
  return options;
}

async function startInChild(options: TempDirectory): Promise<{ url: string; child: ChildProcess }> {
  const script = `
    import { startEmbedded } from "@/lib/dev/postgres/server.ts";
    console.log((await startEmbedded(${JSON.stringify(options)})).url);
    setInterval(() => {}, 60_000);`;
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", script],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  undo.push(async () => child.kill("SIGKILL"));
  const [url] = await once(createInterface({ input: child.stdout }), "line");
  return { url, child };
}

async function processes(
  url: string,
): Promise<{ data: string; server: number; supervisor: number }> {
  const [row] = await query(url, "show data_directory");
  const data = String(row?.data_directory);
  const server = Number((await readFile(path.join(data, "postmaster.pid"), "utf8")).split("\n")[0]);
  const lease = await readFile(path.join(data, "..", "supervisor.json"), "utf8");
  return { data, server, supervisor: JSON.parse(lease).pid };
}

/** Fails unless the port accepts connections. A stopping server may not answer a query. */
async function connects(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect").finally(() => socket.destroy());
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  // Without fetching types: postgres.js never answers if the server stops during that query.
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    return [...(await sql.unsafe(text))];
  } finally {
    await sql.end();
  }
}
