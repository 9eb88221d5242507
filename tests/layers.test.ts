import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "@typescript/typescript6";
import { describe, expect, it } from "vitest";

/*
 * Which file may import which. A file imports from its own room and from the rooms before it in
 * `rooms`, never from a later one, and never in a cycle. `app` comes after lib, and may import from
 * all rooms but the last two.
 */

const rooms: [room: string, files: RegExp][] = [
  [
    "pure",
    /^lib\/(product|time|env|fields|form|http|actor|plain-name|user-agent|action-body|incoming|request-log|response-headers|static-pages|theme|provider-ids)$/,
  ],
  ["db", /^lib\/db\//],
  ["records", /^lib\/(audit|rate-limits|jobs)$|^lib\/mail\//],
  ["auth", /^lib\/auth\/[\w-]+$/],
  ["auth/sessions", /^lib\/auth\/sessions\//],
  ["auth/credentials", /^lib\/auth\/credentials\//],
  ["auth/mails", /^lib\/auth\/mails\//],
  ["auth/login", /^lib\/auth\/login\//],
  ["auth/tokens", /^lib\/auth\/tokens\//],
  ["auth/account", /^lib\/auth\/account\//],
  ["admin", /^lib\/admin\//],
  ["billing", /^lib\/billing\//],
  ["teams", /^lib\/teams\//],
  // A product's own rooms: any other folder.
  ["product", /^lib\/(?!(db|mail|auth|admin|billing|teams|api|web|dev|commands)\/)[\w-]+\//],
  ["api", /^lib\/api\//],
  ["web", /^lib\/web\//],
  ["dev", /^lib\/dev\//],
  ["top", /^lib\/(boot|shutdown|telemetry|worker|clean-up|recurring-jobs)$|^lib\/commands\//],
];

/** The only imports of the room "top" from outside it. */
const starts = new Set(["instrumentation lib/boot", "app/api/jobs/route lib/worker"]);

const roomOf = (file: string) => rooms.findIndex(([, files]) => files.test(file));
const isIn = (room: string, file: string) => rooms[roomOf(file)]?.[0] === room;
const isLib = (file: string) => file.startsWith("lib/");
const isUi = (file: string) => file.startsWith("app/_ui/");
const isApp = (file: string) => file.startsWith("app/");
const isTest = (file: string) => file.startsWith("tests/");
const isOurs = (file: string) => isLib(file) || isApp(file) || isTest(file);
const isFramework = (name: string) => /^(next|react|react-dom|server-only)(\/|$)/.test(name);

/** Returns why this import is forbidden, or undefined. Our files are paths without extension. */
function objection(from: string, to: string): string | undefined {
  if (isTest(from)) return undefined;
  if (isTest(to) && !isIn("top", from) && (isLib(from) || isApp(from)))
    return "the product does not import tests";
  if (/^drizzle-orm(\/|$)/.test(to) && !isLib(from)) return "SQL is written in lib";
  if (isApp(to) && !isApp(from)) return "only app imports app";
  if (isIn("top", to) && !isIn("top", from) && !starts.has(`${from} ${to}`))
    return "only its own room imports what starts things";
  if (isIn("dev", to) && !isIn("dev", from) && !isIn("top", from))
    return "the product imports nothing from lib/dev";
  if (isLib(from)) return objectionInLib(from, to);
  if (isUi(from) && isOurs(to) && !isIn("pure", to) && !isUi(to))
    return "app/_ui imports only pure files";
  if (isApp(from) && isApp(to) && !isUi(to) && !isAround(to, from))
    return "a route does not import another route's files";
  return undefined;
}

function objectionInLib(from: string, to: string): string | undefined {
  if (isFramework(to) && !isIn("web", from)) return "in lib, only the room web imports Next";
  if (!isLib(to)) return undefined;
  if (roomOf(from) < 0) return "it is in no room: give it one in tests/layers.test.ts";
  if (roomOf(to) > roomOf(from))
    return `${rooms[roomOf(to)]?.[0]} is a room below ${rooms[roomOf(from)]?.[0]}`;
  return undefined;
}

/** Whether `to` is in the same or an enclosing folder. A route's private folders belong to it. */
function isAround(to: string, from: string): boolean {
  const folder = path.dirname(to).replace(/\/_.*$/, "");
  return `${path.dirname(from)}/`.startsWith(`${folder}/`);
}

/** Returns the files along the first cycle found, or undefined. */
function circle(imports: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>();
  const walk = (file: string, visited: string[]): string[] | undefined => {
    if (visited.includes(file)) return [...visited.slice(visited.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const next of imports.get(file) ?? []) {
      const found = walk(next, [...visited, file]);
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
  /** The path from the root, without extension. */
  file: string;
  imports: string[];
  /** The modules that it re-exports from. */
  reexports: string[];
  /** Every identifier in the file. */
  names: Set<string>;
  readsEnvironment: boolean;
};

/** Parses a file's text as TypeScript, so that comments and strings are not mistaken for code. */
function parse(name: string, text: string): Module {
  const file = name.replace(/\.\w+$/, "");
  const module: Module = {
    ...{ file, imports: [], reexports: [], names: new Set(), readsEnvironment: false },
  };
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier) module.imports.push(resolve(file, specifier));
    if (specifier && ts.isExportDeclaration(node)) module.reexports.push(resolve(file, specifier));
    if (isEnvironment(node)) module.readsEnvironment = true;
    if (ts.isIdentifier(node)) module.names.add(node.text);
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

/** Whether a node is `process.env`, `process["env"]`, `{ env } = process` or imports `process`. */
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
    expect(modules.some(({ file }) => isApp(file))).toBe(true);
  });

  it("is in a room, if it is in lib", () => {
    const inLib = modules.map(({ file }) => file).filter(isLib);
    expect(inLib.length).toBeGreaterThan(50);
    expect(inLib.filter((file) => roomOf(file) < 0)).toEqual([]);
  });

  it("stands in no circle of imports, not even of types", () => {
    expect(circle(new Map(modules.map(({ file, imports }) => [file, imports])))).toBeUndefined();
  });

  it("makes a session only in a login or a sign-up", () => {
    const callers = modules.filter(
      ({ file, imports }) => isLib(file) && imports.includes("lib/auth/sessions/create"),
    );
    const allowed = [
      ...["lib/auth/account/sign-up", "lib/auth/login/log-in", "lib/auth/tokens/log-in"],
    ];
    expect(callers.map(({ file }) => file).filter((file) => !allowed.includes(file))).toEqual([]);
    const inApp = modules.filter(({ file }) => isApp(file));
    expect(inApp.filter(({ imports }) => imports.includes("lib/auth/sessions/create"))).toEqual([]);
  });

  it("makes the scope of a team only in a guard", () => {
    const makers = ["createTeamScope", "createMemberScope"];
    const allowed = ["lib/teams/scope", "lib/web/team", "lib/web/team-bearer"];
    const users = modules
      .filter(({ file, names }) => !isTest(file) && makers.some((maker) => names.has(maker)))
      .map(({ file }) => file);
    expect(users).toEqual(expect.arrayContaining(allowed.slice(0, 2)));
    expect(users.filter((file) => !allowed.includes(file))).toEqual([]);
  });

  it("leaves the WebAuthn library and the OpenID client to one file each", () => {
    const users = (library: string) =>
      modules
        .filter(({ file, imports }) => !isTest(file) && imports.includes(library))
        .map(({ file }) => file);
    expect(users("@simplewebauthn/server")).toEqual(["lib/auth/credentials/webauthn"]);
    expect(users("openid-client")).toEqual(["lib/auth/credentials/providers"]);
  });

  it("re-exports nothing of another file", () => {
    expect(modules.filter(({ reexports }) => reexports.some(isOurs))).toEqual([]);
  });

  it("is named after what it holds", () => {
    const catchAll = /(^|\/)(index|utils?|helpers?|misc|common|shared|types)$/;
    expect(modules.map(({ file }) => file).filter((file) => catchAll.test(file))).toEqual([]);
  });

  it("reads the environment only in lib/env.ts, except for two constants that Next replaces", () => {
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

  it("is marked server-only where it imports Next", () => {
    const web = modules.filter(
      ({ file, imports }) => isIn("web", file) && imports.some((name) => /^next\//.test(name)),
    );
    expect(web.filter(({ imports }) => !imports.includes("server-only"))).toEqual([]);
    expect(web.length).toBeGreaterThan(0);
  });
});

describe("objection", () => {
  it.each([
    ["lib/http", "lib/db/client"],
    ["lib/db/client", "lib/audit"],
    ["lib/audit", "lib/auth/policy"],
    ["lib/mail/send", "lib/auth/account/profile"],
    ["lib/auth/policy", "lib/auth/sessions/lookup"],
    ["lib/auth/sessions/lookup", "lib/auth/login/log-in"],
    ["lib/auth/login/log-in", "lib/auth/account/profile"],
    ["lib/auth/account/profile", "lib/admin/users"],
    ["lib/auth/sessions/lookup", "next/headers"],
    ["lib/auth/sessions/lookup", "react"],
    ["lib/admin/users", "lib/web/session"],
    ["lib/auth/sessions/lookup", "lib/invoices/invoices"],
    ["lib/invoices/invoices", "lib/web/session"],
    ["lib/boot", "next/headers"],
    ["lib/auth/sessions/lookup", "app/_ui/form"],
    ["lib/auth/login/log-in", "lib/commands/dev"],
    ["lib/db/client", "lib/boot"],
    ["lib/db/client", "lib/dev/seed"],
    ["app/layout", "lib/dev/secrets"],
    ["proxy", "lib/boot"],
    ["app/api/health/route", "lib/worker"],
    ["app/api/jobs/route", "lib/boot"],
    ["lib/unheard-of", "lib/time"],
    ["app/layout", "lib/commands/terminal"],
    ["app/_ui/header", "lib/web/session"],
    ["app/(auth)/login/page", "app/(auth)/signup/actions"],
    ["app/(app)/settings/page", "app/(app)/settings/devices/actions"],
    ["app/(app)/admin/page", "app/(app)/settings/_parts/row"],
    ["app/api/health/route", "drizzle-orm"],
    ["proxy", "drizzle-orm/pg-core"],
    ["lib/auth/sessions/lookup", "tests/support/users"],
    ["app/layout", "tests/support/users"],
  ])("refuses that %s imports %s", (from, to) => {
    expect(objection(from, to)).toBeDefined();
  });

  it.each([
    ["lib/http", "node:net"],
    ["lib/form", "lib/time"],
    ["lib/db/client", "lib/env"],
    ["lib/auth/sessions/lookup", "lib/audit"],
    ["lib/auth/sessions/lookup", "drizzle-orm"],
    ["lib/auth/account/export", "lib/auth/tokens/api-keys"],
    ["lib/web/session", "next/headers"],
    ["lib/invoices/invoices", "lib/auth/sessions/lookup"],
    ["app/(app)/invoices/page", "lib/invoices/invoices"],
    ["lib/web/bearer", "lib/api/problems"],
    ["lib/commands/dev", "lib/commands/terminal"],
    ["lib/commands/dev", "lib/dev/secrets"],
    ["instrumentation", "lib/boot"],
    ["lib/boot", "lib/worker"],
    ["lib/worker", "lib/auth/mails/jobs"],
    ["app/api/jobs/route", "lib/worker"],
    ["proxy", "lib/http"],
    ["app/(auth)/login/page", "app/(auth)/login/actions"],
    ["app/(auth)/login/page", "app/_ui/form"],
    ["app/(app)/settings/devices/page", "app/(app)/settings/_parts/row"],
    ["app/(app)/dashboard/page", "lib/web/session"],
    ["app/_ui/form", "lib/form"],
    ["tests/app/robots.test", "app/robots"],
    ["drizzle.config", "drizzle-kit"],
  ])("lets %s import %s", (from, to) => {
    expect(objection(from, to)).toBeUndefined();
  });
});

describe("circle", () => {
  it("finds a circle of any length, and reports none without one", () => {
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
