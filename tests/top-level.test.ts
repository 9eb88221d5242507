import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { product } from "@/lib/product";

/* Fixes the top level of the repository: each entry is listed here with its reason. */

const allowed: Record<string, string> = {
  app: "pages and routes, where Next looks for them",
  lib: "everything but pages",
  tests: "all tests",
  drizzle: "generated migrations",
  public: "files that are served as they are",
  ".ci": "what CI runs",
  ".github": "GitHub's workflows, and the screenshots of the README",
  "README.md": "the first page that a reader opens",
  "AGENTS.md": "what a user or a coding assistant must know to change the code",
  "DEPLOY.md": "how to deploy, watch, stop and restore it",
  "CONTRIBUTING.md": "how to contribute; GitHub links to it",
  "SECURITY.md": "how to report a hole, and what is promised; GitHub links to it",
  "CHANGELOG.md": "what has changed for a user or a cloner",
  LICENSE: "the licence",
  ".env.example": "every variable of the environment",
  ".gitignore": "what git leaves out",
  ".nvmrc": "the version of Node, for nvm",
  Dockerfile: "the image of a server, with its commands",
  "compose.yaml": "the image with a database and a mail catcher",
  ".dockerignore": "what the image is made without",
  "package.json": "npm's",
  "package-lock.json": "npm's",
  "tsconfig.json": "TypeScript's",
  "biome.json": "the linter's and formatter's",
  "next.config.ts": "Next's",
  "instrumentation.ts": "Next calls it when the server starts",
  "proxy.ts": "Next calls it for each request",
  "postcss.config.mjs": "Tailwind's",
  "drizzle.config.ts": "drizzle-kit's",
  "vitest.config.ts": "Vitest's",
  "playwright.config.ts": "Playwright's",
};

describe.skipIf(!existsSync(".git"))("the top level", () => {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard"];
  const files = execFileSync("git", args, { encoding: "utf8" }).trim().split("\n");
  const entries = new Set(files.filter(existsSync).map((file) => file.split("/")[0] ?? ""));

  it("has exactly the entries that are named here", () => {
    expect([...entries].sort()).toEqual(Object.keys(allowed).sort());
  });
});

describe("public/.well-known/security.txt", () => {
  it("has the fields of RFC 9116: a contact and one date of expiry", async () => {
    const text = await readFile("public/.well-known/security.txt", "utf8");
    const fields = text.split("\n").filter((line) => line && !line.startsWith("#"));
    for (const field of fields) expect(field).toMatch(/^(Contact|Expires|Preferred-Languages): \S/);
    expect(fields.filter((field) => /^Contact: (mailto:|https:)/.test(field))).toHaveLength(1);
    const [expires, ...more] = fields.filter((field) => field.startsWith("Expires: "));
    expect(more).toEqual([]);
    expect(expires).toMatch(/^Expires: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });
});

describe("SECURITY.md", () => {
  it("names the contact of security.txt, and the email of the support", async () => {
    const text = await readFile("SECURITY.md", "utf8");
    const contacts = await readFile("public/.well-known/security.txt", "utf8");
    const [, contact] = /^Contact: (?:mailto:)?(\S+)$/m.exec(contacts) ?? [];
    expect(text).toContain(`${contact}`);
    expect(text).toContain(product.supportEmail);
  });
});
