import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { childEnv } from "@/lib/env";
import type { Webhook } from "./account";
import type { Answer, Command } from "./control";

/*
 * Starts and stops the stand-in for Stripe (server.ts), a separate process in development and
 * tests. Security: it listens only on 127.0.0.1, its secret key is generated at every start, and it
 * ends with the process that started it. The product imports nothing from this folder.
 */

export type StandIn = {
  /** Its URL, such as http://127.0.0.1:12111, for STRIPE_API_URL. */
  origin: string;
  /** For STRIPE_SECRET_KEY. */
  secretKey: string;
  process: ChildProcess;
  stop(): Promise<void>;
  /** Sends a command: what the pages can do, and more. Rejects once the process has ended. */
  tell<C extends Command>(command: C): Promise<Answer<C>>;
};

export type StandInOptions = {
  /** 0 for a free port. */
  port: number;
  /** The file where it keeps its state as JSON; null to keep it only in memory. */
  file: string | null;
  /** Where events are posted. Without a URL they are recorded but not sent. */
  webhook: Webhook;
};

/** Where `npm run dev` keeps the stand-in's state, next to the database. */
export const standInFile = path.join(".data", "stripe.json");

export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const secretKey = `sk_test_${randomBytes(24).toString("hex")}`;
  const script = path.join("lib", "billing", "stand-in", "server.ts");
  const child = fork(script, [JSON.stringify({ ...options, secretKey })], {
    env: childEnv(),
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: ["--import", "tsx"],
  });
  const [said] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (typeof said?.origin !== "string") throw new Error("The stand-in for Stripe did not start.");
  return {
    ...{ origin: said.origin, secretKey, process: child, tell: conversation(child) },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

type Reply = { id: number; answer?: unknown; error?: string };

function conversation(child: ChildProcess): StandIn["tell"] {
  let last = 0;
  const waiting = new Map<number, (reply: Reply) => void>();
  child.on("message", (reply: Reply) => {
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  child.once("exit", () => {
    for (const [id, receive] of waiting) receive({ id, error: "The stand-in has ended." });
    waiting.clear();
  });
  return <C extends Command>(command: C) =>
    new Promise<Answer<C>>((resolve, reject) => {
      if (!child.connected) return reject(new Error("The stand-in has ended."));
      const id = ++last;
      waiting.set(id, ({ error, answer }) => {
        if (error === undefined)
          resolve(answer as Answer<C>); // from `answer` of control.ts
        else reject(new Error(error));
      });
      child.send({ id, command });
    });
}
