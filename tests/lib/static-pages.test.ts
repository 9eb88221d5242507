import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { hashesOf } from "@/lib/static-pages";

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

describe("hashesOf", () => {
  it("names each inline script once, byte for byte", () => {
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
