import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hostedPageOrigins, ownOrHostedPage } from "@/lib/billing/origins";
import { setEnv } from "@/lib/env";

const site = "https://app.example.com";

const setStripe = (key: string, api = "") =>
  setEnv({
    STRIPE_SECRET_KEY: key,
    STRIPE_WEBHOOK_SECRET: key && "whsec_test",
    STRIPE_API_URL: api,
  });

describe("ownOrHostedPage", () => {
  it.each([
    `${site}/t/0123456789/settings/billing`,
    "https://checkout.stripe.com/c/pay/cs_test_1#fragment",
    "https://billing.stripe.com/p/session/bps_1",
  ])("takes %s", (url) => {
    setStripe("sk_test_1");
    expect(ownOrHostedPage(url, site)).toBe(url);
  });

  it.each([
    ...["https://evil.example/", "https://checkout.stripe.com.evil.example/", "//evil.example"],
    ...["https://stripe.com@evil.example/", "http://checkout.stripe.com/", "javascript:alert(1)"],
    ...["https://checkout.stripe.com:8443/", `${site}.evil.example/`, "data:text/html,x", ""],
  ])("refuses %j", (url) => {
    setStripe("sk_test_1");
    expect(() => ownOrHostedPage(url, site)).toThrow();
  });

  it("takes no page of the provider while billing is off, and only the stand-in's with the stand-in", () => {
    setStripe("");
    expect(hostedPageOrigins()).toEqual([]);
    expect(() => ownOrHostedPage("https://checkout.stripe.com/", site)).toThrow("unknown host");
    setStripe("sk_test_1", "http://127.0.0.1:12111");
    expect(ownOrHostedPage("http://127.0.0.1:12111/pay", site)).toBe("http://127.0.0.1:12111/pay");
    expect(() => ownOrHostedPage("https://checkout.stripe.com/", site)).toThrow("unknown host");
  });

  it("checks the one redirect to the provider", () => {
    const actions = readFileSync("app/(app)/t/[team]/settings/billing/actions.ts", "utf8");
    expect(actions.match(/\bredirect\(.*/g)).toEqual(["redirect(url as Route);"]);
    expect(actions.match(/\burl = .*/g)).toEqual([
      expect.stringMatching(/^url = ownOrHostedPage\(/),
    ]);
  });
});
