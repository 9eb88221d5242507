import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { prepareRequests, refusalHeader } from "@/lib/incoming";

/* A server on a real socket, without headers of its own, that responds with the request it got. */

prepareRequests(
  { APP_URL: "https://app.example.com", production: true },
  (state) => {
    if (state !== undefined && state !== "good") throw new Error("unreadable");
  },
  (path) => (path === "/pay" ? ["https://checkout.example.com"] : []),
  { "/pricing": "'sha256-prices'", "/_not-found": "'sha256-nothing'" },
);

const server = createServer((request, response) => {
  const { method, url, headers } = request;
  // What Next does with a page made by the build, after proxy.ts has set its own policy.
  if (headers["x-made-by"] === "build") {
    response.setHeader("Content-Security-Policy", "script-src 'nonce-x'");
    response.setHeader("x-nextjs-prerender", "1");
  }
  if (headers["x-made-by"] === "request")
    response.setHeader("Content-Type", "text/html; charset=utf-8");
  // What Next does with an unknown action: its compression causes the head to be written first.
  if (headers["x-made-by"] === "no action") {
    response.statusCode = 409;
    response.setHeader("x-nextjs-action-not-found", "1");
    response.setHeader("Content-Length", 26);
    response.writeHead(409);
    return response.end("Server Action unavailable.");
  }
  response.end(JSON.stringify({ method, url, refused: headers[refusalHeader], headers }));
}).listen(0, "127.0.0.1");
await once(server, "listening");
afterAll(() => server.close());

/** Returns the head of the response, and the request that the server received. */
async function ask(
  start: string,
  headers = "",
): Promise<{ head: string; body: string; asked: Asked }> {
  // A listening TCP server's address is never a string or null.
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.end(`${start} HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n${headers}\r\n`);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await once(socket, "close");
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const json = /\{[\s\S]*\}/.exec(body)?.[0];
  return { head, body, asked: json ? JSON.parse(json) : {} };
}

type Asked = {
  method?: string;
  url?: string;
  refused?: string;
  headers?: Record<string, string>;
};

describe("prepareRequests", () => {
  it.each(["GET /login", "POST /login", "GET //login", "GET /%", "TRACE /", "GET *"])(
    "sets the security headers of the response to %s",
    async (start) => {
      const { head } = await ask(start);
      expect(head).toMatch(/^Content-Security-Policy: default-src 'none'/m);
      expect(head).toMatch(/^Strict-Transport-Security: max-age=63072000; includeSubDomains\r?$/m);
      for (const name of ["X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy"])
        expect(head).toContain(`\r\n${name}: `);
    },
  );

  it("gives a page rendered per request a nonce, and passes the same one to Next", async () => {
    const policies = [];
    for (const method of ["GET", "HEAD"]) {
      const { head, asked } = await ask(`${method} /login?next=%2F`, "X-Made-By: request\r\n");
      const [, policy = ""] = /^Content-Security-Policy: (.*)\r$/m.exec(head) ?? [];
      expect(policy).toMatch(/script-src 'self' 'nonce-[\w+/]{22}==' /);
      expect(head).toContain("\r\nReferrer-Policy: strict-origin-when-cross-origin\r");
      if (method === "GET") expect(asked.headers?.["content-security-policy"]).toBe(policy);
      policies.push(policy);
    }
    expect(policies[0]).not.toBe(policies[1]);
  });

  it("hides a path's token from other sites, and allows form targets only where needed", async () => {
    const link = await ask("GET /signup/abc", "X-Made-By: request\r\n");
    expect(link.head).toContain("\r\nReferrer-Policy: no-referrer\r");
    expect(link.head).toContain("; form-action 'self';");
    const pay = await ask("GET /pay?a=1", "X-Made-By: request\r\n");
    expect(pay.head).toContain("; form-action 'self' https://checkout.example.com;");
  });

  it.each([
    ["/login?a=1&_rsc=x&b=2", "/login?a=1&b=2"],
    ["/login?_rsc=x", "/login"],
    ["/login?_rsc=x&b=2", "/login?b=2"],
    ["/login?b=2&_rsc=x", "/login?b=2"],
  ])("passes the path of %s to Next", async (url, path) => {
    const { asked } = await ask(`GET ${url}`, "X-Path: /another\r\n");
    expect(asked.headers?.["x-path"]).toBe(path);
  });

  it.each([
    ["POST", ""],
    ["GET", "Content-Type: text/plain\r\n"],
    ["GET", "Next-Action: 1\r\n"],
  ])("leaves a %s %j to proxy.ts, whatever path header the client sends", async (method, more) => {
    const own = `X-Path: /login\r\nX-Made-By: request\r\n${more}`;
    const { asked, head } = await ask(`${method} /login`, own);
    expect(asked.headers).not.toHaveProperty("x-path");
    expect(asked.headers).not.toHaveProperty("content-security-policy");
    // Two nonces would block the page's scripts.
    expect(head).toMatch(/^Content-Security-Policy: default-src 'none'/m);
  });

  it.each([
    ["/pricing", "prices"],
    ["/pricing?a=1", "prices"],
    ["/nothing", "nothing"],
  ])("lists the script hashes of the prerendered page at %s", async (path, hash) => {
    const { head } = await ask(`GET ${path}`, "X-Made-By: build\r\n");
    expect(head).toContain(
      `\r\nContent-Security-Policy: default-src 'self'; script-src 'self' 'sha256-${hash}'; style-src 'self';`,
    );
    expect(head).not.toContain("nonce");
    expect(head).toContain("\r\nReferrer-Policy: strict-origin-when-cross-origin\r\n");
  });

  it("says what to do where the build does not have the action of a form", async () => {
    const { head, body } = await ask("POST /login", "X-Made-By: no action\r\n");
    expect(body).toMatch(/^This page is from an earlier version of the site.*try again\.\n$/);
    expect(head).toContain(`\r\nContent-Length: ${body.length}`);
  });

  it("lists no hash for the same path if the response was not prerendered", async () => {
    const { head } = await ask("GET /pricing");
    expect(head).toMatch(/^Content-Security-Policy: default-src 'none'/m);
  });

  it("sets the headers on responses that Node sends by itself", async () => {
    const { head } = await ask("GET /login", "Expect: the impossible\r\n");
    expect(head).toMatch(/^HTTP\/1.1 417 /);
    expect(head).toContain("\r\nStrict-Transport-Security: ");
  });

  it.each([
    ["TRACE /login", "", "405"],
    ["GET *", "", "400"],
    ["OPTIONS *", "", "400"],
    ["GET http://evil.example/login", "", "400"],
    ["GET /dashboard", "Next-Router-State-Tree: bad\r\n", "400"],
    ["POST /dashboard", "Next-Router-State-Tree: bad\r\n", "400"],
    ["POST /", "Next-Action:\r\n", "400"],
  ])(
    "marks %s %s for refusal, and leaves nothing of it to Next",
    async (start, headers, status) => {
      const { asked } = await ask(start, `${headers}Cookie: session=x\r\n`);
      expect(asked).toEqual({
        ...{ method: "GET", url: "/", refused: status },
        headers: { host: "app.example.com", [refusalHeader]: status },
      });
    },
  );

  it("passes the site's own host to Next, whatever a client or a proxy sends", async () => {
    const { asked } = await ask("POST /login", "X-Forwarded-Host: %\r\n");
    expect(asked.headers?.["x-forwarded-host"]).toBe("app.example.com");
  });

  it.each([
    ["GET /login", ""],
    ["POST /login?next=*", ""],
    ["GET /dashboard", "Next-Router-State-Tree: good\r\n"],
  ])("leaves %s %s as it is", async (start, headers) => {
    const { asked } = await ask(start, `${headers}Cookie: session=x\r\n`);
    const [method, url] = start.split(" ");
    expect(asked).toMatchObject({ method, url, headers: { cookie: "session=x" } });
    expect(asked.refused).toBeUndefined();
  });
});
