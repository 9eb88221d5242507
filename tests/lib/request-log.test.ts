import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it, vi } from "vitest";
import { logRequests, noteSession, redactedPath } from "@/lib/request-log";

/*
 * Tests a plain Node server, without Next. tests/e2e/thorough/request-log.spec.ts tests what the
 * product's requests log.
 */

const lines: string[] = [];
logRequests(false, (line) => lines.push(line));

const server = createServer(async (request, response) => {
  await new Promise((resolve) => setImmediate(resolve));
  noteSession(request.headers["x-session"]?.toString());
  if (request.url === "/slow") return void response.write("part");
  response.end();
}).listen(0, "127.0.0.1");
await once(server, "listening");
afterAll(() => server.close());
// A listening TCP server's address is never a string or null.
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const lineOf = (id: string | null) =>
  vi.waitFor(() => JSON.parse(lines.find((line) => line.includes(`"${id}"`)) ?? ""));

describe("logRequests", () => {
  it("logs each request's own session, also with many concurrent requests", async () => {
    const sessions = Array.from({ length: 50 }, (_, index) => `session-${index}`);
    const answers = await Promise.all(
      sessions.map((session) => fetch(`${origin}/x`, { headers: { "X-Session": session } })),
    );
    for (const [index, { headers }] of answers.entries())
      expect((await lineOf(headers.get("x-request-id"))).session).toBe(sessions[index]);
  });

  it("makes a new id for each request if there is no trusted proxy", async () => {
    const headers = { "X-Request-Id": "0123456789abcdef" };
    const ask = async () => (await fetch(`${origin}/x`, { headers })).headers.get("x-request-id");
    const ids = [await ask(), await ask()];
    for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  it("records that the client aborted", async () => {
    const gone = new AbortController();
    const { headers } = await fetch(`${origin}/slow`, { signal: gone.signal });
    gone.abort();
    expect(await lineOf(headers.get("x-request-id"))).toMatchObject({
      path: "/slow",
      aborted: true,
    });
  });

  it("does not log requests for build files", async () => {
    const { headers } = await fetch(`${origin}/_next/static/chunks/a.js`);
    const later = await fetch(`${origin}/x`);
    await lineOf(later.headers.get("x-request-id"));
    expect(headers.get("x-request-id")).not.toBeNull();
    expect(lines.join("")).not.toContain("_next");
  });
});

describe("redactedPath", () => {
  it.each([
    ["/", "/"],
    ["/settings/two-factor?a=b", "/settings/two-factor"],
    ["/t/k3v9x2m4qa/projects/0b7c2f1e-1111-4222-8333-944455556666", "/t/*/projects/*"],
    ["/t/onlyletter/settings/team", "/t/*/settings/team"],
    ["/t/[team]/settings/team", "/t/[team]/settings/team"],
    ["/reset-password/k3v9x2m4qak3v9x2m4qak3v9x2m4qak3v9x2m4qa123", "/reset-password/*"],
    ["/.well-known/jwks.json", "/.well-known/jwks.json"],
    ["/api/v1/me/", "/api/v1/me/"],
    ["/admin/users?q=ada@example.com", "/admin/users"],
    ["/ada@example.com/Uppercase/%2e", "/*/*/*"],
    [`/${"a".repeat(25)}/${"ab-".repeat(9)}c`, "/*/*"],
    ['/x"\n{}', "/*"],
    ["http://evil.example/x", "*//*/x"],
    ["*", "*"],
  ])("makes %s %s", (url, path) => {
    expect(redactedPath(url)).toBe(path);
  });
});
