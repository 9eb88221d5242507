import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  clientAddress,
  isLoopbackHost,
  isSameOrigin,
  ownPath,
  recordPeerAddresses,
  safeNext,
} from "@/lib/http";

const APP = "https://app.example.com";

/** Returns the URL that a browser on our login page reaches by following this Location. */
const landing = (location: string) => new URL(location, `${APP}/login`);

describe("safeNext", () => {
  it.each([
    ["/", "/"],
    ["/settings/devices", "/settings/devices"],
    ["/settings/activity?page=2&kind=logged-in", "/settings/activity?page=2&kind=logged-in"],
    ["/search?q=https://example.com//x", "/search?q=https://example.com//x"],
    ["/a/../settings", "/settings"],
    ["/logins", "/logins"],
    ["/settings#top", "/settings"],
    ["/%E2%9C%93", "/%E2%9C%93"],
  ])("sends %j to %j", (next, expected) => {
    expect(safeNext(next)).toBe(expected);
  });

  it.each([
    ...["//evil.example", "///evil.example", "////evil.example", "//evil.example/%2f.."],
    ...["/\\evil.example", "\\\\evil.example", "\\/evil.example", "/\\/evil.example"],
    ...["/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "/\r\n/evil.example"],
    ...["\t//evil.example", " //evil.example", "\0//evil.example", "\u00a0//evil.example"],
    ...["/%09/evil.example", "/%0a/evil.example", "/%0D/evil.example", "/%5cevil.example"],
    ...["/%2fevil.example", "/%2Fevil.example", "/%5C%5Cevil.example", "/%2f%2fevil.example"],
    ...["/.//evil.example", "/..//evil.example", "/a/..//evil.example", "/./\\evil.example"],
    ...["/%2e//evil.example", "/%2e%2e//evil.example", "/a/%2e%2e//evil.example"],
    ...[
      "https://evil.example",
      "HTTPS://evil.example",
      "https:evil.example",
      "https:/evil.example",
    ],
    ...["http:evil.example", "http://evil.example", "ftp://evil.example", "//[::1]/", "//0/"],
    ...["javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x"],
    ...["vbscript:x", "file:///etc/passwd", "blob:https://evil.example/x", "mailto:a@b.example"],
    ...["evil.example", "@evil.example", ".evil.example", ":80", "?next=//evil.example", "#x", ""],
    ...["//app.example.com@evil.example", "//evil.example:443", "//user:pass@evil.example"],
    ...["/login", "/login?next=/login", "/login/", "/logout", "/logout?x=1"],
  ])("sends %j to the dashboard instead", (next) => {
    expect(safeNext(next)).toBe("/dashboard");
  });

  it.each([undefined, null, 1, {}, [], ["/settings"], new URL("https://evil.example")])(
    "sends %j, which is no string, to the dashboard",
    (next) => {
      expect(safeNext(next)).toBe("/dashboard");
    },
  );

  it("refuses a path that is longer than any of ours", () => {
    expect(safeNext(`/${"x".repeat(2000)}`)).toBe("/dashboard");
  });

  it("accepts another fallback", () => {
    expect(ownPath("//evil.example", "/settings")).toBe("/settings");
    expect(ownPath("/login?next=/x", "/settings")).toBe("/login?next=/x");
  });

  // Pieces that have fooled such checks, in any order, and random text.
  const piece = fc.oneof(
    fc.constantFrom(..."/\\.:@?#%&;\t\n\r \0", "//", "/\\", "..", "%2f", "%5c", "%09", "%2e"),
    fc.constantFrom(
      "https:",
      "javascript:",
      "evil.example",
      "login",
      "%25",
      "／",
      "＼",
      "。",
      "\u200b",
    ),
    fc.string(),
  );
  const hostile = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));

  it("stays on this site whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          hostile.map((text) => `/${text}`),
        ),
        (next) => {
          const answer = safeNext(next);
          expect(landing(answer).origin).toBe(APP);
          expect(answer).toMatch(/^\/(?![/\\])/);
          expect(answer).not.toMatch(/[\r\n\t\0 ]/);
          expect(safeNext(answer)).toBe(answer);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("isSameOrigin", () => {
  const judge = (headers: Record<string, string>, loopbackToo = false, appUrl = APP) =>
    isSameOrigin(new Headers(headers), appUrl, loopbackToo);
  const site = (value: string) => ({ "sec-fetch-site": value });

  it.each<Record<string, string>>([
    { origin: APP },
    { origin: APP, ...site("same-origin") },
    site("same-origin"),
    { origin: APP, host: "evil.example", "x-forwarded-host": "evil.example" },
  ])("treats %j as same-origin", (headers) => {
    expect(judge(headers)).toBe(true);
  });

  it.each<Record<string, string>>([
    {},
    { host: "app.example.com" },
    { referer: `${APP}/login` },
    ...["cross-site", "same-site", "none", "", "SAME-ORIGIN", "same-origin, same-origin"].flatMap(
      (value) => [site(value), { origin: APP, ...site(value) }],
    ),
    ...["https://evil.example", "null", "", "http://app.example.com", "https://app.example.com:444"]
      .concat(["https://APP.example.com", "HTTPS://app.example.com", "https://app.example.com:443"])
      .concat(["https://app.example.com/", "https://app.example.com.evil.example", "//"])
      .concat(["https://evil.example, https://app.example.com", "https://", "app.example.com"])
      .concat(["https://xapp.example.com", "https://user@app.example.com", "%00", "[", "http://["])
      .flatMap((origin) => [{ origin }, { origin, ...site("same-origin") }]),
    {
      origin: "https://evil.example",
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "https",
    },
  ])("treats %j as cross-site", (headers) => {
    expect(judge(headers)).toBe(false);
    expect(judge(headers, true)).toBe(false);
  });

  const local = "http://localhost:3000";
  it.each(["http://127.0.0.1:3000", "http://[::1]:3000", "http://127.1.2.3:3000", local])(
    "treats %s as localhost in development only",
    (origin) => {
      expect(judge({ origin }, true, local)).toBe(true);
      expect(judge({ origin, ...site("cross-site") }, true, local)).toBe(false);
      expect(judge({ origin }, false, local)).toBe(origin === local);
    },
  );

  it.each([
    ...[
      "http://127.0.0.1:3001",
      "https://127.0.0.1:3000",
      "http://127.0.0.1",
      "http://0.0.0.0:3000",
    ],
    ...["http://localhost.evil.example:3000", "http://127.0.0.1.evil.example:3000", "null", "x"],
    ...[
      "http://192.168.0.2:3000",
      "http://2130706433:3000",
      "http://127.0.0.1:3000/",
      "http://[::",
    ],
  ])("does not treat %s as localhost, even in development", (origin) => {
    expect(judge({ origin }, true, local)).toBe(false);
  });
});

describe("clientAddress", () => {
  const read = (forwarded: string, hops: number) =>
    clientAddress(new Headers({ "x-forwarded-for": forwarded }), hops);

  it.each([
    { hops: 0, forwarded: "203.0.113.9", expected: null },
    { hops: 1, forwarded: "203.0.113.9", expected: "203.0.113.9" },
    { hops: 1, forwarded: "6.6.6.6, 203.0.113.9", expected: "203.0.113.9" },
    { hops: 2, forwarded: "6.6.6.6, 203.0.113.9, 10.0.0.1", expected: "203.0.113.9" },
    { hops: 3, forwarded: "6.6.6.6,203.0.113.9,10.0.0.1,10.0.0.2", expected: "203.0.113.9" },
    { hops: 2, forwarded: "203.0.113.9", expected: null },
    { hops: 1, forwarded: "2001:db8::7", expected: "2001:db8::7" },
    { hops: 1, forwarded: "::ffff:203.0.113.9", expected: "203.0.113.9" },
    { hops: 1, forwarded: "fe80::1%eth0", expected: "fe80::1" },
    { hops: 1, forwarded: "  203.0.113.9  ", expected: "203.0.113.9" },
    { hops: 1, forwarded: "203.0.113.9:4711", expected: "203.0.113.9" },
    { hops: 1, forwarded: "[2001:db8::7]:4711", expected: "2001:db8::7" },
    { hops: 1, forwarded: "[2001:db8::7]", expected: "2001:db8::7" },
    { hops: 1, forwarded: "[::ffff:203.0.113.9]:4711", expected: "203.0.113.9" },
    { hops: 2, forwarded: "6.6.6.6:1, 203.0.113.9:4711, 10.0.0.1:2", expected: "203.0.113.9" },
  ])("believes $hops proxies about %j", ({ hops, forwarded, expected }) => {
    expect(read(forwarded, hops)).toBe(expected);
  });

  it.each([
    ...["", ",", "unknown", "_hidden", "999.1.1.1", "999.1.1.1:80", "203.0.113.9:", ":4711"],
    ...["203.0.113.9:x", "203.0.113.9:1:2", "[203.0.113.9", "[]:4711", "[2001:db8::7]x", "[[::1]]"],
  ])("returns no IP address for %j", (garbage) => {
    for (const hops of [1, 2, 3]) expect(read(garbage, hops)).toBeNull();
  });

  it("is null, or an IP address that Postgres accepts, for any header", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 3 }), (noise, hops) => {
        const headers = { get: () => noise };
        expect(clientAddress(headers, hops) ?? "::").toMatch(/^[\da-f:.]+$/i);
      }),
    );
  });
});

describe("recordPeerAddresses", () => {
  it("lets clientAddress return the connection's IP address if there is no proxy", async () => {
    recordPeerAddresses();
    recordPeerAddresses(); // a second call must not add a second header
    const server = createServer((received, response) => {
      const headers = new Headers(received.headers as Record<string, string>);
      response.end(JSON.stringify([clientAddress(headers, 0), clientAddress(headers, 1)]));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    // A listening TCP server's address is never a string or null.
    const { port } = server.address() as AddressInfo;
    const sent = request({ port, host: "127.0.0.1", headers: { "x-forwarded-for": "6.6.6.6" } });
    const [answer] = await once(sent.end(), "response");
    const [body] = await once(answer, "data");
    server.close();
    expect(JSON.parse(String(body))).toEqual(["127.0.0.1", "6.6.6.6"]);
  });

  it("keeps the browser's IP address on a request that the server sends to itself", async () => {
    recordPeerAddresses();
    const server = createServer(async (received, response) => {
      const headers = new Headers(received.headers as Record<string, string>);
      if (received.url === "/target") return response.end(clientAddress(headers, 0));
      // As Next does when an action redirects: it forwards all headers of the request. The
      // browser's IP address is 127.0.0.1 like the server's own, so it is replaced to tell
      // the two apart.
      const forwarded = [...headers].map(([name, value]) => [
        name,
        value.replace(/^127\.0\.0\.1$/, "203.0.113.9"),
      ]);
      const own = `http://127.0.0.1:${received.socket.localPort}/target`;
      response.end(await (await fetch(own, { headers: Object.fromEntries(forwarded) })).text());
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const [answer] = await once(request({ port, host: "127.0.0.1" }).end(), "response");
    const [body] = await once(answer, "data");
    server.close();
    expect(String(body)).toBe("203.0.113.9");
  });
});

describe("isLoopbackHost", () => {
  it.each([
    "localhost",
    "localhost:3000",
    "LOCALHOST:3000",
    "127.0.0.1:3000",
    "127.8.9.1",
    "[::1]:3000",
  ])("accepts %s", (host) => {
    expect(isLoopbackHost(host)).toBe(true);
  });

  it.each([
    null,
    "",
    ":3000",
    "evil.example:3000",
    "localhost.evil.example",
    "evil.localhost:3000",
    "127.0.0.1.evil.example",
    "evil.example@localhost",
    "localhost:3000@evil.example",
    "localhost:3000, evil.example",
    "192.0.2.7:3000",
    "0.0.0.0:3000",
    "[::]:3000",
    "[fd00::2]:3000",
  ])("refuses %j, which a page of another site may have made the browser send", (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  });
});
