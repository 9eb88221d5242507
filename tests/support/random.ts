import { expect } from "@playwright/test";
import fc from "fast-check";
import type { Answer } from "./http-client";

/* Generates random parts of requests, and checks what every response to one must satisfy. */

/** The seed of every run, so that the same code gives the same result. Change it to search on. */
export const seed = 20261129;

const nasty = [
  ...[
    "",
    " ",
    "\0",
    "\ud800",
    "%",
    "%00",
    "%ff",
    "../..",
    "..%2f",
    "//evil.example",
    "javascript:1",
  ],
  ...["null", "undefined", "NaN", "-1", "1e309", "9".repeat(40), "[]", "{}", "[object Object]"],
  ...["__proto__", "constructor", "toString", "$1", "$K1", "$F1", "$@1", "$Q1", "$undefined"],
  ...["00000000-0000-0000-0000-000000000000", "\u202e名前", "👩‍👩‍👧‍👦", "ﬃ", "İ", "'; --", "<b>"],
];
export const text = fc.oneof(
  fc.constantFrom(...nasty),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.constant("x".repeat(20_000)),
);
/** Texts that a URL and a header can contain. */
export const visible = fc.oneof(
  text.map((each) => encodeURIComponent(each.toWellFormed()).slice(0, 2000)),
  fc.string({ unit: fc.constantFrom(..."%&=?;:[]{}\"'|^`,.~!*()$@+-_aZ09\\"), maxLength: 60 }),
);
/** Headers that Next uses to decide how to respond. */
export const headers = fc.dictionary(
  fc.constantFrom(
    ...["rsc", "next-router-prefetch", "next-router-state-tree", "next-router-segment-prefetch"],
    ...["next-url", "next-html-request-id", "x-nextjs-data", "x-middleware-subrequest"],
    ...["x-refused", "x-path", "content-security-policy", "accept", "accept-encoding", "range"],
    ...["if-none-match", "x-forwarded-host", "x-forwarded-proto", "x-request-id", "cookie"],
  ),
  visible,
  { maxKeys: 3 },
);

export function expectAnswer({ status, body }: Answer): void {
  expect(status).toBeLessThan(500);
  expect(body).not.toMatch(/\bat \S+ \(\S+:\d+:\d+\)|node_modules/); // a stack trace
}
