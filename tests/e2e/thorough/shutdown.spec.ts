import { once } from "node:events";
import { connect as connectTo } from "node:net";
import { SMTPServer } from "smtp-server";
import { addMail } from "@/lib/auth/mails/jobs";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { type Connection, connect } from "@/lib/db/client";
import { type App, startApp } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { createLogin, createUser } from "@/tests/support/users";

/* A server, one process, gets SIGTERM while it sends a mail and renders a page. */

test("a request and a job in progress at SIGTERM are finished, then the server exits", async ({
  newDatabase,
}) => {
  const { app, mail, page, jobs, ...busy } = await busyServer(await newDatabase());
  process.kill(app.pid, "SIGTERM");
  await expect.poll(() => accepts(app.port)).toBe(false);

  mail.answer();
  await busy.release();
  const answer = await page;
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain("Profile");
  expect(answer.headers.get("connection")).toBe("close");
  expect(await app.exited).toBe(143);
  expect(mail.received).toBe(1);
  expect(await jobs()).toEqual([]);
  await busy.stop();
});

test("at the time limit, requests and jobs are given up, and the job is free for another server", async ({
  newDatabase,
}) => {
  const { app, page, jobs, ...busy } = await busyServer(await newDatabase());
  const failed = page.then(
    () => false,
    () => true,
  );
  process.kill(app.pid, "SIGINT");
  expect(await app.exited).toBe(130); // only by the time limit: the page and the mail never end
  expect(await failed).toBe(true);
  expect(await jobs()).toEqual([{ locked_at: null, attempts: 1 }]);
  await busy.stop();
});

test("a second signal changes nothing", async ({ newDatabase }) => {
  const app = await startApp(await newDatabase(), { instances: 1 });
  process.kill(app.pid, "SIGTERM");
  process.kill(app.pid, "SIGTERM"); // as npm and a terminal may send
  expect(await app.exited).toBe(143);
  await app.stop();
});

/**
 * Starts a server that is sending a mail, whose mail server does not respond, and rendering a page,
 * whose query waits for a lock.
 */
async function busyServer(databaseUrl: string) {
  const mail = await holdingMailServer();
  const connection = connect(databaseUrl, { max: 3 });
  const app = await startApp(databaseUrl, { env: { SMTP_URL: mail.url }, instances: 1 });
  const user = await createUser(connection.db);
  const { token } = await createLogin(connection.db, user);
  await addMail(connection.db, "password-reset", { to: user.email });
  await mail.started;

  const lock = await connection.sql.reserve();
  await lock`begin`;
  await lock`lock table sessions in access exclusive mode`;
  const page = ask(app, token);
  await expect.poll(() => waiting(connection)).toBe(1);
  return {
    ...{ app, mail, page },
    jobs: async () => [
      ...(await connection.sql`
        select locked_at, attempts from graphile_worker._private_jobs
        where payload ->> 'to' = ${user.email}`),
    ],
    async release() {
      await lock`rollback`;
    },
    async stop() {
      await lock`rollback`;
      lock.release();
      await app.stop();
      mail.stop();
      await connection.sql.end();
    },
  };
}

/** Requests the page from the server directly: the proxy opens a connection for each request. */
function ask({ origin, port }: App, token: string): Promise<Response> {
  const cookie = `${sessionCookie(origin).name}=${token}`;
  return fetch(`http://127.0.0.1:${port}/settings/profile`, { headers: { cookie } });
}

async function waiting({ sql }: Connection): Promise<number> {
  const [row] = await sql`
    select count(*)::int as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  return row?.n;
}

/** Starts a mail server that reads a mail and responds when the test tells it to. */
async function holdingMailServer() {
  const held: (() => void)[] = [];
  let onStart = () => {};
  const state = {
    received: 0,
    started: new Promise<void>((resolve) => {
      onStart = resolve;
    }),
  };
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onData(stream, _session, callback) {
      stream.resume();
      stream.on("end", () => {
        held.push(callback);
        onStart();
      });
    },
  });
  server.on("error", () => {}); // the app exits in the middle of a mail
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const address = server.server.address();
  return Object.assign(state, {
    url: `smtp://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    answer() {
      for (const callback of held.splice(0)) {
        state.received++;
        callback();
      }
    },
    stop() {
      for (const connection of server.connections) connection.close();
      server.close(() => {});
    },
  });
}

/** Returns whether the server accepts new connections. */
function accepts(port: number): Promise<boolean> {
  const socket = connectTo(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
