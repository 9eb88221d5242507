import { afterAll, expect, it } from "vitest";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { connect } from "@/lib/db/client";
import { startApp } from "@/tests/support/app";
import { cloneTemplate, startTestServer } from "@/tests/support/postgres";
import { actionNamed, formBody } from "@/tests/support/surface";
import { addTeam } from "@/tests/support/team-surface";
import { createLogin, createUser } from "@/tests/support/users";
import { report } from "./report";

/* See also tests/e2e/thorough/shutdown.spec.ts, which holds single requests and jobs at SIGTERM. */

const cleanUp: (() => unknown)[] = [];

afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
});

it("SIGTERM under load: every write answered with success is stored, and the server exits", async () => {
  const server = await startTestServer();
  const url = await cloneTemplate(server.url, server.template, "signal");
  const connection = connect(url, { max: 4 });
  const app = await startApp(url);
  cleanUp.push(server.stop, () => connection.sql.end(), app.stop);
  const user = await createUser(connection.db);
  const { handle: team, project } = await addTeam(
    connection,
    user,
    await createUser(connection.db),
  );
  const { token } = await createLogin(connection.db, user);

  const path = `/t/${team}/projects/${project}`;
  const written: string[] = [];
  const outcomes: Record<string, number> = {};
  const count = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  /** Sends requests directly to the server, because the proxy opens a new connection for each. */
  const write = async (body: string) => {
    const answer = await fetch(`http://127.0.0.1:${app.port}${path}`, {
      method: "POST",
      redirect: "manual",
      body: formBody(actionNamed("addNote"), { team, project, body }),
      headers: {
        ...{ cookie: `${sessionCookie(app.origin).name}=${token}`, origin: app.origin },
        ...{ "sec-fetch-site": "same-origin", "x-forwarded-for": "10.0.0.1, 10.0.0.2" },
      },
    }).catch(() => undefined);
    const done = answer?.headers.get("location")?.includes("notice=note-added");
    if (done) written.push(body);
    count(done ? "well" : answer ? `${answer.status}` : "no connection");
    return answer !== undefined;
  };
  let sent = 0;
  const clients = Array.from({ length: 8 }, async () => {
    while (sent < 100 && (await write(`note ${sent++}`)));
  });
  await expect.poll(() => written.length, { timeout: 60_000 }).toBeGreaterThan(10);
  process.kill(app.pid, "SIGTERM");
  await Promise.all(clients);
  expect(await app.exited).toBe(143);

  const stored = await connection.sql`select from notes where body = any(${written})`;
  const { well = 0, ...refused } = outcomes;
  report({
    fault: "SIGTERM",
    ...{ sent, well, refused, hung: 0, recovered: null },
    ...{ lost: written.length - stored.length, cameBack: 0 },
  });
  expect(stored).toHaveLength(written.length);
  expect(Object.keys(refused)).toEqual(["no connection"]);
});
