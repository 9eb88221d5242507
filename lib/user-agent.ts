import Bowser from "bowser";
import { plainName } from "./plain-name";

/*
 * User-agent labels, which pages and mails show for a client, and the names of devices (a
 * session's row). The client chooses its User-Agent header: decide nothing by it. Only names
 * from these two lists are shown, never text from the header, which Bowser returns for a browser
 * that it does not know.
 */

const browsers = new Map([
  ["Brave", "Brave"],
  ["Chrome", "Chrome"],
  ["Chromium", "Chromium"],
  ["DuckDuckGo", "DuckDuckGo"],
  ["Firefox", "Firefox"],
  ["Internet Explorer", "Internet Explorer"],
  ["Microsoft Edge", "Edge"],
  ["Opera", "Opera"],
  ["Safari", "Safari"],
  ["Samsung Internet for Android", "Samsung Internet"],
  ["UC Browser", "UC Browser"],
  ["Vivaldi", "Vivaldi"],
  ["Yandex Browser", "Yandex Browser"],
]);

/** iPhone and iPad are models, which are more specific than iOS. */
const systems = new Map([
  ["Android", "Android"],
  ["Chrome OS", "ChromeOS"],
  ["HarmonyOS", "HarmonyOS"],
  ["iOS", "iOS"],
  ["iPad", "iPad"],
  ["iPhone", "iPhone"],
  ["Linux", "Linux"],
  ["macOS", "Mac"],
  ["Windows", "Windows"],
]);

/** Returns the name that an app gave the session, else its user-agent label. */
export function deviceLabel(session: {
  deviceName: string | null;
  userAgent: string | null;
}): string {
  return plainName(session.deviceName ?? "") || userAgentLabel(session.userAgent);
}

/** "Chrome on Linux", "Safari on iPhone", "Unknown browser on Windows", "Unknown browser". */
export function userAgentLabel(userAgent: string | null): string {
  if (!userAgent) return "Unknown device";
  const { browser, os, platform } = Bowser.parse(userAgent);
  const name = browsers.get(browser.name ?? "") ?? "Unknown browser";
  const system = systems.get(platform.model ?? "") ?? systems.get(os.name ?? "");
  return system ? `${name} on ${system}` : name;
}

/** Whether the client is a phone or a tablet, which selects its picture. */
export function isHandheld(userAgent: string | null): boolean {
  return !!userAgent && /^(mobile|tablet)$/.test(Bowser.parse(userAgent).platform.type ?? "");
}
