import { randomBytes } from "node:crypto";
import type Stripe from "stripe";

/*
 * Owns what the objects of the stand-in are made of: ids, lists, decimals, fields that are null. The security fact: an
 * id has 128 random bits, because the pages of a checkout and of a portal are opened by their id alone.
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

/** Fields that are null here, checked to be fields of the object. */
export function nulls<T = Record<string, unknown>>() {
  return <K extends keyof T & string>(...keys: K[]): Record<K, null> =>
    // Its keys are those given.
    Object.fromEntries(keys.map((key) => [key, null])) as Record<K, null>;
}
