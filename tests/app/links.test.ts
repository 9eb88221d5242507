import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

/* TypeScript checks the target of a `Link`, but not of an `<a>`. */

const files = readdirSync("app", { recursive: true, encoding: "utf8" });

/** The paths as seen by the browser: without route groups such as "(auth)". */
const routes = files
  .filter((file) => /(^|\/)(page|route)(\.dev)?\.tsx?$/.test(file))
  .map((file) => `/${file.replace(/\([^/]*\)\/|\/?(page|route)(\.dev)?\.tsx?$/g, "")}`);

it("each literal link leads to a page or a handler", () => {
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
