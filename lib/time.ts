/** Durations in milliseconds, named so that the unit is visible beside the number. */
export const seconds = (n: number): number => n * 1000;
export const minutes = (n: number): number => seconds(n * 60);
export const hours = (n: number): number => minutes(n * 60);
export const days = (n: number): number => hours(n * 24);

const units: [name: string, length: number][] = [
  ["days", days(1)],
  ["hours", hours(1)],
  ["minutes", minutes(1)],
  ["seconds", seconds(1)],
];

/** A duration in words, in the largest unit of which it has at least two: "7 days", "24 hours". */
export function inWords(duration: number): string {
  if (duration === hours(1)) return "an hour";
  const isWhole = (length: number) => duration % length === 0 && duration >= 2 * length;
  const [name, length] = units.find(([, each]) => isWhole(each)) ?? ["seconds", seconds(1)];
  return `${duration / length} ${name}`;
}
