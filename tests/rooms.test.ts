import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { comments, files, isSource } from "@/tests/support/sources";

/*
 * Checks what comments and READMEs say about files: each README of lib lists every file of its room
 * (so that a new file needs a sentence there), and every file that a comment or a document names
 * exists. tests/layers.test.ts checks which room may import which.
 */

const everything = files();
const documents = everything.filter((file) => file.endsWith(".md"));
const sources = everything.filter(isSource);

/**
 * Names that Next and this project give to one file per folder: without a path, such a name means
 * all of them.
 */
const kinds = /^(page|layout|route|actions|error|not-found|page\.dev|route\.dev)\.tsx?$/;

/** Paths without a file that a README or a comment may name, with the reason. */
const absent: Record<string, string> = {
  "verifier.mjs": "a test writes it",
  "lib/auth/made-up.ts": "an example in a test",
  "limiter-calls-api.spec.ts":
    "lines that lib/projects/README.md and lib/teams/README.md take out name it from another folder",
};

/** The noun of the product that README.md imagines. */
const imagined = /\bbookmarks\b/;

type Reference = { from: string; line: number; to: string };

/**
 * Returns the file names in a text, except in a URL, in a link's label, with a wildcard, or of
 * an extension alone.
 */
function references(from: string, text: string, firstLine = 1): Reference[] {
  const name =
    /(?<![\w./@-])(?:\([\w-]+\)|\[[\w.-]+\]|[\w./@<>‹›*-])+\.(?:tsx?|mjs|md)(?![\w*-]|\.\w)/g;
  return text.split("\n").flatMap((line, index) =>
    [...line.replaceAll(/https?:\/\/\S+|\[[^\]]*\](?=\()/g, "").matchAll(name)]
      .map(([to]) => to.replace(/^<(?!\w+>)/, "").replace(/^@\//, ""))
      .filter((to) => !/[<>‹›*]/.test(to) && !/^\.\w/.test(to))
      .map((to) => ({ from, line: firstLine + index, to })),
  );
}

/** Whether the file exists, relative to the root or to the folder of the file that names it. */
function exists({ from, to }: { from: string; to: string }): boolean {
  if (kinds.test(to) || to in absent || imagined.test(to)) return true;
  return existsSync(to) || existsSync(beside(from, to));
}

const beside = (from: string, to: string) => path.posix.join(path.posix.dirname(from), to);

const missing = (found: Reference[]) =>
  found
    .filter((reference) => !exists(reference))
    .map(({ from, line, to }) => `${from}:${line} names ${to}`);

/** Returns the README that must list a file: the nearest one above it. */
function readmeOf(file: string): string {
  let folder = path.posix.dirname(file);
  while (!existsSync(`${folder}/README.md`)) folder = path.posix.dirname(folder);
  return `${folder}/README.md`;
}

/**
 * Whether a file is in a room without a README: only a product's own rooms may lack one.
 * lib/README.md links to the READMEs of the others.
 */
const isProducts = (file: string) =>
  readmeOf(file) === "lib/README.md" && path.posix.dirname(file) !== "lib";

/** Whether a README names a file in backticks, relative to itself. `<table>` matches any name. */
function lists(readme: string, file: string): boolean {
  const inside = path.posix.relative(path.posix.dirname(readme), file);
  return [...readFileSync(readme, "utf8").matchAll(/`([^`\s]+)`/g)].some(([, name = ""]) => {
    const pattern = name.replaceAll(/[.()[\]]/g, "\\$&").replaceAll(/<\w+>/g, "[\\w-]+");
    return /\.\w+$/.test(name) && new RegExp(`^${pattern}$`).test(inside);
  });
}

describe("lib", () => {
  it("has each of its files in the README of its room", () => {
    const unlisted = everything
      .filter((file) => file.startsWith("lib/") && !file.endsWith(".md"))
      .filter((file) => !isProducts(file) && !lists(readmeOf(file), file))
      .map((file) => `${readmeOf(file)} has no sentence about ${file}`);
    expect(unlisted).toEqual([]);
  });
});

describe("every file that is named", () => {
  it("exists, if a comment names it", () => {
    const found = sources.flatMap((file) =>
      comments(file, readFileSync(file, "utf8")).flatMap(({ text, line }) =>
        references(file, text, line),
      ),
    );
    expect(found.length).toBeGreaterThan(20);
    expect(missing(found)).toEqual([]);
  });

  it("exists, if a document names it", () => {
    const found = documents.flatMap((file) => references(file, readFileSync(file, "utf8")));
    expect(found.length).toBeGreaterThan(100);
    expect(missing(found)).toEqual([]);
  });

  it("exists, if a document links to it, with the heading", () => {
    const link = /\]\((?:<([^>]+)>|([^)\s]+))\)/g;
    const broken = documents.flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(link)]
        .map(([, bracketed, bare]) => bracketed ?? bare ?? "")
        .filter((to) => !/^\w+:/.test(to) && !targetExists(file, to))
        .map((to) => `${file} links to ${to}`),
    );
    expect(broken).toEqual([]);
  });
});

function targetExists(file: string, to: string): boolean {
  const [name = "", heading] = to.split("#");
  const target = name === "" ? file : beside(file, name);
  if (!existsSync(target)) return false;
  return !heading || anchors(readFileSync(target, "utf8")).includes(heading);
}

/** Returns the anchors that GitHub gives a Markdown page. */
const anchors = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );

describe("references", () => {
  it("finds paths, also with the names of Next's folders", () => {
    const text =
      "See `lib/db/client.ts`, (app/(app)/users/[id]/page.tsx) and [x.ts](../lib/x.ts#a).";
    expect(references("a.md", text).map(({ to }) => to)).toEqual([
      ...["lib/db/client.ts", "app/(app)/users/[id]/page.tsx", "../lib/x.ts"],
    ]);
  });

  it("passes over URLs, wildcards and endings", () => {
    const text = "https://example.com/a.md, schema/<table>.ts, *.test.ts, .dev.tsx, `a.ts.map`";
    expect(references("a.md", text)).toEqual([]);
  });
});
