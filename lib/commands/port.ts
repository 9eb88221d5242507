import { createServer } from "node:net";
import { readVariable } from "@/lib/env";
import { warn } from "./terminal";

const DEFAULT = 3000;

/** Returns PORT, which must be free, or the first free port from 3000 on. */
export async function choosePort(): Promise<number> {
  const wanted = readVariable("PORT");
  if (wanted) return requirePort(wanted);
  for (let port = DEFAULT; port < DEFAULT + 100; port++) {
    if (!(await isFree(port))) continue;
    if (port !== DEFAULT) warn(`Port ${DEFAULT} is taken by another program; using ${port}.`);
    return port;
  }
  throw new Error(`No port is free from ${DEFAULT} on. Choose one: \`PORT=8080 npm run dev\`.`);
}

/** Returns the first free port from `first` on. */
export async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 100; port++) if (await isFree(port)) return port;
  throw new Error(`No port is free from ${first} on.`);
}

async function requirePort(wanted: string): Promise<number> {
  const port = Number(wanted);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Error(`PORT is "${wanted}", which is not a port number (1 to 65535).`);
  }
  if (await isFree(port)) return port;
  throw new Error(
    `Port ${port} is taken by another program. Stop that one, or set PORT to another number.`,
  );
}

/** Tries each IP address: macOS lets two programs share a port if they name different ones. */
async function isFree(port: number): Promise<boolean> {
  for (const host of [undefined, "127.0.0.1", "::1"]) {
    if (!(await canListen(port, host))) return false;
  }
  return true;
}

function canListen(port: number, host: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    // A machine without IPv6 has no ::1, which is no reason to avoid the port.
    probe.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "EADDRNOTAVAIL" || error.code === "EAFNOSUPPORT"),
    );
    probe.listen({ port, host }, () => probe.close(() => resolve(true)));
  });
}
