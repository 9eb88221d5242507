import { expect, it } from "vitest";
import type { Notices } from "@/app/_ui/notice";
import { providerNotices } from "@/app/_ui/provider-notices";

const providers = [{ id: "github", name: "GitHub" }];

const textOf = (notice: Notices[string] | undefined) =>
  typeof notice === "object" ? notice.info : notice;

it("has a sentence for each answer of a visit, also for a user who is logged in", () => {
  const loggedOut = providerNotices(providers);
  const loggedIn = providerNotices(providers, { isLoggedIn: true });
  expect(Object.keys(loggedIn)).toEqual(Object.keys(loggedOut));
  for (const sentence of Object.values(loggedIn))
    expect(textOf(sentence)).not.toMatch(/Log in, then|Sign up|This account is/);
});

it("says what to do after each failed confirmation", () => {
  const said = providerNotices(providers);
  const reasons = ["github-other", "github-stale", "better-way"];
  expect(new Set(reasons.map((reason) => textOf(said[reason]))).size).toBe(3);
});

it("shows only a connected or disconnected account as done", () => {
  const done = Object.entries(providerNotices(providers)).filter(
    ([, notice]) => typeof notice === "string",
  );
  expect(done.map(([key]) => key)).toEqual(["github-connected", "github-disconnected"]);
});
