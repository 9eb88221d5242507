import { describe, expect, it } from "vitest";
import { describeVisit } from "@/lib/auth/mails/visit";

const at = "2026-03-01T12:30:00.000Z";
const described = (ip: string | null, userAgent: string | null) =>
  describeVisit({ at, client: { ip, userAgent } });

describe("describeVisit", () => {
  it("states the time, the user-agent label and the IP address", () => {
    const chrome =
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36";
    expect(described("203.0.113.9", chrome)).toBe(
      "on 1 March 2026 at 12:30 (UTC) from Chrome on Linux, IP address 203.0.113.9",
    );
  });

  it("states only what is known", () => {
    expect(described(null, null)).toBe("on 1 March 2026 at 12:30 (UTC) from Unknown device");
  });

  it("repeats no part of a User-Agent", () => {
    const text = described(null, "Your account was hacked, open https://evil.example/1.0 (x)");
    expect(text).toContain("from Unknown browser");
    expect(text).not.toMatch(/hacked|evil/);
  });
});
