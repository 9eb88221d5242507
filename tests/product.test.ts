import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "@typescript/typescript6";
import { describe, expect, it } from "vitest";
import { product } from "@/lib/product";

/*
 * Renames the product in a copy of lib/product.ts, and expects the old name in no string and no JSX
 * text of app/ and lib/, so that no user can see it. Comments may keep it.
 */

const home = "lib/product.ts";
const newName = "Quillbox";

/** Names that only machines read. They may stay after a rename. */
const internal = new Set([
  "latchkey", // application_name, and the embedded server's database
  "latchkey.session-events", // keys of globalThis
  "latchkey.peer-address-header",
  "latchkey.request-log",
  "https://latchkey.invalid", // a base URL for parsing paths
  "/var/lib/latchkey", // the embedded server's files, if the checkout cannot hold them
]);

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|tsx|mts|mjs|svg|css)$/.test(file))
    .map((file) => path.posix.join(folder, file.replaceAll("\\", "/")));
}

/** Returns every string, template part, regular expression and JSX text; other files as a whole. */
function texts(file: string, source = readFileSync(file, "utf8")): string[] {
  if (!/\.(m?ts|tsx|mjs)$/.test(file)) return [source];
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const isText =
      ts.isStringLiteralLike(node) ||
      ts.isTemplateHead(node) ||
      ts.isTemplateMiddleOrTemplateTail(node) ||
      ts.isRegularExpressionLiteral(node) ||
      ts.isJsxText(node);
    if (isText) found.push(node.text);
    ts.forEachChild(node, visit);
  };
  const kind = file.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, false, kind));
  return found;
}

const mentions = (text: string) => text.toLowerCase().includes(product.name.toLowerCase());

describe("the product's name", () => {
  it("is renamed by a change of lib/product.ts alone", () => {
    const renamed = readFileSync(home, "utf8")
      .replaceAll(product.name, newName)
      .replaceAll(product.name.toLowerCase(), newName.toLowerCase());
    expect(texts(home, renamed)).toContain(newName);
    const left = [...sources("app"), ...sources("lib"), "proxy.ts", "instrumentation.ts"].flatMap(
      (file) =>
        texts(file, file === home ? renamed : undefined)
          .filter((text) => mentions(text) && !internal.has(text))
          .map((text) => `${file}: write product.name for the name in ${JSON.stringify(text)}`),
    );
    expect(left).toEqual([]);
  });

  it("is blocked in passwords", () => {
    const words = product.name.toLowerCase().split(/\s+/);
    expect(product.blockedPasswordWords).toEqual(expect.arrayContaining(words));
  });
});

describe("the prefixes of API keys", () => {
  it("tell the keys of users from those of teams", () => {
    const { apiKeyPrefix, teamKeyPrefix } = product;
    expect(teamKeyPrefix.startsWith(apiKeyPrefix)).toBe(false);
    expect(apiKeyPrefix.startsWith(teamKeyPrefix)).toBe(false);
  });
});

describe("texts", () => {
  it("finds a name in every kind of string, in a regular expression and in JSX", () => {
    const source = [
      'f("NAME 1")',
      "f(`NAME 2`)",
      "f(`NAME 3 $" + "{a} NAME 4 $" + "{b} NAME 5`)",
      "f(/NAME 6/)",
      "f(<p>NAME 7 {a}</p>)",
      'f(<p title="NAME 8" />)',
    ].join(";\n");
    const found = texts("made-up.tsx", source)
      .join()
      .match(/NAME \d/g);
    expect(found).toEqual(Array.from({ length: 8 }, (_, n) => `NAME ${n + 1}`));
  });

  it.each(["// NAME", "/** NAME */ const a = 1", "const nameNAME = 1"])(
    "finds none in %s",
    (source) => {
      expect(texts("made-up.tsx", source).join()).toBe("");
    },
  );
});
