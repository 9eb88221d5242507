import { describe, expect, it } from "vitest";
import { deviceLabel, isHandheld, userAgentLabel } from "@/lib/user-agent";

const mozilla = "Mozilla/5.0";
const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
const iphone = `${mozilla} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1`;
const ipad = `${mozilla} (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1`;
const android = `${mozilla} (Linux; Android 15; Pixel 9) ${webkit} Chrome/142.0.0.0 Mobile Safari/537.36`;
const linux = `${mozilla} (X11; Linux x86_64) ${webkit} Chrome/142.0.0.0 Safari/537.36`;
const mac = `${mozilla} (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Chrome/142.0.0.0 Safari/537.36`;
const edge = `${mozilla} (Windows NT 10.0; Win64; x64) ${webkit} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0`;
const firefox = `${mozilla} (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0`;
const samsung = `${mozilla} (Linux; Android 14; SAMSUNG SM-S918B) ${webkit} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36`;
const opera = `${mozilla} (X11; Linux x86_64) ${webkit} Chrome/142.0.0.0 Safari/537.36 OPR/126.0.0.0`;
const safari = `${mozilla} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15`;
const firefoxIos = `${mozilla} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/605.1.15`;
const chromebook = `${mozilla} (X11; CrOS x86_64 14541.0.0) ${webkit} Chrome/142.0.0.0 Safari/537.36`;
const sentence = "Your account was hacked. Open the link below to save it";
const url = "https://evil.example/login";

describe("userAgentLabel", () => {
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
    ["Samsung Internet on Android", samsung],
    ["Opera on Linux", opera],
    ["Safari on Mac", safari],
    ["Firefox on iPhone", firefoxIos],
    ["Chrome on ChromeOS", chromebook],
    ["Chrome on Linux", linux.replace(" Chrome", " Brave Chrome")], // Brave identifies as Chrome
    ["Unknown browser", "curl/8.5.0"],
    ["Unknown browser", "node"],
    ["Unknown browser", "?"],
    ["Unknown browser on Linux", `${mozilla} (X11; Linux x86_64) Nothing/1.0`],
    ["Chrome", "Chrome/142.0.0.0 "],
  ])("is %s for a header of that client", (name, userAgent) => {
    expect(userAgentLabel(userAgent)).toBe(name);
  });

  it.each([
    sentence,
    url,
    `${sentence}/1.0 (x)`,
    `${sentence}/1.0 x`,
    `${url} /1.0 `,
    `${url}/1 (evil.example) evil`,
    "constructor/1.0 (x)",
    "__proto__/1.0 (x)",
    "\0\u0007/1 ",
    "evil\u202egpj.exe/1.0 (x)",
    "<script>/1.0 (x)",
    "x".repeat(512),
    "()".repeat(256),
  ])("is Unknown browser for %j", (userAgent) => {
    expect(userAgentLabel(userAgent)).toBe("Unknown browser");
  });

  it("ignores other text beside a known browser or system", () => {
    for (const text of [sentence, url])
      for (const real of [iphone, linux, firefox, samsung]) {
        expect(userAgentLabel(`${text} ${real}`)).toMatch(fromTheLists);
        expect(userAgentLabel(`${real} ${text}`)).toMatch(fromTheLists);
        expect(userAgentLabel(real.replace("(", `(${text}; `))).toMatch(fromTheLists);
        expect(userAgentLabel(real.replaceAll(/\w+(?=\/)/g, text))).toMatch(fromTheLists);
      }
  });

  const fromTheLists =
    /^(Unknown browser|Chrome|Firefox|Safari|Samsung Internet)( on (Android|iPhone|iOS|Linux|Windows))?$/;
});

describe("deviceLabel", () => {
  it("is the app's own name without links, else the label of the User-Agent", () => {
    const label = (deviceName: string | null) => deviceLabel({ deviceName, userAgent: linux });
    expect(label("Pixel 9")).toBe("Pixel 9");
    expect(label("go to evil.example")).toBe("go to evil example");
    expect(label("\u202e")).toBe("Chrome on Linux");
    expect(label(url)).toBe("Chrome on Linux");
    expect(label(null)).toBe("Chrome on Linux");
  });
});

describe("isHandheld", () => {
  it("tells phones and tablets from the rest", () => {
    expect([iphone, ipad, android].map(isHandheld)).toEqual([true, true, true]);
    expect([linux, mac, edge, firefox, null, ""].map(isHandheld)).not.toContain(true);
  });
});
