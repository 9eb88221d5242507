import type Stripe from "stripe";
import { invalid } from "./errors";

/* Reads the parameters of a request, as the SDK sends them. */

/** The parameters of a request, by the names that the SDK sends: `items[0][quantity]`. */
export class Params {
  constructor(private readonly fields: URLSearchParams) {}

  names(): string[] {
    return [...this.fields.keys()];
  }

  /** Returns the same text for the same parameters in any order. */
  canonical(): string {
    const sorted = new URLSearchParams(this.fields);
    sorted.sort();
    return sorted.toString();
  }

  /** Returns null if it is absent or empty. */
  text(name: string): string | null {
    return this.fields.get(name) || null;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === null)
      throw invalid(`Missing required param: ${name}.`, name, "parameter_missing");
    return value;
  }

  integer(name: string): number | null {
    const value = this.text(name);
    if (value === null) return null;
    if (!/^-?\d{1,15}$/.test(value)) throw invalid(`Invalid integer: ${value}`, name);
    return Number(value);
  }

  flag(name: string): boolean | null {
    const value = this.text(name);
    if (value !== null && value !== "true" && value !== "false")
      throw invalid(`Invalid boolean: ${value}`, name);
    return value === null ? null : value === "true";
  }

  url(name: string): string | null {
    const value = this.text(name);
    if (value === null) return null;
    if (!/^https?:\/\//i.test(value) || !URL.canParse(value))
      throw invalid("Not a valid URL", name);
    return value;
  }

  list(name: string): string[] {
    const items = [...this.fields].filter(([key]) => plainName(key) === `${name}[]`);
    return items.map(([, value]) => value);
  }

  /** An empty value deletes its key. */
  metadata(name: string, before: Stripe.Metadata = {}): Stripe.Metadata {
    const all = new Map(Object.entries(before));
    for (const [key, value] of this.fields) {
      if (!key.startsWith(`${name}[`) || !key.endsWith("]")) continue;
      const entry = key.slice(name.length + 1, -1);
      if (value) all.set(entry, value);
      else all.delete(entry);
    }
    return Object.fromEntries(all);
  }
}

/** Returns a name without the index of a list or the key of metadata. */
export function plainName(name: string): string {
  return name
    .replace(/^(\w+)\[\d*\]$/, "$1[]")
    .replace(/metadata(\]?)\[[^[\]]+\]$/, "metadata$1[]");
}

export function quantityOf(params: Params, name: string): number | null {
  const quantity = params.integer(name);
  if (quantity !== null && (quantity < 1 || quantity > 999_999))
    throw invalid("This value must be greater than or equal to 1.", name);
  return quantity;
}

export function currencyOf(params: Params): string {
  const currency = params.required("currency").toLowerCase();
  if (/^[a-z]{3}$/.test(currency)) return currency;
  throw invalid(`Invalid currency: ${currency}.`, "currency");
}
