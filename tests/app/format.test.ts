import { describe, expect, it } from "vitest";
import { countOf, day, money } from "@/app/_ui/format";

describe("the format of values on pages", () => {
  it.each([
    [800, "eur", "€8"],
    [950, "eur", "€9.50"],
    [0, "eur", "€0"],
    [800, "jpy", "JP¥800"],
    [-800, "eur", "-€8"],
  ])("writes %i of %s as %s", (amount, currency, text) => {
    expect(money(amount, currency)).toBe(text);
  });

  it("uses the plural except for one", () => {
    expect([0, 1, 2].map((count) => countOf(count, "member"))).toEqual([
      "0 members",
      "1 member",
      "2 members",
    ]);
  });

  it("writes a day in UTC", () => {
    expect(day(new Date("2027-05-12T23:59:59Z"))).toBe("12 May 2027");
  });
});
