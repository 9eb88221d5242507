import { sessionPolicy } from "@/lib/auth/policy";
import { isToken } from "@/lib/auth/secrets";

/*
 * Defines the session cookie as plain data: its name, its attributes, and how it is read.
 * lib/web/cookies.ts reads and writes it. Security: with the `__Host-` prefix, the browser refuses
 * the cookie from a subdomain, over http or with another path, so only this host can set it.
 */

export type SessionCookie = {
  name: string;
  attributes: { httpOnly: true; secure: boolean; sameSite: "lax"; path: "/" };
};

/** Plain http is used only on a developer's own machine (lib/env.ts ensures that). */
export function sessionCookie(appUrl: string): SessionCookie {
  const secure = appUrl.startsWith("https:");
  return {
    name: secure ? "__Host-session" : "session",
    attributes: { httpOnly: true, secure, sameSite: "lax", path: "/" },
  };
}

/**
 * Returns the cookie's lifetime in seconds, or undefined without "Remember me", so that closing the
 * browser deletes the cookie.
 */
export function cookieMaxAge(persistent: boolean): number | undefined {
  return persistent ? sessionPolicy.persistent.absolute / 1000 : undefined;
}

/**
 * Returns the token in a raw `Cookie` header, or null. Also returns null if the name was sent
 * twice: one of the two was planted, and the attacker must not decide which one counts.
 */
export function readSessionToken(header: string | null, name: string): string | null {
  const values = (header ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  const [value] = values;
  return values.length === 1 && isToken(value) ? value : null;
}
