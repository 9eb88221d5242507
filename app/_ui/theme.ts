import { days } from "@/lib/time";

export type Theme = "system" | "light" | "dark";

/** Seconds. A year: the choice is made once per browser. */
export const themeMaxAge = days(365) / 1000;

/**
 * The theme cookie's name. `__Host-` makes the browser refuse the cookie from a subdomain and over
 * http; plain http is a developer's own machine. Readable by scripts: the toggle writes it.
 */
export function themeCookie(https: boolean): string {
  return https ? "__Host-theme" : "theme";
}

/** The cookie's value as a theme. It is the browser's to set, so anything else means "system". */
export function parseTheme(value: unknown): Theme {
  return value === "light" || value === "dark" ? value : "system";
}
