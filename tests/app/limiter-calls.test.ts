import { describe, expect, it } from "vitest";
import { callsIn } from "@/tests/support/limiter-calls";

const limits = 'import { take, takeMail } from "@/lib/rate-limits";';
const call = "async function save() { await take(db, 'x').catch(unavailable); }";

describe("callsIn", () => {
  it("finds each call, by the function that makes it", () => {
    const text = `${limits} export ${call} function a() { takeMail(); return () => takeMail(); }`;
    expect(callsIn("f.ts", text)).toEqual(["save f.ts", "a f.ts", "a f.ts #2"]);
  });

  it("finds a call under another name, and by another path", () => {
    const text = "import { take as t } from '../limits'; function a() { t(); }";
    expect(callsIn("f.ts", text)).toEqual(["a f.ts"]);
    const logIn = "import { takeLogIn } from './login-limits'; function a() { takeLogIn(); }";
    expect(callsIn("f.ts", logIn)).toEqual(["a f.ts"]);
  });

  it("passes over what has the same name and is not the limiter's", () => {
    expect(callsIn("f.ts", call)).toEqual([]);
    expect(callsIn("f.ts", `${limits} list.take(1); f({ take: 1 });`)).toEqual([]);
    expect(callsIn("f.ts", 'import { type Taken, network } from "@/lib/rate-limits";')).toEqual([]);
  });

  it.each([
    ["a namespace", 'import * as limits from "@/lib/rate-limits";'],
    ["an export", 'export { take } from "@/lib/rate-limits";'],
    ["another variable", `${limits} const t = take;`],
    ["an argument", `${limits} retry(take);`],
    ["a shorthand", `${limits} f({ take });`],
  ])("refuses %s, where a call could hide", (_, text) => {
    expect(() => callsIn("f.ts", text)).toThrow("call the limiter by its name");
  });
});
