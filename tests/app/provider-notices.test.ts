import { expect, it } from "vitest";
import { providerNotices } from "@/app/_ui/provider-notices";

const providers = [{ id: "github", name: "GitHub" }];

it("has a sentence for each answer of a visit, also for a user who is logged in", () => {
  const loggedOut = providerNotices(providers);
  const loggedIn = providerNotices(providers, { isLoggedIn: true });
  expect(Object.keys(loggedIn)).toEqual(Object.keys(loggedOut));
  for (const sentence of Object.values(loggedIn))
    expect(sentence).not.toMatch(/Log in, then|Sign up|This account is/);
});

it("says what to do after each failed confirmation", () => {
  const said = providerNotices(providers);
  const reasons = ["github-other", "github-stale", "better-way"];
  expect(new Set(reasons.map((reason) => said[reason])).size).toBe(3);
});
