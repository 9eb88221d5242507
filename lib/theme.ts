import { days } from "./time";

/*
 * Owns how a browser keeps the choice of light or dark: a cookie that scripts alone read, so that no page
 * depends on it and public pages can be files.
 */

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

/**
 * Sets the chosen theme before the first paint. It stands inline in the head of each page, and the Content
 * Security Policy names its hash (response-headers.ts). Any other value of the cookie means "system".
 */
export const themeScript: string = `{const t=document.cookie.match(new RegExp("(?:^|; )"+(location.protocol==="https:"?"${themeCookie(true)}":"${themeCookie(false)}")+"=(light|dark)(?:;|$)"));if(t)document.documentElement.dataset.theme=t[1]}`;
