import { median, quantile } from "./statistics";

/*
 * A machine is never idle, so no contestant is measured alone: they take short turns, each round
 * begins with another contestant, and ratios are taken within a round. The median of these ratios
 * is stable even when the rates are not.
 */

export type Contestant = {
  name: string;
  /** Works for this many milliseconds. Returns the rate per second. */
  run(milliseconds: number): Promise<number>;
};

export type Race = {
  title: string;
  /** The others are compared with the first. */
  results: Result[];
  /** The name of the contestant that the race is about, and the ratio it should reach. */
  ours: string;
  goal?: number;
};

export type Result = {
  name: string;
  /** The median of the rounds. */
  perSecond: number;
  /** The ratio to the first contestant, round by round. */
  ratio: { median: number; p10: number; p90: number };
};

/** `turn` in milliseconds. */
export type Length = { rounds: number; turn: number };

export async function run(contestants: Contestant[], { rounds, turn }: Length): Promise<Result[]> {
  const rates: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < contestants.length; place++) {
      const at = (round + place) % contestants.length;
      const rate = await contestants[at]?.run(turn);
      if (rate !== undefined) rates[at]?.push(rate);
    }
  }
  return contestants.map(({ name }, at) => summary(name, rates[at] ?? [], rates[0] ?? []));
}

function summary(name: string, rates: number[], measure: number[]): Result {
  const ratios = rates.map((rate, round) => rate / (measure[round] ?? Number.NaN));
  const ratio = { median: median(ratios), p10: quantile(ratios, 0.1), p90: quantile(ratios, 0.9) };
  return { name, perSecond: median(rates), ratio };
}

/** Keeps this many calls in flight for a while. Returns how many per second completed. */
export async function throughput(
  call: () => Promise<unknown>,
  inFlight: number,
  milliseconds: number,
): Promise<number> {
  const start = performance.now();
  let calls = 0;
  const caller = async () => {
    for (; performance.now() - start < milliseconds; calls++) await call();
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return (calls * 1000) / (performance.now() - start);
}
