/* How pages write amounts, counts and days. */

/** An amount in the smallest unit of its currency: €8, €9.50. */
export function money(cents: number, currency: string): string {
  return new Intl.NumberFormat("en-IE", {
    ...{ style: "currency", currency, trailingZeroDisplay: "stripIfInteger" },
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
