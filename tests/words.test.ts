import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { comments, files, identifiers, isSource } from "@/tests/support/sources";

/*
 * Holds words out of names and comments: pronouns where a role says who it is (user, attacker,
 * caller, administrator, visitor), and metaphors where the field has a term. `words-left.json` counts
 * what older files still have; its numbers only go down.
 */

const banned: Record<string, string> = {
  somebody: "a role: user, attacker, caller, administrator, visitor",
  nobody: "no user, no caller; or the passive",
  everybody: "all users, every caller; public",
  anybody: "any user, any caller",
  whoever: "the role, with who or that",
  stranger: "attacker; an unauthenticated caller",
  strangers: "attackers; unauthenticated callers",
  thief: "attacker",
  thieves: "attackers",
  crowd: "sample users; concurrent callers",
  crowds: "concurrent callers",
  crowded: "evicted; busy",
  gather: "batch",
  gathers: "batches",
  gathered: "batched",
  rush: "load",
  story: "end-to-end test",
  stories: "end-to-end tests",
  trail: "audit log; activity, on a page",
  trails: "audit logs",
  travel: "is sent, is part of",
  travels: "is sent, is part of",
  news: "event",
};

const left: Record<string, number> = JSON.parse(readFileSync("tests/words-left.json", "utf8"));

const sources = ["app", "lib", "tests"]
  .flatMap((folder) => files(folder))
  .filter((file) => isSource(file) && file !== "tests/words.test.ts");

/** The banned words of a text: camel case and snake case are split first. */
function wordsIn(text: string): string[] {
  const split = text.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return split.split(/[^a-z]+/).filter((word) => Object.hasOwn(banned, word));
}

/** What a file has of them, one line each. */
function findings(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const inComments = comments(file, text).flatMap(({ text, line }) =>
    text
      .split("\n")
      .flatMap((part, index) => wordsIn(part).map((word) => ({ word, line: line + index }))),
  );
  const inNames = identifiers(file, text).flatMap(({ text, line }) =>
    wordsIn(text).map((word) => ({ word, line })),
  );
  return [...inComments, ...inNames].map(
    ({ word, line }) => `${file}:${line} has "${word}": ${banned[word]}`,
  );
}

describe("names and comments", () => {
  const found = new Map(sources.map((file) => [file, findings(file)]));

  it("have none of the banned words, but for those of words-left.json", () => {
    const more = [...found].filter(([file, lines]) => lines.length > (left[file] ?? 0));
    expect(more.flatMap(([, lines]) => lines)).toEqual([]);
  });

  it("have no fewer than words-left.json says: lower its numbers", () => {
    const fewer = Object.entries(left)
      .filter(([file, count]) => (found.get(file)?.length ?? count) < count)
      .map(([file]) => `"${file}": ${found.get(file)?.length || "take this line out"}`);
    expect(fewer).toEqual([]);
  });
});

describe("wordsIn", () => {
  it("splits names, and takes only whole words", () => {
    expect(wordsIn("logOutEverybody SessionNews STORY_FILE the story's end")).toEqual([
      ...["everybody", "news", "story", "story"],
    ]);
    expect(wordsIn("history newsletter traveller constructor")).toEqual([]);
  });
});
