import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";
import { afterAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { addMail } from "@/lib/auth/mails/jobs";
import { setEnv } from "@/lib/env";
import { recurringJobs } from "@/lib/recurring-jobs";
import { drainJobs, startWorker } from "@/lib/worker";
import { databaseUrl, db, sql } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { addSessions, jobRows, sessionRows, wholeDatabase } from "@/tests/support/rows";
import { createUser } from "@/tests/support/users";

/* Tests the queue, the worker and a mail server, all real. `mood` sets how the server behaves. */

type Mood = "well" | "refuses" | "drops the connection" | "is slow";
let mood: Mood = "well";
const mails: { to: string; subject: string; text: string }[] = [];

async function listen(port = 0): Promise<SMTPServer> {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onRcptTo(address, _session, callback) {
      if (mood === "drops the connection") return drop(server);
      // Many servers repeat the email address that they refuse.
      if (mood === "refuses")
        return callback(new Error(`450 come back later, <${address.address.toUpperCase()}>`));
      setTimeout(callback, mood === "is slow" ? 1500 : 0);
    },
    onData(stream, _session, callback) {
      simpleParser(stream).then(({ to, subject, text }) => {
        const address = Array.isArray(to) ? to[0] : to;
        mails.push({ to: `${address?.text}`, subject: `${subject}`, text: `${text}` });
        callback();
      }, callback);
    },
  });
  server.on("error", () => {}); // the test drops connections on purpose
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

function drop(server: SMTPServer): void {
  for (const connection of server.connections) connection.close();
}

let server = await listen();
const { port } = server.server.address() as AddressInfo; // a listening TCP server has one

// Set before the first mail, because the environment is read once.
setEnv({
  DATABASE_URL: databaseUrl,
  SMTP_URL: `smtp://127.0.0.1:${port}`,
  MAIL_FROM: "Latchkey <hello@example.com>",
});

const log = vi.spyOn(console, "error").mockImplementation(() => {});
vi.spyOn(console, "warn").mockImplementation(() => {});
afterAll(() => server.close());
beforeEach(() => {
  mood = "well";
  log.mockClear();
});

const mailsTo = (to: string) => mails.filter((mail) => mail.to === to);
const logged = () => log.mock.calls.flat().join("\n");

/** Ends the pause before the next attempt. */
const retryNow = () =>
  sql`update graphile_worker._private_jobs set run_at = now() where locked_at is null`;

/** Starts a worker that is stopped when the test ends, even if it fails. */
function work(pollInterval = 100): ReturnType<typeof startWorker> {
  const worker = startWorker(pollInterval);
  onTestFinished(() => worker.stop());
  return worker;
}

async function forgotten(): Promise<string> {
  const { email } = await createUser(db);
  await addMail(db, "password-reset", { to: email });
  return email;
}

describe("startWorker", () => {
  it("sends a mail as soon as its job is added, without waiting for a poll, and deletes the row", async () => {
    work(60_000);
    const to = await forgotten();
    await vi.waitFor(() => expect(mailsTo(to)).toHaveLength(1), 30_000);
    await vi.waitFor(async () => expect(await jobRows({ email: to })).toEqual([]), 30_000);
    expect(mailsTo(to)[0]?.text).toMatch(/https:\/\/localhost:3443\/reset-password\/[\w-]{43}/);
  });

  it.each(["refuses", "drops the connection"] as const)(
    "delivers once, after the mail server, which %s, has recovered",
    async (trouble) => {
      mood = trouble;
      work();
      const to = await forgotten();
      await vi.waitFor(async () => {
        await retryNow();
        expect((await jobRows({ email: to }))[0]?.attempts).toBeGreaterThanOrEqual(3);
      }, 30_000);
      expect(mailsTo(to)).toEqual([]);
      const [job] = await jobRows({ email: to });
      expect(job?.payload).toEqual({ mail: "password-reset", to });
      mood = "well";
      await vi.waitFor(async () => {
        await retryNow();
        expect(await jobRows({ email: to })).toEqual([]);
      }, 30_000);
      expect(mailsTo(to)).toHaveLength(1);
      expect(logged()).toContain(`task ${job?.id} `);
    },
  );

  it("keeps a refused recipient's email out of the log and the job's last error", async () => {
    mood = "refuses";
    work();
    const to = await forgotten();
    await vi.waitFor(async () => {
      expect((await jobRows({ email: to }))[0]?.last_error).toContain("450 come back later");
    }, 30_000);
    expect(logged()).toContain("450 come back later");
    const [job] = await jobRows({ email: to });
    expect(`${job?.last_error} ${logged()}`.toLowerCase()).not.toContain(to);
  });

  it("waits for a mail server that is slow", async () => {
    mood = "is slow";
    work();
    const to = await forgotten();
    await vi.waitFor(async () => expect(await jobRows({ email: to })).toEqual([]), 30_000);
    expect(mailsTo(to)).toHaveLength(1);
    expect(logged()).toBe("");
  });

  it("keeps the mail while the server is away, and sends it when it is back", async () => {
    await new Promise<void>((resolve) => server.close(resolve));
    work();
    const to = await forgotten();
    await vi.waitFor(async () => {
      expect((await jobRows({ email: to }))[0]?.last_error).toContain("ECONNREFUSED");
    }, 30_000);
    server = await listen(port);
    await retryNow();
    await vi.waitFor(() => expect(mailsTo(to)).toHaveLength(1), 30_000);
  });

  it("puts the link's token only into the mail, not into the queue or the log", async () => {
    mood = "refuses";
    work();
    const to = await forgotten();
    await vi.waitFor(async () => {
      expect((await jobRows({ email: to }))[0]?.last_error).not.toBeNull();
    }, 30_000);
    const waiting = `${JSON.stringify(await jobRows({ email: to }))} ${logged()}`;
    expect(waiting).not.toMatch(/reset-password\//);
    expect(waiting).not.toMatch(/[\w-]{43}/);
    mood = "well";
    await retryNow();
    await vi.waitFor(() => expect(mailsTo(to)).toHaveLength(1), 30_000);
    const [, token = ""] = /reset-password\/([\w-]{43})/.exec(`${mailsTo(to)[0]?.text}`) ?? [];
    expect(token).not.toBe("");
    expect(await wholeDatabase()).not.toContain(token);
  });

  it("sends each mail once, however many instances work", async () => {
    const addresses = times(30, () => `${randomUUID()}@example.com`);
    for (const to of addresses) await addMail(db, "sign-up", { to });
    times(3, () => work());
    const left = async () =>
      (await Promise.all(addresses.map((to) => jobRows({ email: to })))).flat();
    await vi.waitFor(async () => expect(await left()).toEqual([]), {
      timeout: 20_000,
      interval: 200,
    });
    for (const to of addresses) expect(mailsTo(to)).toHaveLength(1);
  });

  it("continues after its database connections are lost", async () => {
    work();
    const before = await forgotten();
    await vi.waitFor(() => expect(mailsTo(before)).toHaveLength(1), 30_000);
    const broken = await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name <> 'latchkey'
        and pid <> pg_backend_pid()`;
    expect(broken.length).toBeGreaterThan(0);
    const after = await forgotten();
    await vi.waitFor(() => expect(mailsTo(after)).toHaveLength(1), 30_000);
  });

  it("sends nothing after it has stopped", async () => {
    await work().stop();
    const to = await forgotten();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(mailsTo(to)).toEqual([]);
    expect(await jobRows({ email: to })).toHaveLength(1);
  });
});

describe("drainJobs", () => {
  it("runs the due jobs, and counts them", async () => {
    await drainJobs(); // jobs of the tests above
    const to = [await forgotten(), await forgotten()];
    expect(await drainJobs()).toEqual({ done: 2, failed: 0 });
    for (const address of to) expect(mailsTo(address)).toHaveLength(1);
    expect(await drainJobs()).toEqual({ done: 0, failed: 0 });
  });

  it("counts failed jobs, logs them, and leaves them for the next run", async () => {
    mood = "refuses";
    const to = await forgotten();
    const [job] = await jobRows({ email: to });
    expect(await drainJobs()).toEqual({ done: 0, failed: 1 });
    expect(logged()).toContain(`task ${job?.id} `);
    mood = "well";
    expect(await drainJobs()).toEqual({ done: 0, failed: 0 });
    await sql`update graphile_worker._private_jobs set run_at = now() where id = ${`${job?.id}`}`;
    expect(await drainJobs()).toEqual({ done: 1, failed: 0 });
    expect(mailsTo(to)).toHaveLength(1);
  });

  it("sends each mail once when it runs twice at once", async () => {
    const to = [await forgotten(), await forgotten(), await forgotten()];
    await Promise.all([drainJobs(), drainJobs()]);
    for (const address of to) expect(mailsTo(address)).toHaveLength(1);
  });

  it("cleans up once an hour and reads whole tables once a day, however often it is called", async () => {
    await sql`delete from graphile_worker._private_jobs`;
    const user = await createUser(db);
    await addSessions(user, 3, "-1 second");
    const hoursPass = (hours: number) => sql`
      update graphile_worker._private_jobs set run_at = run_at - ${hours} * interval '1 hour'`;
    expect((await drainJobs()).done).toBe(0);
    await hoursPass(0.5);
    expect((await drainJobs()).done).toBe(0);
    await hoursPass(0.5);
    expect((await drainJobs()).done).toBe(1);
    expect(await sessionRows(user)).toEqual([]);
    await drainJobs(); // queues the next hour's jobs
    await hoursPass(23);
    expect((await drainJobs()).done).toBe(recurringJobs.length);
  });
});
