import { randomBytes } from "node:crypto";
import type Stripe from "stripe";

/*
 * Building blocks of the stand-in's objects: ids, lists, decimals, null fields. Security: an id has
 * 128 random bits, because the pages of a checkout and of a portal are opened by their id alone.
 */

export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString("hex")}`;
}

export function listOf<T>(data: T[], url: string, hasMore = false): Stripe.ApiList<T> {
  return { object: "list", data, has_more: hasMore, url };
}

/** In JSON, a decimal is a string. */
export function decimal(amount: number): Stripe.Decimal {
  return String(amount) as unknown as Stripe.Decimal;
}

/** Returns the given fields as null. The type check ensures that the object has such fields. */
export function nulls<T = Record<string, unknown>>() {
  return <K extends keyof T & string>(...keys: K[]): Record<K, null> =>
    // Its keys are exactly the given ones.
    Object.fromEntries(keys.map((key) => [key, null])) as Record<K, null>;
}
