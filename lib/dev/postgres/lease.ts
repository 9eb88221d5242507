/*
 * The client's side of a lease: an open connection to the supervisor, which stops the server when
 * its last lease closes. The kernel also closes the connection of a killed process. Change it
 * together with supervisor.mjs (the other side).
 */
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { seconds } from "@/lib/time";
import { dataDirectory, type Location, leaseFile } from "./location";

export type Lease = { socket: Socket; port: number; closed: Promise<void> };

/** Returns a lease of the running server; undefined if no server runs on this data. */
export async function joinServer(location: Location): Promise<Lease | undefined> {
  const file = await readFile(leaseFile(location), "utf8").catch(() => undefined);
  if (!file) return undefined;
  const socket = connect({ host: "127.0.0.1", port: JSON.parse(file).port, allowHalfOpen: true });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const hello = await firstLine(socket);
  // The lease file may be stale, and its port may belong to another program by now.
  if (hello?.data !== dataDirectory(location)) {
    socket.destroy();
    return undefined;
  }
  socket.unref();
  return { socket, port: hello.port, closed };
}

async function firstLine(socket: Socket): Promise<{ data: string; port: number } | undefined> {
  const line = new Promise<string>((resolve) => {
    socket.once("data", (chunk) => resolve(chunk.toString()));
    socket.once("error", () => resolve(""));
    socket.once("end", () => resolve(""));
  });
  socket.on("error", () => {}); // a server that dies resets the connection
  try {
    return JSON.parse(await Promise.race([line, delay(seconds(2), "", { ref: false })]));
  } catch {
    return undefined;
  }
}

/** Ends the lease. Resolves when the server is down, or at once if other leases keep it running. */
export async function releaseLease({ socket, closed }: Lease): Promise<void> {
  socket.ref();
  socket.end();
  await closed;
}
