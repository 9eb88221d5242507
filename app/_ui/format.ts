/* Formats amounts, counts and days for pages. */

/**
 * Formats an amount, given in the currency's smallest unit as the provider counts (cents, but whole
 * yen): €8, €9.50.
 */
export function money(amount: number, currency: string): string {
  const format = new Intl.NumberFormat("en-IE", {
    ...{ style: "currency", currency, trailingZeroDisplay: "stripIfInteger" },
  });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/** "1 member", "2 members". */
export function countOf(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

const format = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

/** Formats a day, as in "Pro until 12 May 2027". */
export function day(date: Date): string {
  return format.format(date);
}
