import { plainName } from "@/lib/plain-name";

/** Returns a name, which an attacker may have chosen, as a mail shows it. Never empty. */
export function shownName(typed: string): string {
  return plainName(typed) || "(no name)";
}
