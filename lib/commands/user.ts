import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import {
  type AdminResult,
  changeRole,
  logOutEverywhere,
  operator,
  reinstate,
  removePasskeys,
  suspend,
  turnOffTwoFactor,
} from "@/lib/admin/actions";
import { findUserId } from "@/lib/admin/users";
import { type Role, roles } from "@/lib/auth/roles";
import { invalidateAllSessions } from "@/lib/auth/sessions/end";
import type { Db } from "@/lib/db/client";
import { email, reason } from "@/lib/fields";
import { location, readEnvFiles, withTables } from "./database";
import { command, green, say } from "./terminal";

/*
 * `npm run user`: makes the first administrator of a real deployment, and restores access when no
 * administrator can log in. Its caller already has access to the database, so it checks no rights.
 * As on the pages, each action writes an audit event and sends the user a mail.
 */

const usage = `npm run user -- <email> --role ${roles.join("|")}
npm run user -- <email> --suspend [reason]
npm run user -- <email> --reinstate
npm run user -- <email> --log-out
npm run user -- <email> --two-factor-off
npm run user -- <email> --passkeys-off
npm run user -- --log-out-all [--yes]`;

type Task =
  | { act: "log-out-all"; sure: boolean }
  | { act: "role"; to: string; role: Role }
  | { act: "suspend"; to: string; reason: string }
  | { act: "reinstate" | "log-out" | "two-factor-off" | "passkeys-off"; to: string };

const plainActs = ["reinstate", "log-out", "two-factor-off", "passkeys-off"] as const;

command(async () => {
  const task = read(process.argv.slice(2));
  readEnvFiles();
  await withTables(async ({ db }, url) => {
    if (task.act === "log-out-all") await logOutAllUsers(db, url, task.sure);
    else await administer(db, url, task);
  });
});

async function administer(
  db: Db,
  url: string,
  task: Exclude<Task, { act: "log-out-all" }>,
): Promise<void> {
  const id = await findUserId(db, task.to);
  if (!id) throw new Error(`No account has the email ${task.to} in ${location(url)}.`);
  const [result, done] = await carryOut(db, id, task);
  if (!result.ok) throw new Error(refusals[result.reason]);
  say(`${green("✓")} ${done}`);
}

async function carryOut(
  db: Db,
  id: string,
  task: Exclude<Task, { act: "log-out-all" }>,
): Promise<[AdminResult, string]> {
  const { to } = task;
  switch (task.act) {
    case "role":
      return [
        await changeRole(db, operator, id, task.role),
        `The role of ${to} is now ${task.role}.`,
      ];
    case "suspend":
      return [await suspend(db, operator, id, task.reason), `${to} is suspended and logged out.`];
    case "reinstate":
      return [await reinstate(db, operator, id), `${to} can log in again.`];
    case "log-out":
      return [await logOutEverywhere(db, operator, id), `${to} is logged out everywhere.`];
    case "two-factor-off":
      return [
        await turnOffTwoFactor(db, operator, id),
        `Two-factor of ${to} is off, and the user is logged out everywhere.`,
      ];
    case "passkeys-off":
      return [
        await removePasskeys(db, operator, id),
        `${to} has no passkeys any more and is logged out everywhere.`,
      ];
  }
}

const refusals: Record<Exclude<AdminResult, { ok: true }>["reason"], string> = {
  "last-admin":
    "This is the last active administrator. Make another user an admin first: `npm run user -- <email> --role admin`.",
  unchanged: "This was already done. Nothing was changed.",
  gone: "The account was deleted in the meantime. Nothing was changed.",
  suspended: "The account is suspended. Nothing was changed.",
  "not-allowed": "This is not allowed. Nothing was changed.",
};

async function logOutAllUsers(db: Db, url: string, sure: boolean): Promise<void> {
  if (!sure) await askFirst(`This logs out all users in ${location(url)}, on every device.`);
  const ended = await invalidateAllSessions(db);
  say(`${green("✓")} All users are logged out: ${ended} session${ended === 1 ? "" : "s"} ended.`);
}

async function askFirst(what: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Error(`${what} If you mean it: \`npm run user -- --log-out-all --yes\`.`);
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`  ${what} Type "yes" to go on: `);
  terminal.close();
  if (answer.trim().toLowerCase() !== "yes") throw new Error("Nothing was changed.");
}

/** Parses the arguments after `--`. Throws an error that says what is wrong with them. */
function read(words: string[]): Task {
  const { flags, rest } = parse(words);
  const { yes, ...acts } = flags;
  const [act, ...more] = Object.keys(acts);
  if (!act) throw wrong("Name one thing to do.");
  if (more.length > 0) throw wrong("Do one thing at a time.");
  if (act === "log-out-all") {
    if (rest.length > 0) throw wrong("--log-out-all logs out all users: leave out the email.");
    return { act: "log-out-all", sure: yes === true };
  }
  if (yes) throw wrong("--yes works only with --log-out-all.");

  const [typed, ...others] = rest;
  const parsed = email.safeParse(typed);
  if (!parsed.success)
    throw wrong(
      typed
        ? `${typed} is not an email like name@example.com.`
        : "Name the user by their email, like name@example.com.",
    );
  const to = parsed.data;
  if (act === "suspend") return { act, to, reason: reasonOf(others) };
  if (others.length > 0) throw wrong(`Unknown argument: ${others.join(" ")}.`);
  if (act === "role") {
    const role = roles.find((each) => each === flags.role);
    if (!role) throw wrong(`--role is one of: ${roles.join(", ")}.`);
    return { act, to, role };
  }
  return { act: plainActs.find((each) => each === act) ?? "log-out", to };
}

function parse(words: string[]): {
  flags: { [name: string]: string | boolean | undefined };
  rest: string[];
} {
  try {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        role: { type: "string" },
        suspend: { type: "boolean" },
        reinstate: { type: "boolean" },
        "log-out": { type: "boolean" },
        "two-factor-off": { type: "boolean" },
        "passkeys-off": { type: "boolean" },
        "log-out-all": { type: "boolean" },
        yes: { type: "boolean" },
      },
    });
    return { flags: values, rest: positionals };
  } catch (error) {
    // Its own messages are sentences: "Unknown option '--rol'."
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function reasonOf(words: string[]): string {
  if (words.length === 0) return "On the command line, without a reason.";
  const read = reason.safeParse(words.join(" "));
  if (!read.success) throw wrong(`The reason: ${read.error.issues[0]?.message}`);
  return read.data;
}

function wrong(sentence: string): Error {
  return new Error(`${sentence}\n\n${usage}`);
}
