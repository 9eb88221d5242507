import { days } from "./time";

/*
 * How a browser keeps the choice of light or dark: in a cookie that only scripts read, so that no
 * page depends on it and public pages can be files.
 */

export type Theme = "system" | "light" | "dark";

/** In seconds. A year, because the choice is made once per browser. */
export const themeMaxAge = days(365) / 1000;

/**
 * Returns the theme cookie's name. `__Host-` makes the browser refuse the cookie from a subdomain
 * and over http; plain http is only used on a developer's own machine. Scripts can read it, because
 * the toggle writes it.
 */
export function themeCookie(https: boolean): string {
  return https ? "__Host-theme" : "theme";
}

/**
 * Sets the chosen theme before the first paint. The script is inline in the head of each page, and
 * the Content Security Policy has its hash (response-headers.ts). Any other value of the cookie
 * means "system".
 */
export const themeScript: string = `{const t=document.cookie.match(new RegExp("(?:^|; )"+(location.protocol==="https:"?"${themeCookie(true)}":"${themeCookie(false)}")+"=(light|dark)(?:;|$)"));if(t)document.documentElement.dataset.theme=t[1]}`;
