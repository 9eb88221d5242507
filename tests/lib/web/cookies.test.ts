import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { newToken } from "@/lib/auth/secrets";
import { setEnv } from "@/lib/env";
import { themeCookie } from "@/lib/theme";
import * as web from "@/lib/web/cookies";
import { files } from "@/tests/support/sources";

type Cookie = { name: string; value: string; attributes: Record<string, unknown> };

const { jar } = vi.hoisted(() => ({ jar: new Map<string, Cookie>() }));

// Replaces Next's module, which needs a request around it.
vi.mock("next/headers", () => ({
  headers: async () => new Headers(),
  cookies: async () => ({
    get: (name: string) => jar.get(name),
    has: (name: string) => jar.has(name),
    set: (name: string, value: string, attributes: Record<string, unknown>) =>
      jar.set(name, { name, value, attributes }),
  }),
}));

setEnv({ DATABASE_URL: "postgres://127.0.0.1:9/none" }); // none of these functions queries it

beforeEach(() => jar.clear());

const setters: Record<string, () => Promise<unknown>> = {
  setSessionCookie: () => web.setSessionCookie(newToken(), true),
  setPendingCookie: () => web.setPendingCookie(newToken()),
  keepVisitCookie: () => web.keepVisitCookie(),
  rememberBrowser: () =>
    web.rememberBrowser({ userId: "0d7a3c55-31c6-4f0f-9c39-0f0a1f4f7b1e", browserEpoch: 1 }),
  setDraftCookie: () => web.setDraftCookie("draft", 60),
};

describe("every cookie on https", () => {
  it.each(Object.entries(setters))(
    "is kept to this host and to TLS, and from scripts and other sites: %s",
    async (_, set) => {
      await set();
      const [cookie, ...more] = jar.values();
      expect(more).toEqual([]);
      expect(cookie?.name).toMatch(/^__Host-[a-z]+$/);
      expect(cookie?.attributes).toMatchObject({
        ...{ secure: true, httpOnly: true, sameSite: "lax", path: "/" },
      });
      expect(cookie?.attributes).not.toHaveProperty("domain");
    },
  );

  it("is deleted with the same attributes, or the browser would keep it", async () => {
    for (const set of Object.values(setters)) await set();
    const names = [...jar.keys()];
    await web.deleteSessionCookie();
    await web.setPendingCookie(null);
    await web.setDraftCookie(null, 0);
    const deleted = [...jar.values()].filter(({ value }) => value === "");
    expect(deleted).toHaveLength(3);
    for (const { name, attributes } of deleted) {
      expect(names).toContain(name);
      expect(attributes).toMatchObject({ secure: true, path: "/", maxAge: 0 });
    }
  });

  it("is set by one of these functions, except the theme, which holds no secret", () => {
    const isSetter = (name: string) => /^(set|keep|remember)\w*(Cookie|Browser)$/.test(name);
    expect(Object.keys(web).filter(isSetter).sort()).toEqual(Object.keys(setters).sort());
    const writers = [...files("app"), ...files("lib"), "proxy.ts"].filter((file) => {
      if (!/\.tsx?$/.test(file)) return false;
      const text = readFileSync(file, "utf8");
      return /document\.cookie *=|cookieStore|cookies\.set|set-cookie|\bcookies\b.*next\/headers/i.test(
        text,
      );
    });
    expect(writers.sort()).toEqual(["app/_ui/theme-toggle.tsx", "lib/web/cookies.ts"]);
    expect(themeCookie(true)).toBe("__Host-theme");
  });
});
