import { describe, expect, it } from "vitest";
import { sessionPolicy } from "@/lib/auth/policy";
import { newToken } from "@/lib/auth/secrets";
import { cookieMaxAge, readSessionToken, sessionCookie } from "@/lib/auth/sessions/cookie";

describe("sessionCookie", () => {
  it("is __Host- on https: Secure, for this whole host only", () => {
    expect(sessionCookie("https://app.example.com")).toEqual({
      name: "__Host-session",
      attributes: { httpOnly: true, secure: true, sameSite: "lax", path: "/" },
    });
  });

  it("is not Secure on plain http, which is a developer's own machine", () => {
    expect(sessionCookie("http://localhost:3000")).toEqual({
      name: "session",
      attributes: { httpOnly: true, secure: false, sameSite: "lax", path: "/" },
    });
  });

  it("sets no Domain, which __Host- forbids and which would share it with subdomains", () => {
    expect(sessionCookie("https://app.example.com").attributes).not.toHaveProperty("domain");
  });
});

describe("cookieMaxAge", () => {
  it("is the absolute lifetime in seconds if the session is persistent", () => {
    expect(cookieMaxAge(true)).toBe(sessionPolicy.persistent.absolute / 1000);
  });

  it("is undefined if it is not, so that closing the browser deletes the cookie", () => {
    expect(cookieMaxAge(false)).toBeUndefined();
  });
});

describe("readSessionToken", () => {
  const token = newToken();
  const read = (header: string | null) => readSessionToken(header, "__Host-session");

  it.each([
    `__Host-session=${token}`,
    `theme=dark; __Host-session=${token}; other=1`,
    `theme=dark;__Host-session=${token};other=1`,
    ` __Host-session=${token} `,
    `session=${newToken()}; __Host-session=${token}`,
    `x__Host-session=${newToken()}; __Host-session=${token}`,
  ])("finds the token in %j", (header) => {
    expect(read(header)).toBe(token);
  });

  it.each([
    null,
    "",
    "theme=dark",
    "__Host-session",
    "__Host-session=",
    `__host-session=${token}`,
    `session=${token}`,
    `__Host-session=${token}x`,
    `__Host-session=${token.slice(1)}`,
    `__Host-session="${token}"`,
    `__Host-session=${token}%20`,
    `__Host-session=${encodeURIComponent(`${token}=`)}`,
    `__Host-session =${token}`,
    `theme=__Host-session=${token}`,
  ])("finds no token in %j", (header) => {
    expect(read(header)).toBeNull();
  });

  it.each([
    ["two different ones", `__Host-session=${newToken()}; __Host-session=${token}`],
    ["the same one twice", `__Host-session=${token}; __Host-session=${token}`],
    ["a malformed one before", `__Host-session=; __Host-session=${token}`],
    ["a malformed one after", `__Host-session=${token}; __Host-session=x`],
  ])("finds no token if the name occurs twice: %s", (_, header) => {
    expect(read(header)).toBeNull();
  });
});
