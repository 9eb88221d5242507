import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/*
 * A TCP proxy between the app and its Postgres. Tests count the protocol messages that pass, and
 * can break or block its connections.
 */

export type TcpProxy = {
  /** The database's URL through the proxy. */
  url: string;
  /** The app's messages since the last `clear`, a letter of the protocol each (P, B, E, S, Q …). */
  messages: string[];
  clear(): void;
  /** Breaks every connection and refuses new ones until `mend`. */
  cut(): void;
  /** Keeps connections open but passes no data until `mend`. */
  block(): void;
  /** Blocks the open connections for good, as if their machine lost power. New connections pass. */
  forget(): void;
  /** Acts like a proxy without a server: ends open connections, and new ones after accepting. */
  refuse(): void;
  mend(): void;
  /** Sends new connections to another server. */
  lead(databaseUrl: string): void;
  stop(): void;
};

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  let target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const messages: string[] = [];
  let state: "open" | "cut" | "refusing" | "blocked" = "open";
  const forgotten = new Set<Socket>();

  const server = createServer((inside) => {
    if (state === "cut") return inside.destroy();
    if (state === "refusing") return inside.on("error", () => {}).end();
    const outside = connect(Number(target.port || 5432), target.hostname);
    const read = messageReader((type) => messages.push(type));
    for (const [socket, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(socket);
      socket.on("data", (chunk) => {
        if (state === "blocked" || forgotten.has(socket)) return;
        if (socket === inside) read(chunk);
        other.write(chunk);
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        forgotten.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A listening TCP server's address is never a string or null.
  const { port } = server.address() as AddressInfo;
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };

  return {
    url: Object.assign(new URL(databaseUrl), { hostname: "127.0.0.1", port: String(port) }).href,
    messages,
    clear: () => messages.splice(0),
    cut() {
      state = "cut";
      breakAll();
    },
    block() {
      state = "blocked";
    },
    forget() {
      for (const socket of sockets) forgotten.add(socket);
      state = "open";
    },
    refuse() {
      state = "refusing";
      for (const socket of sockets) socket.end();
    },
    lead(databaseUrl) {
      target = new URL(databaseUrl);
    },
    mend() {
      if (state === "blocked") breakAll();
      state = "open";
    },
    stop() {
      breakAll();
      server.close();
    },
  };
}

/** Calls `found` with the type of each message. The first message of a connection has none. */
function messageReader(found: (type: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let started = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return;
      const end = head + rest.readUInt32BE(head);
      if (rest.length < end) return;
      if (started) found(String.fromCharCode(rest[0] ?? 0));
      started = true;
      rest = rest.subarray(end);
    }
  };
}
