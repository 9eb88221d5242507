import Bowser from "bowser";

const systems: Record<string, string> = { "Chrome OS": "ChromeOS", macOS: "Mac" };

/**
 * A User-Agent header as a person would name the device: "Chrome on Linux", "Safari on iPhone".
 * The header is the client's own word: show it, decide nothing by it.
 */
export function deviceName(userAgent: string | null): string {
  if (!userAgent) return "Unknown device";
  const { browser, os, platform } = Bowser.parse(userAgent);
  const system =
    platform.model === "iPhone" || platform.model === "iPad"
      ? platform.model
      : os.name && (systems[os.name] ?? os.name);
  const known = browser.name?.replace(/^(Microsoft|Mobile) /, "");
  if (known && system) return `${known} on ${system}`;
  return known || system || "Unknown device";
}

/** Which picture fits the device. */
export function isHandheld(userAgent: string | null): boolean {
  return !!userAgent && /^(mobile|tablet)$/.test(Bowser.parse(userAgent).platform.type ?? "");
}
