import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { files } from "@/tests/support/sources";

/* Every icon that a page uses is in public/icons.svg, and every icon in that file is used. */

const sprite = readFileSync("public/icons.svg", "utf8");
const symbols = [...sprite.matchAll(/<symbol id="([^"]+)"/g)].map(([, id]) => id);

const [, union = ""] =
  /type IconName =([^;]+);/.exec(readFileSync("app/_ui/icon.tsx", "utf8")) ?? [];
const names = [...union.matchAll(/"([^"]+)"/g)].map(([, name]) => name);

describe("public/icons.svg", () => {
  it("has a symbol for each IconName, and no other", () => {
    expect(symbols).toEqual(names);
    expect(new Set(symbols).size).toBe(symbols.length);
  });

  it("has no unused symbol", () => {
    const pages = files("app")
      .filter((file) => file.endsWith(".tsx") && file !== "app/_ui/icon.tsx")
      .map((file) => readFileSync(file, "utf8"))
      .filter((text) => text.includes('/icon"'));
    expect(names.filter((name) => !pages.some((text) => text.includes(`"${name}"`)))).toEqual([]);
  });

  it("has shapes and nothing that runs or loads", () => {
    const tags = [...sprite.replace(/<!--[\s\S]*?-->/, "").matchAll(/<([a-z]\w*)/g)];
    const shapes = ["svg", "symbol", "path", "circle", "rect", "line"];
    expect(tags.map(([, tag]) => tag).filter((tag) => !shapes.includes(`${tag}`))).toEqual([]);
    expect(sprite).not.toMatch(/\s(on\w+|style|class|href)=/);
  });
});
