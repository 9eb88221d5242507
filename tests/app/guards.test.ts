import { readdirSync, readFileSync } from "node:fs";
import ts from "@typescript/typescript6";
import { describe, expect, it } from "vitest";

/*
 * Every page, handler and action in the source tree checks its caller before it does anything else,
 * or is listed here with the reason why it need not. tests/e2e/guards.spec.ts tests the responses.
 */

const publicPages: Record<string, string> = {
  "app/(marketing)/page.tsx": "the landing page is public",
  "app/(auth)/login/page.tsx": "its visitor has no session yet",
  "app/(auth)/login/code/page.tsx":
    "the pending login of the cookie is the proof, and opens no more",
  "app/(auth)/login/recovery/page.tsx": "the pending login of the cookie is the proof",
  "app/(auth)/signup/page.tsx": "its visitor has no account yet",
  "app/(auth)/signup/[token]/page.tsx": "the token of the mailed link is the proof",
  "app/(auth)/forgot-password/page.tsx": "its visitor cannot log in",
  "app/(auth)/confirm-browser/page.tsx": "the visitor cannot log in",
  "app/(auth)/confirm-browser/[token]/page.tsx": "the token of the mailed link is the proof",
  "app/(auth)/reset-password/[token]/page.tsx": "the token of the mailed link is the proof",
  "app/(auth)/change-email/[token]/page.tsx": "the token of the mailed link is the proof",
  "app/(auth)/restore-email/[token]/page.tsx": "the token of the mailed link is the proof",
  "app/(auth)/not-me/[token]/page.tsx": "the token of the mailed link is the proof",
  "app/(auth)/invitations/[token]/page.tsx": "the token of the mailed link is the proof",
  "app/(marketing)/docs/api/page.tsx": "the API's reference is public",
  "app/(marketing)/pricing/page.tsx": "the prices are public",
  "app/dev/mailbox/page.dev.tsx": "development only, to loopback hosts; not in a build",
};

const publicHandlers: Record<string, string> = {
  "GET app/api/health/route.ts": "load balancers have no session; it tells whether, not what",
  "GET app/.well-known/change-password/route.ts": "leads on to a page that asks",
  "GET app/.well-known/passkey-endpoints/route.ts": "names a page that asks",
  "GET app/dev/mailbox.json/route.dev.ts": "development only, to loopback hosts; not in a build",
  "GET app/(app)/upgrade/route.ts": "leads on to pages that ask, and a visitor to the sign-up",
  "GET app/(app)/live/route.ts": "answers an empty 204 without a session",
  "HEAD app/(app)/live/route.ts": "answers an empty 204 without a session",
  "GET app/unavailable/route.ts": "says that nothing can be looked up, and looks nothing up",
  "POST app/(auth)/logout/route.ts": "ends the presented session and no other",
  "POST app/(auth)/with/[provider]/route.ts":
    "begins a login; for settings it asks for the session",
  "GET app/(auth)/with/[provider]/back/route.ts":
    "the provider's answer to a visit of this browser is the proof; for settings the session too",
  "POST app/api/jobs/route.ts": "the bearer is the proof",
  "POST app/api/webhooks/stripe/route.ts": "the provider's signature is the proof",
  "GET app/.well-known/jwks.json/route.ts": "the keys that verify tokens are public",
  "GET app/api/openapi.json/route.ts": "the API's reference is public",
  "POST app/api/v1/token/route.ts": "the password is the proof",
  "POST app/api/v1/token/refresh/route.ts": "the refresh token is the proof",
  "POST app/api/v1/token/revoke/route.ts": "the refresh token is the proof",
};

/** Whether the file responds 404 to every caller. */
const isNothing = (file: string) => file === "app/api/[...path]/route.ts";

/**
 * Whether the file is a route of the API. It reads no cookie, and `answer` refuses requests from
 * other sites' pages in place of the origin check.
 */
const isApi = (file: string) => file.startsWith("app/api/") && !isNothing(file);

const publicActions: Record<string, string> = {
  "logIn app/(auth)/login/actions.ts": "the password is the proof",
  "logInWithPasskey app/(auth)/login/actions.ts": "the passkey is the proof",
  "enterCode app/(auth)/login/code/actions.ts": "pending login and code are the proof",
  "enterRecoveryCode app/(auth)/login/recovery/actions.ts": "pending login and code are the proof",
  "signUp app/(auth)/signup/actions.ts": "its caller has no account yet",
  "createAccount app/(auth)/signup/[token]/actions.ts": "the token of the mailed link is the proof",
  "createAccountWithPasskey app/(auth)/signup/[token]/actions.ts":
    "the token of the mailed link is the proof",
  "sendResetLink app/(auth)/forgot-password/actions.ts": "its caller cannot log in",
  "sendBrowserLink app/(auth)/confirm-browser/actions.ts": "the visitor cannot log in",
  "confirmBrowser app/(auth)/confirm-browser/[token]/actions.ts":
    "the token of the mailed link is the proof",
  "setNewPassword app/(auth)/reset-password/[token]/actions.ts":
    "the token of the mailed link is the proof",
  "confirmEmail app/(auth)/change-email/[token]/actions.ts":
    "the token of the mailed link is the proof",
  "restoreEmail app/(auth)/restore-email/[token]/actions.ts":
    "the token of the mailed link is the proof",
  "disownLogin app/(auth)/not-me/[token]/actions.ts": "the token of the mailed link is the proof",
  "createAccountAndJoin app/(auth)/invitations/[token]/actions.ts":
    "the token of the mailed link is the proof",
  "createAccountAndJoinWithPasskey app/(auth)/invitations/[token]/actions.ts":
    "the token of the mailed link is the proof",
};

const guards = [
  ...["requireSession", "requireSudo", "requireAdmin", "requireBearer"],
  ...["requireTeam", "requireTeamSudo", "requireTeamBearer"],
];

/** Every other action of the settings requires a recent proof of identity. */
const settingsWithoutProof: Record<string, string> = {
  saveProfile: "a name opens nothing",
  renamePasskey: "a name opens nothing",
  changePassword: "asks for the current password",
  logOutDevice: "asks where the device is another one",
  revokeKey: "takes access away",
};

const sources = readdirSync("app", { recursive: true, encoding: "utf8" })
  .map((file) => `app/${file.replaceAll("\\", "/")}`)
  .filter((file) => /\.tsx?$/.test(file));

describe("pages", () => {
  const files = sources.filter((file) => /^(?!.*\/_).*\/page(\.dev)?\.tsx$/.test(file));

  it.each(files)("%s waits for a guard first, or is public", (file) => {
    const page = exportedFunctions(file).find((each) => each.isDefault);
    const first = page && awaitedCalls(page.node)[0];
    expect(guards.includes(first ?? "")).toBe(!(file in publicPages));
  });

  it("the public list names no page that is gone", () => {
    expect(files).toEqual(expect.arrayContaining(Object.keys(publicPages)));
  });
});

describe("the log-out button", () => {
  it("is on every guarded page: all are below the layout that contains it", () => {
    const guarded = sources.filter(
      (file) => /^(?!.*\/_).*\/page\.tsx$/.test(file) && !(file in publicPages),
    );
    expect(guarded.length).toBeGreaterThan(10);
    expect(guarded.filter((file) => !file.startsWith("app/(app)/"))).toEqual([]);
    expect(readFileSync("app/(app)/navigation.tsx", "utf8")).toContain("<LogOutButton />");
    expect(readFileSync("app/_ui/header.tsx", "utf8")).toMatch(
      /<form method="post" action="\/logout">\s*<button[^>]*>\s*Log out\s*<\/button>/,
    );
  });
});

describe("handlers", () => {
  const handlers = sources
    .filter((file) => /\/route(\.dev)?\.ts$/.test(file) && !isNothing(file))
    .flatMap((file) =>
      exportedFunctions(file)
        .filter(({ name }) => /^[A-Z]+$/.test(name))
        .map(({ name, node }) => ({ id: `${name} ${file}`, file, name, node })),
    );

  it.each(handlers)("$id waits for a guard first, or is public", ({ id, file, name, node }) => {
    const calls = awaitedCalls(node);
    const isMutation = !["GET", "HEAD", "OPTIONS"].includes(name);
    if (isMutation && isApi(file))
      expect(firstStatement(node)).toMatch(/^return answer\(request, /);
    else if (isMutation) expect(calls.shift()).toBe("requireSameOrigin");
    expect(guards.includes(calls[0] ?? "")).toBe(!(id in publicHandlers));
  });

  it("that connect a provider's account require a recent proof, on the way there and back", () => {
    const refusal = {
      "": /if \(purpose === "connect" && session\?\.sudo === "expired"\)\s*return seeOther\("\/confirm"/,
      "back/": /\|\| session\.sudo === "expired"\) return backTo\(/,
    };
    for (const [way, pattern] of Object.entries(refusal))
      expect(readFileSync(`app/(auth)/with/[provider]/${way}route.ts`, "utf8")).toMatch(pattern);
  });

  it("the public list names no handler that is gone", () => {
    const ids = handlers.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(Object.keys(publicHandlers)));
  });
});

describe("actions", () => {
  const actions = sources
    .filter((file) => directives(parse(file)).includes("use server"))
    .flatMap((file) =>
      exportedFunctions(file).map((each) => ({ id: `${each.name} ${file}`, ...each })),
    );

  it.each(actions)(
    "$id checks the origin first, then for a guard, or is public",
    ({ id, node }) => {
      const calls = awaitedCalls(node);
      expect(calls[0]).toBe("requireSameOrigin");
      expect(guards.includes(calls[1] ?? "")).toBe(!(id in publicActions));
    },
  );

  it.each(actions.filter(({ id }) => id.includes(" app/(app)/settings/")))(
    "$id wants a recent proof of identity, or changes nothing that opens the account",
    ({ name, node }) => {
      expect(awaitedCalls(node)[1] === "requireSudo").toBe(!(name in settingsWithoutProof));
    },
  );

  it("the public list names no action that is gone", () => {
    const ids = actions.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(Object.keys(publicActions)));
  });

  it.each(sources)(
    "%s has no action inside a function, where this test would not see it",
    (file) => {
      const inside: string[] = [];
      visit(parse(file), (node) => {
        if (ts.isBlock(node) && directives(node).includes("use server"))
          inside.push(node.getText());
      });
      expect(inside).toEqual([]);
    },
  );
});

type Exported = { name: string; isDefault: boolean; node: ts.FunctionDeclaration };

/**
 * Returns the exported functions. Also refuses exports that are not plain functions, because an
 * action can hide behind a const.
 */
function exportedFunctions(file: string): Exported[] {
  const found: Exported[] = [];
  for (const statement of parse(file).statements) {
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
    const has = (kind: ts.SyntaxKind) => modifiers.some((modifier) => modifier.kind === kind);
    const exported = has(ts.SyntaxKind.ExportKeyword);
    if (ts.isFunctionDeclaration(statement) && exported) {
      const isDefault = has(ts.SyntaxKind.DefaultKeyword);
      found.push({ name: statement.name?.text ?? "default", isDefault, node: statement });
    } else if (ts.isExportDeclaration(statement) || ts.isExportAssignment(statement)) {
      throw new Error(`${file}: export the function where it is written.`);
    } else if (exported && ts.isVariableStatement(statement)) {
      const text = statement.getText();
      if (/=>|function/.test(text)) throw new Error(`${file}: write a function, not \`${text}\`.`);
    }
  }
  return found;
}

function firstStatement(declaration: ts.FunctionDeclaration): string | undefined {
  return declaration.body?.statements[0]?.getText();
}

/** Returns the names of awaited functions in source order, with "if" where the code branches. */
function awaitedCalls(declaration: ts.FunctionDeclaration): string[] {
  const names: string[] = [];
  visit(declaration.body, (node) => {
    if (ts.isIfStatement(node) || ts.isConditionalExpression(node)) names.push("if");
    if (!ts.isAwaitExpression(node)) return;
    const { expression } = node;
    // The URL's parameters, which a guard needs in order to return to the page.
    if (/^(params|searchParams)$/.test(expression.getText())) return;
    names.push(ts.isCallExpression(expression) ? expression.expression.getText() : "?");
  });
  return names;
}

function visit(node: ts.Node | undefined, see: (node: ts.Node) => void): void {
  if (!node) return;
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

function directives(node: ts.SourceFile | ts.Block): string[] {
  return node.statements
    .filter(ts.isExpressionStatement)
    .map(({ expression }) => expression)
    .filter(ts.isStringLiteral)
    .map(({ text }) => text);
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
}
