import { readdirSync } from "node:fs";
import path from "node:path";
import ts from "@typescript/typescript6";

/*
 * Reads this repository's files for tests: lists them, and extracts comments, names and test titles
 * as TypeScript parses them. Other strings are none of these.
 */

export type Found = { text: string; line: number };

/** Returns every file below a folder, from the root, except what git or a build put there. */
export function files(folder = "."): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (
      /^(\.git|\.next|\.data|node_modules|test-results|playwright-report|coverage)$/.test(
        entry.name,
      )
    )
      return [];
    const name = path.posix.join(folder, entry.name);
    return entry.isDirectory() ? files(name) : [name];
  });
}

export const isSource = (file: string) => /(?<!\.d)\.(ts|tsx|mts|mjs|js)$/.test(file);

/** Returns the comments of a source file with the lines they start on. */
export function comments(name: string, text: string): Found[] {
  const source = parse(name, text);
  let code = "";
  visit(source, (node) => {
    if (!isText(node)) return;
    const start = node.getStart(source);
    code += text.slice(code.length, start) + " ".repeat(node.end - start);
  });
  code += text.slice(code.length);
  return [...code.matchAll(/\/\*[\s\S]*?\*\/|\/\/.*/g)].map(({ 0: comment, index }) => ({
    text: comment,
    line: line(source, index),
  }));
}

/** Returns the identifiers of a source file, one for each occurrence. */
export function identifiers(name: string, text: string): Found[] {
  const source = parse(name, text);
  const found: Found[] = [];
  visit(source, (node) => {
    if (ts.isIdentifier(node))
      found.push({ text: node.text, line: line(source, node.getStart(source)) });
  });
  return found;
}

/** Returns titles of tests and groups: `it("..."`, `test.each(rows)("..."`, `describe("..."`. */
export function titles(name: string, text: string): Found[] {
  const source = parse(name, text);
  const found: Found[] = [];
  visit(source, (node) => {
    if (
      !ts.isCallExpression(node) ||
      !/^(it|test|describe)\b/.test(node.expression.getText(source))
    )
      return;
    const title = node.arguments[0];
    if (title && (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title)))
      found.push({
        text: title.getText(source),
        line: line(source, title.getStart(source)),
      });
  });
  return found;
}

/**
 * Returns the tests and groups of a source file, each with its enclosing groups: "rotateSession >
 * has one winner". Leaves out tests that are always skipped.
 */
export function testNames(name: string, text: string): string[] {
  const source = parse(name, text);
  const found: string[] = [];
  const see = (node: ts.Node, groups: string[]) => {
    const title = titleOf(node, source);
    const names = title === undefined ? groups : [...groups, title];
    if (title !== undefined) found.push(names.join(" > "));
    ts.forEachChild(node, (child) => see(child, names));
  };
  see(source, []);
  return found;
}

/** The title in `it("...")`, `test.each(rows)("...")`, `describe("...")`; a template as written. */
function titleOf(node: ts.Node, source: ts.SourceFile): string | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const called = node.expression.getText(source);
  if (!/^(it|test|describe)\b/.test(called) || /^\w+\.(skip|todo|fixme)$/.test(called))
    return undefined;
  const [title] = node.arguments;
  if (!title || node.arguments.length < 2) return undefined;
  if (ts.isStringLiteralLike(title)) return title.text;
  return ts.isTemplateExpression(title) ? title.getText(source).slice(1, -1) : undefined;
}

/** Whether `//` and `/*` in this node start no comment. */
const isText = (node: ts.Node) =>
  ts.isStringLiteralLike(node) ||
  ts.isTemplateHead(node) ||
  ts.isTemplateMiddleOrTemplateTail(node) ||
  ts.isRegularExpressionLiteral(node) ||
  ts.isJsxText(node);

const parse = (name: string, text: string) =>
  ts.createSourceFile(name, text, {
    languageVersion: ts.ScriptTarget.Latest,
    jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
  });

const line = (source: ts.SourceFile, position: number) =>
  source.getLineAndCharacterOfPosition(position).line + 1;

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}
