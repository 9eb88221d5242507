import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { testNames } from "@/tests/support/sources";

/*
 * Checks tests/asvs.md, the table of ASVS 5.0: it lists each requirement once, with one of three
 * verdicts, and each test that a verdict names exists. Whether a test proves its verdict is for the
 * reader to judge.
 */

/**
 * The requirements of level 1 and level 2 by section, in chapters V3, V6, V7 and V9. Source:
 * OWASP_Application_Security_Verification_Standard_5.0.0_en.csv in 5.0/docs_en of
 * https://github.com/OWASP/ASVS, tag v5.0.0_release.
 */
const sections: Record<string, { 1?: number[]; 2?: number[] }> = {
  "V3.2": { 1: [1, 2] },
  "V3.3": { 1: [1], 2: [2, 3, 4] },
  "V3.4": { 1: [1, 2], 2: [3, 4, 5, 6] },
  "V3.5": { 1: [1, 2, 3], 2: [4, 5] },
  "V3.7": { 2: [1, 2] },
  "V6.1": { 1: [1], 2: [2, 3] },
  "V6.2": { 1: [1, 2, 3, 4, 5, 6, 7, 8], 2: [9, 10, 11, 12] },
  "V6.3": { 1: [1, 2], 2: [3, 4] },
  "V6.4": { 1: [1, 2], 2: [3, 4] },
  "V6.5": { 2: [1, 2, 3, 4, 5] },
  "V6.6": { 2: [1, 2, 3] },
  "V6.8": { 2: [1, 2, 3, 4] },
  "V7.1": { 2: [1, 2, 3] },
  "V7.2": { 1: [1, 2, 3, 4] },
  "V7.3": { 2: [1, 2] },
  "V7.4": { 1: [1, 2], 2: [3, 4, 5] },
  "V7.5": { 2: [1, 2] },
  "V7.6": { 2: [1, 2] },
  "V9.1": { 1: [1, 2, 3] },
  "V9.2": { 1: [1], 2: [2, 3, 4] },
};

const required = Object.entries(sections).flatMap(([section, levels]) =>
  Object.entries(levels).flatMap(([level, numbers]) =>
    numbers.map((number) => `${section}.${number} of level ${level}`),
  ),
);

const document = readFileSync("tests/asvs.md", "utf8");

type Row = { id: string; level: string; verdict: string };

const rows: Row[] = [...document.matchAll(/^\| (V[\d.]+) \| (\d) \| .+? \| (.+) \|$/gm)].map(
  ([, id = "", level = "", verdict = ""]) => ({ id, level, verdict }),
);

/** Matches a test as the table names it: a link to its file, and its name in quotes. */
const named = /\[[\w-]+\]\(([\w./-]+\.(?:test|spec)\.ts)\) "([^"]+)"/g;

const tests = `${named.source}(?:, ${named.source})*`;

const forms = {
  met: new RegExp(`^\\*\\*met\\*\\* by ${tests}(?:; .+)?$`),
  yours: /^\*\*yours\*\*: \w.+$/,
  "not met": /^\*\*not met\*\*, because \w.+$/,
};

const ofForm = (form: RegExp) => rows.filter(({ verdict }) => form.test(verdict));

const namesIn = (file: string) =>
  existsSync(file) ? testNames(file, readFileSync(file, "utf8")) : [];

describe("the table of ASVS 5.0", () => {
  it("has every requirement of its chapters at the levels 1 and 2, once", () => {
    const listed = rows.map(({ id, level }) => `${id} of level ${level}`);
    expect(listed.sort()).toEqual(required.sort());
    expect(document.match(/^\| V/gm)).toHaveLength(rows.length);
  });

  it("says of each that it is met by a test, yours to do, or not met and why", () => {
    const count = (row: Row) =>
      Object.values(forms).filter((form) => form.test(row.verdict)).length;
    expect(rows.filter((row) => count(row) !== 1)).toEqual([]);
  });

  it("names tests that exist, by the name that they have", () => {
    const missing = rows.flatMap(({ id, verdict }) =>
      [...verdict.matchAll(named)]
        .filter(([, file = "", name = ""]) => !namesIn(`tests/${file}`).includes(name))
        .map(([, file, name]) => `${id}: tests/${file} has no test "${name}"`),
    );
    expect(missing).toEqual([]);
  });

  it("counts its verdicts", () => {
    const level = (which: string) => rows.filter((row) => row.level === which).length;
    const [met, yours, notMet] = Object.values(forms).map((form) => ofForm(form).length);
    expect(document).toContain(
      `\n${rows.length} requirements, ${level("1")} of level 1 and ${level("2")} of level 2: ${met} met, ${yours} yours, ${notMet} not met.\n`,
    );
  });
});

describe("testNames", () => {
  it("finds tests and groups, with the groups around them, and none that is skipped", () => {
    const source = `
      describe("a", () => {
        it("b", () => {});
        it.each([1])("c %s", () => {});
        it.skip("d", () => {});
        describe.each([1])("e", () => it("f", () => {}));
      });
      test(\`g \${h}\`, { tag: "@i" }, () => {});
      // it("j", () => {});
      run("k", () => {});`;
    expect(testNames("a.test.ts", source)).toEqual([
      ...["a", "a > b", "a > c %s", "a > e", "a > e > f", `g \${h}`],
    ]);
  });
});
