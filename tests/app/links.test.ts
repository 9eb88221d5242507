import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

/* TypeScript checks where a `Link` leads, and no `<a>`. */

const files = readdirSync("app", { recursive: true, encoding: "utf8" });

/** As they are in the browser: without the groups, such as "(auth)". */
const routes = files
  .filter((file) => /(^|\/)(page|route)(\.dev)?\.tsx?$/.test(file))
  .map((file) => `/${file.replace(/\([^/]*\)\/|\/?(page|route)(\.dev)?\.tsx?$/g, "")}`);

it("each link that is written out leads to a page or a handler", () => {
  const links = files
    .filter((file) => file.endsWith(".tsx"))
    .flatMap((file) =>
      [...readFileSync(`app/${file}`, "utf8").matchAll(/href="(\/[^"?#]*)/g)].map(
        ([, path = ""]) => ({ file, path }),
      ),
    );
  expect(links.length).toBeGreaterThan(10);
  const lost = links.filter(({ path }) => !routes.includes(path) && !existsSync(`public${path}`));
  expect(lost).toEqual([]);
});
