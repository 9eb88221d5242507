import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { childEnv } from "@/lib/env";

/*
 * `npm ci` refuses a lock file that does not match package.json, and `npm install` rewrites an
 * incomplete one. The test runs npm on a copy, with an empty cache and without the network: a
 * complete lock file contains everything that npm needs.
 */

type Package = {
  resolved?: string;
  integrity?: string;
  /** Whether it is bundled in the archive of the package around it. */
  inBundle?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};

const text = await readFile("package-lock.json", "utf8");
const { packages }: { packages: Record<string, Package> } = JSON.parse(text);
const installed = Object.entries(packages).filter(([place]) => place !== "");

describe("package-lock.json", () => {
  it("holds no download URL, so that each machine uses its own registry", () => {
    expect(installed.filter(([, { resolved }]) => resolved)).toEqual([]);
  });

  it("holds the hash of every package", () => {
    const unhashed = installed.filter(([, { integrity, inBundle }]) => !integrity && !inBundle);
    expect(unhashed).toEqual([]);
  });

  it("holds every package that another one names, those of other platforms too", () => {
    const missing = installed.flatMap(([place, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => !isFound(name, place))
        .map((name) => `${name}, which ${place} names`),
    );
    expect(missing).toEqual([]);
  });
});

/** Resolves a package as Node does: beside the package that names it, or in an enclosing folder. */
function isFound(name: string, place: string): boolean {
  if (`${place}/node_modules/${name}` in packages) return true;
  const outer = place.lastIndexOf("/node_modules/");
  return outer < 0 ? `node_modules/${name}` in packages : isFound(name, place.slice(0, outer));
}

describe("npm", () => {
  let copy: string;
  beforeAll(async () => {
    copy = await mkdtemp(path.join(os.tmpdir(), "latchkey-lock-"));
    for (const file of ["package.json", "package-lock.json"]) await cp(file, path.join(copy, file));
  });
  afterAll(() => rm(copy, { recursive: true }));

  const npm = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(
      "npm",
      [...args, "--offline", "--ignore-scripts", "--cache", path.join(copy, "cache")],
      { cwd: copy, env: childEnv(), shell: process.platform === "win32" },
    );
    return stdout.trim();
  };
  const read = (file: string, directory = copy) => readFile(path.join(directory, file), "utf8");

  it("ci accepts it", async () => {
    expect(await npm("ci", "--dry-run")).toMatch(/added \d+ packages/);
  });

  it("install leaves it and package.json as they are", async () => {
    await npm("install", "--package-lock-only");
    expect(await read("package.json")).toBe(await read("package.json", "."));
    const major = Number.parseInt(await npm("--version"), 10);
    // npm 10 reads which C library a package is for, but does not write it.
    const withoutLibc = (lock: string) => lock.replace(/ +"libc": \[[^\]]*\],\n/g, "");
    const written = await read("package-lock.json");
    if (major > 10) expect(written).toBe(text);
    else expect(written).toBe(withoutLibc(text));
  });
});
