import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { comments, files, identifiers, isSource, titles } from "@/tests/support/sources";

/*
 * Keeps words out of names, comments and test titles: pronouns where a role says who it is (user,
 * attacker, caller, administrator, visitor), and metaphors where the field has a term.
 */

const banned: Record<string, string> = {
  somebody: "a role: user, attacker, caller, administrator, visitor",
  nobody: "no user, no caller; or the passive",
  everybody: "all users, every caller; public",
  anybody: "any user, any caller",
  someone: "a role: user, attacker, caller, administrator, visitor",
  everyone: "all users, every caller; public",
  anyone: "any user, any caller",
  whom: "the role that it is",
  whomever: "the role that it is",
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
  beat: "heartbeat",
  beats: "heartbeats",
  deafen: "block events",
  heard: "received; the event",
  wire: "TCP proxy; connection",
  lanes: "concurrent batches",
  somewhere: "the place by its name",
  errand: "task",
  forgive: "reset",
  forgives: "resets",
  nameless: "anonymous; without a label",
  "known device": "known browser; a device is a session's row",
  "known devices": "known browsers; a device is a session's row",
  "remember device": "remember browser; a device is a session's row",
  "device account": "browser account; a device is a session's row",
};

const sources = files().filter((file) => isSource(file) && file !== "tests/words.test.ts");

/** Returns the banned words and word pairs of a text. Camel case and snake case are split first. */
function wordsIn(text: string): string[] {
  const split = text.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  const words = split.split(/[^a-z]+/);
  return words
    .flatMap((word, index) => [word, `${word} ${words[index + 1]}`])
    .filter((each) => Object.hasOwn(banned, each));
}

/** Returns a line for each banned word in a file. */
function findings(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const inComments = comments(file, text).flatMap(({ text, line }) =>
    text
      .split("\n")
      .flatMap((part, index) => wordsIn(part).map((word) => ({ word, line: line + index }))),
  );
  const inNames = [...identifiers(file, text), ...titles(file, text)].flatMap(({ text, line }) =>
    wordsIn(text).map((word) => ({ word, line })),
  );
  return [...inComments, ...inNames].map(
    ({ word, line }) => `${file}:${line} has "${word}": ${banned[word]}`,
  );
}

describe("names, comments and test titles", () => {
  it("have none of the banned words", () => {
    expect(sources.flatMap(findings)).toEqual([]);
  });
});

describe("wordsIn", () => {
  it("splits names, and takes only whole words", () => {
    expect(wordsIn("logOutEverybody SessionNews STORY_FILE the story's end")).toEqual([
      ...["everybody", "news", "story", "story"],
    ]);
    expect(wordsIn("findKnownDevice, a device that is known")).toEqual(["known device"]);
    expect(wordsIn("history newsletter traveller constructor")).toEqual([]);
  });
});
