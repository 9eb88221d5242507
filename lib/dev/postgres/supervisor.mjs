/*
 * Runs one embedded Postgres server, in a small process of its own. Each client of the server holds
 * a connection to this process (a lease). When the last lease closes, which the kernel also does
 * for a killed process, the server is stopped. Started only by server.ts. Change it together with
 * lease.ts.
 *
 * Plain JavaScript, because it runs without tsx, which would double the time to a ready database.
 */
import { spawn } from "node:child_process";
import { openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";

/** @type {{ pgCtl: string, postgres: string, flags: string[], data: string, port: number, user: object, log: string, leaseFile: string }} */
const { pgCtl, postgres, flags, data, port, user, log, leaseFile } = JSON.parse(
  process.argv[2] ?? "{}",
);

// Opened for appending, because a concurrent supervisor that lost the race for the
// data may have it open too.
writeFileSync(log, "", { mode: 0o600 });
const output = openSync(log, "a");
const server = spawn(postgres, ["-D", data, "-p", String(port), ...flags], {
  ...user,
  cwd: data,
  stdio: ["ignore", output, output],
});
server.on("error", (error) => {
  writeFileSync(log, `${error.message}\n`, { flag: "a" });
  process.exit(1);
});
server.on("exit", (code) => process.exit(stopping ? 0 : code || 1));

let stopping = false;
const leases = new Set();
const leaseServer = createServer({ allowHalfOpen: true }, (socket) => {
  leases.add(socket);
  socket.on("error", () => {});
  socket.on("end", () => release(socket));
  socket.on("close", () => release(socket));
  socket.resume();
  socket.write(`${JSON.stringify({ data, port })}\n`);
});

// The lease file is written only after Postgres has locked the data and bound its port. If several
// supervisors start at once, clients find the one whose Postgres won.
const waiting = setInterval(() => {
  if (!hasBound()) return;
  clearInterval(waiting);
  leaseServer.listen(0, "127.0.0.1", () => {
    writeFileSync(
      `${leaseFile}.${process.pid}`,
      JSON.stringify({ port: leaseServer.address().port, pid: process.pid }),
      {
        mode: 0o600,
      },
    );
    renameSync(`${leaseFile}.${process.pid}`, leaseFile);
    // The process that started this one may have been killed meanwhile.
    setTimeout(() => leases.size === 0 && stop(), 10_000).unref();
  });
}, 10);

process.on("SIGTERM", stop);
process.on("SIGINT", stop);

function release(socket) {
  if (!leases.delete(socket)) return;
  // The last lease closes when this process exits, so its stop() returns when the server is down.
  if (leases.size > 0) socket.end();
  else stop();
}

function stop() {
  if (stopping) return;
  stopping = true;
  leaseServer.close();
  rmSync(leaseFile, { force: true });
  // pg_ctl rather than a signal, which on Windows would be a hard kill.
  spawn(pgCtl, ["stop", "-D", data, "-m", "fast", "-W"], { ...user, cwd: data, stdio: "ignore" });
}

/**
 * Whether Postgres has bound its port. The first line of postmaster.pid is the pid; the eighth, the
 * state, is added after binding.
 */
function hasBound() {
  try {
    const lines = readFileSync(`${data}/postmaster.pid`, "utf8").split("\n");
    return Number(lines[0]) === server.pid && Boolean(lines[7]?.trim());
  } catch {
    return false;
  }
}
