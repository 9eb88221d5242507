import { readFileSync } from "node:fs";
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { CurrentPassword, NewPassword } from "@/app/_ui/password";
import { escapeAttribute, staticPage } from "@/app/_ui/static-page";
import { passwordPolicy } from "@/lib/auth/policy";
import { comments, files, isSource } from "@/tests/support/sources";

/* What the code of pages, and the server code beside it, must not contain. */

const sources = [...files("app"), ...files("lib"), "proxy.ts", "next.config.ts"]
  .filter(isSource)
  .map((file) => ({ file, code: withoutComments(file) }));

function withoutComments(file: string): string {
  const text = readFileSync(file, "utf8");
  return comments(file, text).reduce((code, { text }) => code.replace(text, ""), text);
}

/** Returns the lines of code that match, each after its file name. */
const lines = (pattern: RegExp) =>
  sources.flatMap(({ file, code }) =>
    code
      .split("\n")
      .filter((line) => pattern.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );

describe("pages", () => {
  it("write HTML only through React, except for one constant script", () => {
    expect(lines(/dangerouslySetInnerHTML/)).toEqual([
      "app/layout.tsx: <script dangerouslySetInnerHTML={{ __html: themeScript }} />",
    ]);
    const unsafe =
      /\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write|createContextualFragment/;
    expect(lines(unsafe)).toEqual([]);
    expect(lines(/\beval\(|new Function\(|(setTimeout|setInterval)\(["'`]/)).toEqual([]);
  });

  it("receive messages only on a channel of their own origin", () => {
    const listening = lines(/["'`]message["'`]|\.onmessage/).filter((line) => /^app\//.test(line));
    expect(listening).toEqual([
      "app/_ui/live.tsx: others.onmessage = ({ data }) => onEvent(data);",
    ]);
    const channels = lines(/\bothers = /).filter((line) => line.startsWith("app/_ui/live.tsx: "));
    expect(channels).toEqual([expect.stringContaining("const others = new BroadcastChannel(")]);
  });

  it("do not block paste, drop or the context menu in fields", () => {
    expect(lines(/on(Before)?(Paste|Copy|Cut|Drop|Input)\b|onContextMenu/)).toEqual([]);
    expect(lines(/addEventListener\(["'`](paste|copy|cut|drop|beforeinput|contextmenu)/)).toEqual(
      [],
    );
  });
});

describe("a page without React", () => {
  it("escapes text from the request in an attribute", async () => {
    const typed = `"><script>alert('x')</script>&`;
    const to = "&quot;>&lt;script>alert('x')&lt;/script>&amp;";
    expect(escapeAttribute(typed)).toBe(to);
    const page = { status: 200, title: "Page", body: "", to: typed };
    const html = await staticPage(new Headers(), page).text();
    expect(html).toContain(`<meta http-equiv="refresh" content="0;url=${to}">`);
    expect(html).not.toContain("<script");
  });
});

describe("a field for a password", () => {
  const fields = {
    "current-password": createElement(CurrentPassword, { label: "Password" }),
    "new-password": createElement(NewPassword, {
      ...{ label: "New password", minLength: passwordPolicy.minLength },
    }),
  };

  it.each(Object.entries(fields))(
    "is masked, recognizable to password managers, and truncates nothing: %s",
    (autoComplete, field) => {
      const [input = ""] = /<input[^>]*>/.exec(renderToStaticMarkup(field)) ?? [];
      expect(input).toContain('type="password"');
      expect(input).toContain(`autoComplete="${autoComplete}"`);
      expect(input).toContain('name="password"');
      expect(input).not.toMatch(/maxlength|pattern|readonly|disabled/i);
    },
  );

  it("is one of these two on every page that asks for a password", () => {
    expect(lines(/type=\{?["'`]password["'`]/)).toEqual([]);
    expect(lines(/\? "text" : "password"/)).toHaveLength(1);
    expect(lines(/<(Field|input|TextArea)\b[^>]*name="\w*password/i)).toEqual([]);
    expect(lines(/<(Current|New)Password\b/).length).toBeGreaterThan(5);
  });
});

describe("the server", () => {
  it("lets other origins read only two public documents", () => {
    const open = `headers: { "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*" },`;
    const documents = ["app/.well-known/jwks.json/route.ts", "app/api/openapi.json/route.ts"];
    const allowed = documents.map((file) => `${file}: ${open}`);
    expect(lines(/access-control-/i).filter((line) => !allowed.includes(line))).toEqual([]);
  });

  it("uses no predictable random number generator", () => {
    // A browser's delay before a retry is not a secret.
    const guessable = lines(/Math\.random/).filter(
      (line) => !line.startsWith("app/_ui/live.tsx: "),
    );
    expect(guessable).toEqual([]);
  });
});
