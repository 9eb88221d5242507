import { currency } from "@/lib/billing/plans";

/** An amount in cents, as users read it: €8, €9.50. */
export function money(cents: number, of: string = currency): string {
  return new Intl.NumberFormat("en-IE", {
    style: "currency",
    currency: of,
    trailingZeroDisplay: "stripIfInteger",
  }).format(cents / 100);
}

/** "1 member", "2 members". */
export function countOf(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

const format = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

/** A day, as in "Pro until 12 May 2027". */
export function day(date: Date): string {
  return format.format(date);
}
