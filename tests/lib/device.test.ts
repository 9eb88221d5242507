import { describe, expect, it } from "vitest";
import { deviceName, isHandheld } from "@/lib/device";

const mozilla = "Mozilla/5.0";
const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
const iphone = `${mozilla} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1`;
const ipad = `${mozilla} (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1`;
const android = `${mozilla} (Linux; Android 15; Pixel 9) ${webkit} Chrome/142.0.0.0 Mobile Safari/537.36`;
const linux = `${mozilla} (X11; Linux x86_64) ${webkit} Chrome/142.0.0.0 Safari/537.36`;
const mac = `${mozilla} (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Chrome/142.0.0.0 Safari/537.36`;
const edge = `${mozilla} (Windows NT 10.0; Win64; x64) ${webkit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0`;
const firefox = `${mozilla} (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0`;

describe("deviceName", () => {
  it.each([
    ["Safari on iPhone", iphone],
    ["Safari on iPad", ipad],
    ["Chrome on Android", android],
    ["Chrome on Linux", linux],
    ["Chrome on Mac", mac],
    ["Edge on Windows", edge],
    ["Firefox on Windows", firefox],
    ["Unknown device", null],
    ["Unknown device", ""],
    ["Unknown device", "?"],
  ])("is %s, as a person would say", (name, userAgent) => {
    expect(deviceName(userAgent)).toBe(name);
  });

  it("fails at nothing that a client may write", () => {
    for (const userAgent of ["\0", "x".repeat(512), "<script>", "()".repeat(256), "é\u202e/1.0"])
      expect(typeof deviceName(userAgent)).toBe("string");
  });
});

describe("isHandheld", () => {
  it("tells phones and tablets from the rest", () => {
    expect([iphone, ipad, android].map(isHandheld)).toEqual([true, true, true]);
    expect([linux, mac, edge, firefox, null, ""].map(isHandheld)).not.toContain(true);
  });
});
