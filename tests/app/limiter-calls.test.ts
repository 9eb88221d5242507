import { describe, expect, it } from "vitest";
import { callsIn } from "@/tests/support/limiter-calls";

const limits = 'import { consume, consumeMail } from "@/lib/rate-limits";';
const call = "async function save() { await consume(db, 'x').catch(redirectIfUnreachable); }";

const idsIn = (file: string, text: string) => callsIn(file, text).map(({ id }) => id);

describe("callsIn", () => {
  it("names each call by the function that makes it", () => {
    const text = `${limits} export ${call} function a() { consumeMail(); return () => consumeMail(); }`;
    expect(idsIn("f.ts", text)).toEqual(["save f.ts", "a f.ts", "a f.ts #2"]);
  });

  it("finds a call by another local name or import path", () => {
    const text = "import { consume as t } from '../rate-limits'; function a() { t(); }";
    expect(idsIn("f.ts", text)).toEqual(["a f.ts"]);
    const logIn =
      "import { consumeLogIn } from '@/lib/auth/login/limits'; function a() { consumeLogIn(); }";
    expect(idsIn("f.ts", logIn)).toEqual(["a f.ts"]);
    const sibling = "import { consumeLogIn } from './limits'; function a() { consumeLogIn(); }";
    expect(idsIn("lib/auth/login/f.ts", sibling)).toEqual(["a lib/auth/login/f.ts"]);
    const link =
      "import { readLinkForm } from '../../read-link-form'; function a() { readLinkForm(); }";
    expect(idsIn("f.ts", link)).toEqual(["a f.ts"]);
  });

  it("ignores other functions of the same name", () => {
    expect(idsIn("f.ts", call)).toEqual([]);
    expect(idsIn("f.ts", `${limits} list.consume(1); f({ consume: 1 });`)).toEqual([]);
    expect(
      callsIn("f.ts", 'import { type RateLimitResult, network } from "@/lib/rate-limits";'),
    ).toEqual([]);
  });

  it("names the limit of a call that counts the acting user, and of no other call", () => {
    const limitsOf = (args: string) =>
      callsIn("f.ts", `${limits} consume(${args});`).map(({ limitPerUser }) => limitPerUser);
    for (const user of ["session.userId", "scope.session.userId"])
      expect(limitsOf(`db, "endPerUser", ${user}`)).toEqual(["endPerUser"]);
    for (const args of [
      'db, "x", network(ip)',
      "db, name, session.userId",
      'db, "x", session.userId, ip',
    ])
      expect(limitsOf(args)).toEqual([undefined]);
  });

  it.each([
    ["a namespace", 'import * as limits from "@/lib/rate-limits";'],
    ["an export", 'export { consume } from "@/lib/rate-limits";'],
    ["another variable", `${limits} const t = consume;`],
    ["an argument", `${limits} retry(consume);`],
    ["a shorthand", `${limits} f({ consume });`],
  ])("refuses %s, where a call could hide", (_, text) => {
    expect(() => idsIn("f.ts", text)).toThrow("call the limiter by its name");
  });
});
