import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

/*
 * Who may import whom. Each layer imports those before it: the pure files of lib (see isPure) ·
 * lib/db · the domain · lib/auth/current.ts, the only one that knows Next · app. Above them, and
 * imported by nobody, stands what starts things: lib/boot.ts, lib/worker.ts, lib/commands. The one
 * route that starts the worker may know it.
 */

const isPure = (file: string) =>
  /^lib\/(env|time|fields|form|http|plain-name|device|action-body|response-headers)$/.test(file);
const isDatabase = (file: string) => file.startsWith("lib/db/");
const isTop = (file: string) => /^lib\/(boot$|worker$|commands\/)/.test(file);
/** Where each thing at the top is started from, besides the top itself. */
const starts = new Set(["instrumentation lib/boot", "app/api/jobs/route lib/worker"]);
const isSeam = (file: string) => file === "lib/auth/current";
const isAuth = (file: string) => file.startsWith("lib/auth/") && !isSeam(file);
const isLib = (file: string) => file.startsWith("lib/");
const isUi = (file: string) => file.startsWith("app/_ui/");
const isApp = (file: string) => file.startsWith("app/");
const isProduct = (file: string) =>
  isApp(file) || (isLib(file) && !file.startsWith("lib/commands/"));
const isTest = (file: string) => file.startsWith("tests/");
const isOurs = (file: string) => isLib(file) || isApp(file) || isTest(file);
const isFramework = (name: string) => /^(next|react|react-dom|server-only)(\/|$)/.test(name);

/** Why this import is not allowed, or undefined. Our files are named from the root, without ending. */
function objection(from: string, to: string): string | undefined {
  if (isTest(to) && isProduct(from)) return "the product does not import tests";
  if (/^drizzle-orm(\/|$)/.test(to) && !isLib(from) && !isTest(from))
    return "SQL is written in lib";
  if (isTest(from)) return undefined;
  if (isApp(to) && !isApp(from)) return "nothing imports app";
  if (isTop(to) && !isTop(from) && !starts.has(`${from} ${to}`))
    return "what starts things is imported by nobody";
  if (isLib(from)) return objectionInLib(from, to);
  if (isUi(from) && isOurs(to) && !isPure(to) && !isUi(to)) return "app/_ui knows pure files alone";
  if (isApp(from) && isApp(to) && !isUi(to) && !isAround(to, from))
    return "a route does not import another route's files";
  return undefined;
}

function objectionInLib(from: string, to: string): string | undefined {
  if (isFramework(to) && !isSeam(from)) return "of lib, current.ts alone knows Next";
  if (isSeam(to)) return "nothing in lib imports current.ts";
  if (!isOurs(to)) return undefined;
  if (isPure(from) && !/^lib\/(time|plain-name)$/.test(to))
    return "pure files import nothing of ours but time and plain-name";
  if (isDatabase(from) && !isPure(to) && !isDatabase(to)) return "lib/db knows pure files alone";
  if (/^lib\/(audit|limits|jobs|mail\/.*)$/.test(from) && isAuth(to)) return "auth stands above it";
  return undefined;
}

/** In the same folder or in one around it; a route's own private folders belong to the route. */
function isAround(to: string, from: string): boolean {
  const folder = path.dirname(to).replace(/\/_.*$/, "");
  return `${path.dirname(from)}/`.startsWith(`${folder}/`);
}

/** The first circle found, as the files along it, or undefined. */
function circle(imports: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>();
  const walk = (file: string, trail: string[]): string[] | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of imports.get(file) ?? []) {
      const found = walk(next, [...trail, file]);
      if (found) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const found = walk(file, []);
    if (found) return found;
  }
  return undefined;
}

type Module = {
  /** From the root, without ending. */
  file: string;
  imports: string[];
  /** What it passes on of other files. */
  reexports: string[];
  readsEnvironment: boolean;
};

/** Reads a file's text as TypeScript does; comments and strings do not fool it. */
function parse(name: string, text: string): Module {
  const file = name.replace(/\.\w+$/, "");
  const module: Module = { file, imports: [], reexports: [], readsEnvironment: false };
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier) module.imports.push(resolve(file, specifier));
    if (specifier && ts.isExportDeclaration(node)) module.reexports.push(resolve(file, specifier));
    if (isEnvironment(node)) module.readsEnvironment = true;
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest));
  return module;
}

function specifierOf(node: ts.Node): string | undefined {
  const target =
    ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? node.arguments[0]
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : undefined;
  return target && ts.isStringLiteral(target) ? target.text : undefined;
}

/** `process.env`, `process["env"]`, `{ env } = process`, or the module that has it. */
function isEnvironment(node: ts.Node): boolean {
  const isProcess = (node?: ts.Node) => node && ts.isIdentifier(node) && node.text === "process";
  if (ts.isPropertyAccessExpression(node))
    return !!isProcess(node.expression) && node.name.text === "env";
  if (ts.isElementAccessExpression(node)) return !!isProcess(node.expression);
  if (ts.isVariableDeclaration(node)) return !!isProcess(node.initializer);
  return /^(node:)?process$/.test(specifierOf(node) ?? "");
}

function resolve(from: string, specifier: string): string {
  if (specifier.startsWith("@/")) return specifier.slice(2).replace(/\.(ts|tsx|mjs|js)$/, "");
  if (!specifier.startsWith(".")) return specifier;
  return path.posix.join(path.posix.dirname(from), specifier).replace(/\.(ts|tsx|mjs|js)$/, "");
}

function sourceFiles(folder = "."): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (/^(\.|node_modules$|public$)/.test(entry.name)) return [];
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(name);
    return /(?<!\.d)\.(ts|tsx|mts|mjs|js)$/.test(entry.name) ? [name] : [];
  });
}

const modules = sourceFiles().map((name) => parse(name, readFileSync(name, "utf8")));

describe("every file of this project", () => {
  it("imports nothing that its layer must not know", () => {
    const found = modules.flatMap(({ file, imports }) =>
      imports.flatMap((to) => {
        const why = objection(file, to);
        return why ? [`${file} imports ${to}: ${why}`] : [];
      }),
    );
    expect(found).toEqual([]);
    expect(
      modules.some(({ file }) => isApp(file)) && modules.some(({ file }) => isAuth(file)),
    ).toBe(true);
  });

  it("stands in no circle of imports, not even of types", () => {
    expect(circle(new Map(modules.map(({ file, imports }) => [file, imports])))).toBeUndefined();
  });

  it("passes nothing on that another file owns", () => {
    expect(modules.filter(({ reexports }) => reexports.some(isOurs))).toEqual([]);
  });

  it("is named after what it holds", () => {
    const nameless = /(^|\/)(index|utils?|helpers?|misc|common|shared|types)$/;
    expect(modules.map(({ file }) => file).filter((file) => nameless.test(file))).toEqual([]);
  });

  it("leaves the environment to lib/env.ts, but for two constants that Next replaces", () => {
    const readers = modules.filter(({ readsEnvironment }) => readsEnvironment);
    expect(readers.map(({ file }) => file).sort()).toEqual([
      ...["app/(auth)/login/page", "instrumentation", "lib/env", "lib/mail/send"],
    ]);
    for (const { file } of readers.filter(({ file }) => file !== "lib/env")) {
      const text = ["tsx", "ts"].map((ending) => `${file}.${ending}`).find(existsSync) ?? "";
      expect(readFileSync(text, "utf8").match(/process\.env\S*/g)).toEqual([
        expect.stringMatching(/^process\.env\.(NODE_ENV|NEXT_RUNTIME)$/),
      ]);
    }
  });

  it("is marked server-only where it touches the cookie", () => {
    const seam = modules.find(({ file }) => isSeam(file));
    expect(seam?.imports).toContain("server-only");
  });
});

describe("objection", () => {
  it.each([
    ["lib/http", "lib/env"],
    ["lib/plain-name", "lib/device"],
    ["lib/fields", "lib/db/client"],
    ["lib/db/client", "lib/auth/sessions"],
    ["lib/db/seed", "lib/audit"],
    ["lib/audit", "lib/auth/sessions"],
    ["lib/mail/send", "lib/auth/users"],
    ["lib/auth/sessions", "next/headers"],
    ["lib/auth/sessions", "react"],
    ["lib/auth/login", "lib/auth/current"],
    ["lib/boot", "lib/auth/current"],
    ["lib/auth/sessions", "app/_ui/form"],
    ["lib/auth/login", "lib/commands/dev"],
    ["lib/db/client", "lib/boot"],
    ["proxy", "lib/boot"],
    ["lib/jobs", "lib/auth/mails"],
    ["lib/limits", "lib/auth/policy"],
    ["lib/auth/login", "lib/worker"],
    ["app/api/health/route", "lib/worker"],
    ["app/api/jobs/route", "lib/boot"],
    ["lib/device", "lib/audit"],
    ["proxy", "app/theme"],
    ["app/layout", "lib/commands/terminal"],
    ["app/_ui/header", "lib/auth/current"],
    ["app/_ui/header", "app/theme"],
    ["app/(auth)/login/page", "app/(auth)/signup/actions"],
    ["app/(app)/settings/page", "app/(app)/settings/devices/actions"],
    ["app/(app)/admin/page", "app/(app)/settings/_parts/row"],
    ["app/api/health/route", "drizzle-orm"],
    ["proxy", "drizzle-orm/pg-core"],
    ["lib/auth/sessions", "tests/support/people"],
    ["app/layout", "tests/support/people"],
  ])("refuses that %s imports %s", (from, to) => {
    expect(objection(from, to)).toBeDefined();
  });

  it.each([
    ["lib/http", "node:net"],
    ["lib/form", "lib/time"],
    ["lib/device", "lib/plain-name"],
    ["lib/db/client", "lib/env"],
    ["lib/auth/sessions", "lib/audit"],
    ["lib/auth/sessions", "drizzle-orm"],
    ["lib/billing", "lib/auth/sessions"],
    ["lib/auth/current", "next/headers"],
    ["lib/commands/dev", "lib/commands/terminal"],
    ["lib/commands/test-e2e", "tests/support/browser"],
    ["instrumentation", "lib/boot"],
    ["lib/boot", "lib/worker"],
    ["lib/worker", "lib/auth/mails"],
    ["app/api/jobs/route", "lib/worker"],
    ["proxy", "lib/http"],
    ["app/(auth)/login/page", "app/(auth)/login/actions"],
    ["app/(auth)/login/page", "app/_ui/form"],
    ["app/(app)/settings/devices/page", "app/(app)/settings/_parts/row"],
    ["app/(app)/dashboard/page", "lib/auth/current"],
    ["app/_ui/form", "lib/form"],
    ["tests/app/robots.test", "app/robots"],
    ["drizzle.config", "drizzle-kit"],
  ])("lets %s import %s", (from, to) => {
    expect(objection(from, to)).toBeUndefined();
  });
});

describe("circle", () => {
  it("finds one, however long, and none where there is none", () => {
    const line: [string, string[]][] = [
      ["a", ["b"]],
      ["b", ["c"]],
      ["c", []],
    ];
    expect(circle(new Map(line))).toBeUndefined();
    expect(circle(new Map([...line, ["c", ["b"]]]))).toEqual(["b", "c", "b"]);
    expect(circle(new Map([["a", ["a"]]]))).toEqual(["a", "a"]);
  });
});

describe("parse", () => {
  it("finds every way to import, and is not fooled by text", () => {
    const { imports, reexports } = parse(
      "lib/auth/made-up.ts",
      `import { a } from "./a"; import type { B } from "@/lib/b"; import "../c.mjs";
       export { d } from "./d"; const e = await import("e"); type F = import("./f").F;
       // import { g } from "./g"
       const text = 'import { h } from "./h"';`,
    );
    expect(imports.sort()).toEqual(
      ["e", "lib/auth/a", "lib/auth/d", "lib/auth/f", "lib/b", "lib/c"].sort(),
    );
    expect(reexports).toEqual(["lib/auth/d"]);
  });

  it.each([
    "process.env.X",
    'process["env"].X',
    "const { env } = process",
    'import { env } from "node:process"',
  ])("sees the environment in %s", (text) => {
    expect(parse("lib/made-up.ts", text).readsEnvironment).toBe(true);
  });

  it.each(["// process.env", '"process.env"', "process.cwd()", "env().APP_URL"])(
    "does not see it in %s",
    (text) => {
      expect(parse("lib/made-up.ts", text).readsEnvironment).toBe(false);
    },
  );
});
