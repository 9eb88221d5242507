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
import { childEnv } from "@/lib/env";
import { programs } from "./processes";

/*
 * Follows a README's "Removing it" in a copy of the checkout, so that a test can check what is
 * left. The README's code blocks mean:
 *
 *   text          files and folders to delete, one per line
 *   sh            a `grep -rlE '<pattern>'` that finds tests to delete
 *   diff          edits of files, each after its `--- <file>`; `…` stands for all between two
 *                 lines, and `@@` separates two edits of one file
 *   tsx <file>    the new content of a file
 *   sql           statements for the generated migration; the README says where, and the test
 *                 inserts them
 */

export type Copy = {
  /** The copy's path. */
  directory: string;
  /** Runs a program in the copy. Returns its output if it fails, else an empty string. */
  run(script: string, ...args: string[]): Promise<string>;
  /** The README's statements for the generated migration. */
  statements: string;
  delete(): void;
};

/** Makes a copy and follows the lists of these READMEs in it, one after the other. */
export function removeFromCopy(name: string, ...readmes: string[]): Copy {
  // Below the checkout, so that packages are found; ignored by git and the linter.
  const directory = path.resolve(".data", name);
  copyCheckout(directory);
  const lists = readmes.map((readme) => ({ readme, removal: readRemoval(readme) }));
  for (const { readme, removal } of lists) carryOut(readme, removal, directory);
  return {
    directory,
    run: (script, ...args) => runIn(directory, script, args),
    statements: block(lists.at(-1)?.removal ?? "", "sql") ?? "",
    delete: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function readRemoval(readme: string): string {
  const [, removal = ""] = readFileSync(readme, "utf8").split("## Removing it\n");
  return removal;
}

function carryOut(readme: string, removal: string, directory: string): void {
  for (const file of block(removal, "text")?.split("\n") ?? []) {
    if (!existsSync(path.join(directory, file)))
      throw new Error(`${readme} deletes ${file}, which is not there.`);
    rmSync(path.join(directory, file), { recursive: true });
  }
  const command = block(removal, "sh");
  if (command) for (const file of testsFound(command, directory)) rmSync(file);
  for (const section of block(removal, "diff")?.split(/^--- /m).filter(Boolean) ?? []) {
    const [file = "", ...lines] = section.trimEnd().split("\n");
    const target = path.join(directory, file);
    const edits = lines.join("\n").split("\n@@\n");
    const where = `${readme}, ${file}`;
    const edited = edits.reduce(
      (text, edit) => takeOut(text, edit, where),
      readFileSync(target, "utf8"),
    );
    writeFileSync(target, edited);
  }
  for (const [, file = "", text = ""] of removal.matchAll(/```tsx (.+)\n([\s\S]*?)```/g))
    writeFileSync(path.join(directory, file), text);
}

/** Copies the checkout, except what belongs to this machine: packages, builds, data, variables. */
export function copyCheckout(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(".")) {
    // Without a lock file here, Next takes the checkout for the root, where the packages are.
    if (
      /^(\.git|\.next|\.data|node_modules|package-lock\.json|tsconfig\.tsbuildinfo|\.env(?!\.example).*)$/.test(
        name,
      )
    )
      continue;
    cpSync(name, path.join(directory, name), { recursive: true });
  }
}

function block(text: string, kind: string): string | undefined {
  return new RegExp(`\`\`\`${kind}\n([\\s\\S]*?)\n\`\`\``).exec(text)?.[1];
}

function testsFound(command: string, directory: string): string[] {
  const [, pattern = ""] = /grep -rlE '([^']+)'/.exec(command) ?? [];
  const found = readdirSync(path.join(directory, "tests"), { recursive: true, encoding: "utf8" })
    .map((file) => path.join(directory, "tests", file))
    .filter((file) => /\.(test|spec)\.ts$/.test(file))
    .filter((file) => new RegExp(pattern).test(readFileSync(file, "utf8")));
  if (found.length < 3) throw new Error("The README's grep finds no tests.");
  return found;
}

/** Applies one edit. Its lines must occur in this order and exactly once. */
function takeOut(text: string, edit: string, where: string): string {
  const lines = edit.split("\n");
  const added = lines.filter((line) => line.startsWith("+")).map((line) => `${line.slice(1)}\n`);
  const pattern = lines
    .filter((line) => !line.startsWith("+"))
    .map((line) => (line === "…" ? "[\\s\\S]*?" : `^${escaped(line.slice(1))}\n`))
    .join("");
  const found = [...text.matchAll(new RegExp(pattern, "gm"))];
  if (found.length !== 1)
    throw new Error(
      `${where}: these lines are there ${found.length} times, not once. Correct the list, or delete its test if your product keeps what it takes out:\n${edit}`,
    );
  return text.replace(found[0]?.[0] ?? "", () => added.join(""));
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

async function runIn(directory: string, script: string, args: string[]): Promise<string> {
  const env = childEnv({ NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" });
  for (const name of Object.keys(env)) if (name.startsWith("VITEST")) delete env[name];
  const options = { cwd: directory, env, maxBuffer: 1e8 };
  return promisify(execFile)(process.execPath, [path.resolve(script), ...args], options).then(
    () => "",
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );
}

/**
 * Generates the migration to the copy's schema. `edit` makes the changes that the README asks for
 * by hand. Returns the names of the tables that the migration drops.
 */
export async function generateMigration(
  copy: Copy,
  edit = (migration: string): string => migration,
): Promise<string[]> {
  const error = await copy.run("node_modules/drizzle-kit/bin.cjs", "generate");
  if (error) throw new Error(error);
  const folder = path.join(copy.directory, "drizzle");
  const files = readdirSync(folder).filter((file) => file.endsWith(".sql"));
  const file = path.join(folder, `${files.sort().at(-1)}`);
  const migration = readFileSync(file, "utf8");
  writeFileSync(file, edit(migration));
  return [...migration.matchAll(/^DROP TABLE "(\w+)"/gm)].map(([, table = ""]) => table).sort();
}

/**
 * Type-checks the copy with its generated page and route types: the part of a build that a
 * removal can break.
 */
export async function typeErrors(copy: Copy): Promise<string> {
  return (
    (await copy.run(programs.next, "typegen")) ||
    (await copy.run("node_modules/typescript/bin/tsc", "--noEmit"))
  );
}

/** Returns the linter's complaints after it has formatted the copy. */
export async function lintErrors(copy: Copy): Promise<string> {
  const biome = "node_modules/@biomejs/biome/bin/biome";
  const args = ["--vcs-enabled=false", "--error-on-warnings", "app", "lib", "tests"];
  await copy.run(biome, "check", "--write", ...args);
  return copy.run(biome, "check", ...args);
}

/**
 * Runs test files of the copy, given as paths below `tests` without the extension. Returns their
 * output on failure.
 */
export function testErrors(copy: Copy, ...files: string[]): Promise<string> {
  return copy.run(programs.vitest, "run", ...files.map((file) => `tests/${file}.test.ts`));
}
