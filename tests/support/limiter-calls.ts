import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "@typescript/typescript6";

/*
 * Finds every call of the rate limiter in the source, so that a new one is tested without an entry
 * in a list. Functions that only pass a call on (readLinkForm) count as the limiter, so that each of
 * their callers is found. Any other use of these functions is refused, because a call could hide there.
 */

const modules = /\/(rate-limits|auth\/login\/limits|read-link-form)$/; // as a path from the root
/** Counts one try and says whether it may be made. */
const counts = /^(consume|readLinkForm)/;

export type Call = {
  /** `logIn app/(auth)/login/actions.ts`; the second in one function ends in ` #2`. */
  id: string;
  /** The limit, where the call counts by the acting user alone: `consume(db, "endPerUser", session.userId)`. */
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

/** Goes with the API where a product removes it: see app/api/README.md. */
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

/** An import from the limiter, or an export of what it exports. */
function isOfLimiter(node: ts.Node): boolean {
  if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return false;
  const { moduleSpecifier } = node;
  if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return false;
  const { text } = moduleSpecifier;
  const folder = dirname(node.getSourceFile().fileName);
  return modules.test(text.startsWith(".") ? join(folder, text) : text);
}

/** `consume` in `list.consume` or `{ consume: 1 }`: another thing of that name. */
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
