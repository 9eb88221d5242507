import { describe, expect, it } from "vitest";
import { days, hours, inWords, minutes, seconds } from "@/lib/time";

describe("seconds, minutes, hours, days", () => {
  it("are milliseconds, as setTimeout and Date want them", () => {
    expect(new Date(days(1)).toISOString()).toBe("1970-01-02T00:00:00.000Z");
    expect(new Date(hours(1)).toISOString()).toBe("1970-01-01T01:00:00.000Z");
    expect(new Date(minutes(1)).toISOString()).toBe("1970-01-01T00:01:00.000Z");
    expect(new Date(seconds(1)).toISOString()).toBe("1970-01-01T00:00:01.000Z");
  });

  it("take fractions", () => {
    expect(minutes(0.5)).toBe(seconds(30));
  });
});

describe("inWords", () => {
  it.each([
    [days(7), "7 days"],
    [days(1), "24 hours"],
    [hours(36), "36 hours"],
    [hours(1), "an hour"],
    [minutes(90), "90 minutes"],
    [minutes(30), "30 minutes"],
    [minutes(1), "60 seconds"],
  ])("says %i ms as %s", (duration, words) => {
    expect(inWords(duration)).toBe(words);
  });
});
