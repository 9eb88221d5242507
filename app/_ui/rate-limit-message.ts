/** Returns the message of a form after too many attempts. `retryAfter` is in seconds. */
export function rateLimitMessage(retryAfter: number): string {
  if (retryAfter < 60) return `Too many attempts. Try again in ${count(retryAfter, "second")}.`;
  return `Too many attempts. Try again in ${count(Math.ceil(retryAfter / 60), "minute")}.`;
}

function count(n: number, unit: string): string {
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}
