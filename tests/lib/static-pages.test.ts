import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hashesOf } from "@/lib/static-pages";
import { files } from "@/tests/support/sources";

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

describe("hashesOf", () => {
  it("hashes each inline script once, byte for byte", () => {
    const html = `<head><script>a()</script><script src="/b.js" async=""></script></head>
<body><script id="_R_">a()</script><script>
c("style=x")</script></body>`;
    expect(hashesOf(html, "/")).toBe(`${hash("a()")} ${hash('\nc("style=x")')}`);
  });

  it("is empty for a page without scripts", () => {
    expect(hashesOf("<p>style = on</p>", "/")).toBe("");
  });

  it.each([
    ['<p style="color: red">', "style="],
    ["<p class=x onclick=go()>", "onclick="],
    ["<style>p {}</style>", "<style>"],
  ])("refuses %s, which the policy would block", (html, part) => {
    expect(() => hashesOf(html, "/pricing")).toThrow("The page /pricing has ");
    expect(() => hashesOf(html, "/pricing")).toThrow(part);
  });
});

it("no action revalidates public pages, whose scripts would get other hashes", () => {
  const again = files("app")
    .concat(files("lib"))
    .filter((file) => /\.tsx?$/.test(file))
    .filter((file) =>
      /revalidatePath\(\s*"\/(\(marketing\)[^"]*|docs[^"]*|pricing)?"|revalidateTag\(/.test(
        readFileSync(file, "utf8"),
      ),
    );
  expect(again, 'Name the pages with a session: revalidatePath("/settings", "layout").').toEqual(
    [],
  );
});
