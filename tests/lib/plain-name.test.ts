import { describe, expect, it } from "vitest";
import { plainName } from "@/lib/plain-name";

describe("plainName", () => {
  it.each([
    "Backup",
    "Grace O'Brien-Walker",
    "Zoë Müller",
    "山田 太郎",
    "Deploy (2026-03)",
    "x".repeat(40),
    "🦊".repeat(40),
  ])("keeps %s", (name) => {
    expect(plainName(name)).toBe(name);
  });

  it.each([
    ["x".repeat(41), `${"x".repeat(39)}…`],
    ["🦊".repeat(41), `${"🦊".repeat(39)}…`],
    [
      "Your account was hacked, call us and tell us your password",
      "Your account was hacked, call us and te…",
    ],
    ["https://evil.example/login", ""],
    ["Click HTTPS://evil.example/x now", "Click now"],
    ["javascript://evil", ""],
    ["see www.evil.example/login", "see"],
    ["evil.example", "evil example"],
    ["login.evil.example/a.b", "login evil example/a b"],
    ["evil。example", "evil example"],
    ["evil．example", "evil example"],
    ["ｈｔｔｐｓ：／／evil.example", ""],
    ["ht\u200btps:/\u2060/evil.example", ""],
    ["evil\u00ad.\u200bexample", "evil example"],
    ["mailto:help@evil.example", "mailto help evil example"],
    ["192.0.2.7", "192 0 2 7"],
    ["a\u0000b\u0007c", "abc"],
    ["one\r\ntwo\tthree", "one two three"],
    ["one\u2028two\u2029three", "one two three"],
    ["abc\u202egpj.exe\u202c", "abcgpj exe"],
    ["\u2066x\u2069\ufeff\u{e0041}", "x"],
    ["\ud800", ""],
    ["x” was revoked. “", "x' was revoked. '"],
    ["  a   b  ", "a b"],
    ["", ""],
  ])("makes of %j %j", (typed, plain) => {
    expect(plainName(typed)).toBe(plain);
    expect(plainName(plain)).toBe(plain);
  });
});
