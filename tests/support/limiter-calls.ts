import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "@typescript/typescript6";

/*
 * Finds every call of the rate limiter in the source, so that a new call is tested without adding
 * it to a list. Functions that only forward to it (readLinkForm) count as the limiter, so that
 * each of their callers is found. Any other use of these functions is refused, because it could
 * hide a call.
 */

const modules = /\/(rate-limits|auth\/login\/limits|read-link-form)$/; // as a path from the root
/** Functions that count one attempt and return whether it is allowed. */
const counts = /^(consume|readLinkForm)/;

export type Call = {
  /** `logIn app/(auth)/login/actions.ts`; a second call in one function ends in ` #2`. */
  id: string;
  /**
   * The limit of a call that counts only by the acting user, such as
   * `consume(db, "endPerUser", session.userId)`.
   */
  limitPerUser?: string | undefined;
};

export function limiterCalls(): Call[] {
  const files = ["app", "lib"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map(
      (file) => `${folder}/${file.replaceAll("\\", "/")}`,
    ),
  );
  return files
    .filter((file) => /\.tsx?$/.test(file) && !modules.test(file.replace(/\.ts$/, "")))
    .flatMap((file) => callsIn(file, readFileSync(file, "utf8")));
}

/** Whether a call is part of the API. Removed together with the API: see app/api/README.md. */
export function isOfApi(call: string): boolean {
  return / app\/(api|\(app\)\/.*settings\/api-keys)\//.test(call);
}

export function callsIn(file: string, text: string): Call[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const refuse: (node: ts.Node) => never = (node) => {
    throw new Error(`${file}: call the limiter by its name, not \`${node.getText()}\`.`);
  };
  const names = new Set<string>();
  for (const statement of source.statements) {
    if (!isOfLimiter(statement)) continue;
    const bindings = ts.isImportDeclaration(statement) && statement.importClause?.namedBindings;
    if (!bindings || !ts.isNamedImports(bindings)) return refuse(statement);
    for (const { name, propertyName, isTypeOnly } of bindings.elements)
      if (!isTypeOnly && counts.test((propertyName ?? name).text)) names.add(name.text);
  }

  const calls: Call[] = [];
  const visit = (node: ts.Node): void => {
    if (isOfLimiter(node)) return;
    if (ts.isIdentifier(node) && names.has(node.text) && !isName(node)) {
      const { parent } = node;
      if (!ts.isCallExpression(parent) || parent.expression !== node) refuse(parent);
      const id = `${functionAround(node)} ${file}`;
      const before = calls.filter((call) => call.id.replace(/ #\d+$/, "") === id).length;
      const limitPerUser = limitPerUserOf(parent);
      calls.push({ id: before === 0 ? id : `${id} #${before + 1}`, limitPerUser });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return calls;
}

function limitPerUserOf({ arguments: [, limit, user, ...more] }: ts.CallExpression) {
  if (!limit || !user || more.length > 0 || !ts.isStringLiteral(limit)) return undefined;
  return /^(scope\.)?session\.userId$/.test(user.getText()) ? limit.text : undefined;
}

/** Whether a node imports from the limiter, or re-exports from it. */
function isOfLimiter(node: ts.Node): boolean {
  if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return false;
  const { moduleSpecifier } = node;
  if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return false;
  const { text } = moduleSpecifier;
  const folder = dirname(node.getSourceFile().fileName);
  return modules.test(text.startsWith(".") ? join(folder, text) : text);
}

/** Whether `consume` is a property (`list.consume`, `{ consume: 1 }`), not the limiter's. */
function isName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node)
  );
}

function functionAround(node: ts.Node): string {
  for (let around = node.parent; around; around = around.parent)
    if (ts.isFunctionDeclaration(around) && around.parent === around.getSourceFile())
      return around.name?.text ?? "default";
  return "(top level)";
}
