import http from "node:http";
import { sessionPolicy } from "@/lib/auth/policy";
import { sessionCookie } from "@/lib/auth/sessions/cookie";
import { connect } from "@/lib/db/client";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { type App, startApp } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { actionNamed } from "@/tests/support/surface";
import { createLogin, createUser } from "@/tests/support/users";

/*
 * When an action redirects, Next fetches the target page from this server itself. That request must
 * not write the server's own IP address into the device list. The test calls the server without the
 * TLS proxy, so that it controls the connection's IP address.
 */

// Only Linux accepts connections on all of 127.0.0.0/8 without configuration.
test.skip(process.platform !== "linux");

const browser = "127.0.0.7";

const deployments = {
  "a server without a proxy": { hops: "0", forwarded: undefined, expected: browser },
  "a server behind one proxy": { hops: "1", forwarded: "203.0.113.9", expected: "203.0.113.9" },
  "a proxy that adds the port": {
    hops: "1",
    forwarded: "203.0.113.9:4711",
    expected: "203.0.113.9",
  },
};

for (const [where, { hops, forwarded, expected }] of Object.entries(deployments))
  test(`${where}: after an action that redirects, the device has the browser's IP address`, async ({
    newDatabase,
  }) => {
    const url = await newDatabase();
    const { db, sql } = connect(url, { max: 1 });
    const env = { TRUSTED_PROXY_HOPS: hops, CRON_SECRET: "c".repeat(43) };
    const app = await startApp(url, { env, instances: 1 });
    const { token, session } = await createLogin(db, await createUser(db), {
      ip: "198.51.100.1",
    });
    await sql`update sessions set last_seen_at = now() - ${span(sessionPolicy.touchInterval + minutes(1))}::interval`;

    expect(await hideFirstSteps(app, token, forwarded)).toMatchObject({
      "x-action-redirect": "/dashboard;push",
      "content-type": "text/x-component", // Next did fetch the page
    });

    const row = async () => {
      const [row] = await sql`
        select host(ip) as ip, last_seen_at > now() - ${span(sessionPolicy.touchInterval)}::interval as touched
        from sessions where id = ${session.id}`;
      return row;
    };
    await expect.poll(async () => (await row())?.touched).toBe(true);
    expect((await row())?.ip).toBe(expected);
    await app.stop();
    // All pending writes of the server are done.
    expect((await row())?.ip).toBe(expected);
    await sql.end();
  });

/** Calls the action as the page's script does. Returns the response headers. */
function hideFirstSteps(
  app: App,
  token: string,
  forwarded: string | undefined,
): Promise<http.IncomingHttpHeaders> {
  const headers = {
    cookie: `${sessionCookie(app.origin).name}=${token}`,
    ...{ host: new URL(app.origin).host, origin: app.origin, "sec-fetch-site": "same-origin" },
    ...{ accept: "text/x-component", "content-type": "text/plain;charset=UTF-8" },
    "next-action": actionNamed("hideFirstSteps").id,
    ...(forwarded && { "x-forwarded-for": forwarded }),
  };
  const options = { host: "127.0.0.1", port: app.port, localAddress: browser, headers };
  return new Promise((resolve, reject) => {
    http
      .request({ ...options, path: "/dashboard", method: "POST" }, (answer) => {
        answer.resume().on("end", () => resolve(answer.headers));
      })
      .on("error", reject)
      .end("[]");
  });
}
