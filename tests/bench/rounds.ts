import { median, quantile } from "./statistics";

/*
 * A machine is never quiet, so no contestant is measured alone: they take short turns, each round
 * begins with another one, and a ratio is taken within its round. The median of such ratios holds
 * still where the rates themselves do not.
 */

export type Contestant = {
  name: string;
  /** Works for so many milliseconds; answers how many times per second. */
  run(milliseconds: number): Promise<number>;
};

export type Race = {
  title: string;
  /** The first is the measure of the others. */
  results: Result[];
  /** The name of the one that this is about, and the ratio it should reach. */
  ours: string;
  goal?: number;
};

export type Result = {
  name: string;
  /** Median of the rounds. */
  perSecond: number;
  /** To the first contestant, round by round. */
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

/** Keeps so many calls in flight for a while; answers how many per second came back. */
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
