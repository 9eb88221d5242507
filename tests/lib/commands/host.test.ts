import { describe, expect, it } from "vitest";
import { chooseHost } from "@/lib/commands/host";

describe("chooseHost", () => {
  it.each([
    ["127.0.0.1", []],
    ["0.0.0.0", ["--host"]],
    ["0.0.0.0", ["--host", "0.0.0.0"]],
    ["192.0.2.7", ["--host", "192.0.2.7"]],
    ["192.0.2.7", ["--host=192.0.2.7"]],
    ["::1", ["--host", "::1"]],
  ])("is %s for %j", (host, words) => {
    expect(chooseHost(words)).toBe(host);
  });

  it.each([
    [["0.0.0.0"]],
    [["--hostname", "0.0.0.0"]],
    [["--host="]],
    [["--host", "--port"]],
    [["--host", "192.0.2.7", "3000"]],
    [["--host=192.0.2.7", "--host"]],
  ])("refuses %j in a sentence", (words) => {
    expect(() => chooseHost(words)).toThrow(/does not know .* `npm run dev -- --host`/);
  });
});
