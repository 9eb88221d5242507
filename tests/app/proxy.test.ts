import { AsyncLocalStorage } from "node:async_hooks";
import { expect, it } from "vitest";
import { pathHeader, refusalHeader } from "@/lib/incoming";
import { config } from "@/proxy";

// Next's own matcher check expects it as a global, as in Next's server.
Object.assign(globalThis, { AsyncLocalStorage });
const { unstable_doesMiddlewareMatch } = await import("next/experimental/testing/server");

function runs(url: string, headers = {}): boolean {
  return unstable_doesMiddlewareMatch({ config, url, headers });
}

const publicPages = ["/", "/?from=mail", "/docs/api", "/pricing"];

it("does not run for files and for pages that are the same for every visitor", () => {
  for (const url of [...publicPages, "/_next/static/chunks/1.js"])
    expect(runs(url), url).toBe(false);
});

it("does not run for requests that lib/incoming.ts has prepared", () => {
  for (const url of ["/login", "/t/acme", "/api/v1/user"])
    expect(runs(url, { [pathHeader]: url }), url).toBe(false);
});

it("runs for all other requests that are not prepared", () => {
  for (const url of ["/login", "/t/acme", "/docs/api/more", "/pricing2", "/api/v1/user", "/_next"])
    expect(runs(url), url).toBe(true);
});

it("runs for every request that has a form or an action or is to be refused, on any path", () => {
  for (const header of ["content-type", "next-action", refusalHeader])
    for (const url of [...publicPages, "/_next/static/chunks/1.js", "/login"])
      expect(runs(url, { [header]: "1", [pathHeader]: url }), `${header} to ${url}`).toBe(true);
});
