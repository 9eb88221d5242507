import { day } from "./format";

const steps = [
  { unit: "year", size: 365 * 24 * 3600 },
  { unit: "month", size: 30 * 24 * 3600 },
  { unit: "day", size: 24 * 3600 },
  { unit: "hour", size: 3600 },
  { unit: "minute", size: 60 },
] as const;

const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "short",
  timeZone: "UTC",
});

/** "3 hours ago", with the exact time on hover and for machines. */
export function Time({ at }: { at: Date }) {
  return <time {...timeOf(at)} />;
}

/** Returns the properties of the `<time>` element, for a client component. */
export function timeOf(at: Date): { dateTime: string; title: string; children: string } {
  return { dateTime: at.toISOString(), title: `${exact.format(at)} UTC`, children: relative(at) };
}

/** A day in the past or the future, as in "12 May 2027". */
export function Day({ at }: { at: Date }) {
  return <time dateTime={at.toISOString()}>{day(at)}</time>;
}

export function relative(at: Date, now: Date = new Date()): string {
  const ago = Math.max(0, (now.getTime() - at.getTime()) / 1000);
  const step = steps.find(({ size }) => ago >= size);
  return step ? words.format(-Math.floor(ago / step.size), step.unit) : "just now";
}
