export type Theme = "system" | "light" | "dark";

/** The cookie's value as a theme. It is the browser's to set, so anything else means "system". */
export function parseTheme(value: unknown): Theme {
  return value === "light" || value === "dark" ? value : "system";
}
