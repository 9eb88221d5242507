import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { childEnv } from "@/lib/env";
import { minutes } from "@/lib/time";
import { programs } from "@/tests/support/processes";

/*
 * Does what "Removing it" in app/api/README.md says, on a copy of the checkout, and sees that what is
 * left stands: types, lint, layers, guards and a unit test or two.
 */

const readme = readFileSync("app/api/README.md", "utf8");
const [, removal = ""] = readme.split("## Removing it\n");

/** Below the checkout, so that packages are found, and where git and the linter do not look. */
const copy = path.resolve(".data", "without-api");

beforeAll(() => {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const name of readdirSync(".")) {
    // Without the lock file, Next takes the checkout for the root, where the packages are.
    if (/^(\.git|\.next|\.data|node_modules|package-lock\.json|tsconfig\.tsbuildinfo)$/.test(name))
      continue;
    cpSync(name, path.join(copy, name), { recursive: true });
  }
  for (const file of block("text").split("\n")) {
    if (!existsSync(path.join(copy, file)))
      throw new Error(`The README deletes ${file}, which is not there.`);
    rmSync(path.join(copy, file), { recursive: true });
  }
  for (const file of testsOfIt()) rmSync(path.join(copy, file));
  for (const section of block("diff").split(/^--- /m).filter(Boolean)) {
    const [file = "", ...lines] = section.trimEnd().split("\n");
    const target = path.join(copy, file);
    const edited = lines.join("\n").split("\n@@\n").reduce(takeOut, readFileSync(target, "utf8"));
    writeFileSync(target, edited);
  }
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

function block(kind: string): string {
  const [, text] = new RegExp(`\`\`\`${kind}\n([\\s\\S]*?)\n\`\`\``).exec(removal) ?? [];
  if (!text) throw new Error(`"Removing it" has no ${kind} block.`);
  return text;
}

/** Those that the README's grep would find. */
function testsOfIt(): string[] {
  const [, pattern = ""] = /grep -rlE '([^']+)'/.exec(block("sh")) ?? [];
  const found = readdirSync(path.join(copy, "tests"), { recursive: true, encoding: "utf8" })
    .map((file) => path.join("tests", file))
    .filter((file) => /\.(test|spec)\.ts$/.test(file))
    .filter((file) => new RegExp(pattern).test(readFileSync(path.join(copy, file), "utf8")));
  if (found.length < 3) throw new Error("The README's grep finds no tests.");
  return found;
}

/** One edit: its lines must stand there, in this order, and only once. */
function takeOut(text: string, edit: string): string {
  const lines = edit.split("\n");
  const added = lines.filter((line) => line.startsWith("+")).map((line) => `${line.slice(1)}\n`);
  const pattern = lines
    .filter((line) => !line.startsWith("+"))
    .map((line) => (line === "…" ? "[\\s\\S]*?" : `^${escaped(line.slice(1))}\n`))
    .join("");
  const found = [...text.matchAll(new RegExp(pattern, "gm"))];
  if (found.length !== 1) throw new Error(`Found ${found.length} times, not once:\n${edit}`);
  return text.replace(found[0]?.[0] ?? "", () => added.join(""));
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Runs a program in the copy; what it printed, if it fails. */
async function succeeds(script: string, ...args: string[]): Promise<string> {
  const env = childEnv({ NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" });
  for (const name of Object.keys(env)) if (name.startsWith("VITEST")) delete env[name];
  const run = promisify(execFile)(process.execPath, [path.resolve(script), ...args], {
    ...{ cwd: copy, env, maxBuffer: 1e8 },
  });
  return run.then(
    () => "",
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );
}

const limit = minutes(10);

describe("without the API", () => {
  it("nothing is left that needs a bearer, a key or a JWT", async () => {
    const left = readdirSync(copy, { recursive: true, encoding: "utf8" })
      .filter((file) => /^(app|lib|proxy).*\.tsx?$/.test(file))
      .filter((file) =>
        /from "[^"]*\/(tokens\/|bearer"|api\/(openapi|operations|schemas))/.test(
          readFileSync(path.join(copy, file), "utf8"),
        ),
      );
    expect(left).toEqual([]);
  });

  // Of a build this is what the removal can break: imports, and the types of pages and routes.
  it("all types hold", { timeout: limit }, async () => {
    expect(await succeeds(programs.next, "typegen")).toBe("");
    expect(await succeeds("node_modules/typescript/bin/tsc", "--noEmit")).toBe("");
  });

  it("the linter has nothing to say, once it has formatted", { timeout: limit }, async () => {
    const biome = "node_modules/@biomejs/biome/bin/biome";
    const args = ["--vcs-enabled=false", "--error-on-warnings", "app", "lib", "tests"];
    await succeeds(biome, "check", "--write", ...args);
    expect(await succeeds(biome, "check", ...args)).toBe("");
  });

  it("layers, guards and the account stand", { timeout: limit }, async () => {
    const account = ["lib/auth/account/deletion", "lib/auth/account/export"];
    const files = ["layers", "app/guards", ...account, "lib/clean-up", "lib/env"];
    const args = files.map((file) => `tests/${file}.test.ts`);
    expect(await succeeds(programs.vitest, "run", ...args)).toBe("");
  });
});
