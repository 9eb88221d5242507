/*
 * Owns when questions of one kind travel together. A pool answers as many statements at once as it
 * has connections; what comes while all of them are under way would wait its turn anyway. It waits
 * here instead, and leaves as one statement as soon as one is back. So nobody waits longer, and the
 * busier a server is, the less each question costs.
 */

type Waiting<Key, Answer> = {
  key: Key;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
};

/** Bounds the statement, and with it how long the slowest question of a batch can hold the others. */
const BATCH = 100;

/**
 * A function that asks `one` while fewer than `width` statements are under way, and `many`, in the
 * order of its keys, otherwise. What a question sees is never older than the question: a statement
 * leaves after all of its questions came. A failure is that of every question it carried.
 */
export function gather<Key, Answer>(
  width: number,
  one: (key: Key) => Promise<Answer>,
  many: (keys: Key[]) => Promise<Answer[]>,
): (key: Key) => Promise<Answer> {
  let underway = 0;
  const waiting: Waiting<Key, Answer>[] = [];

  async function travel<T>(statement: Promise<T>): Promise<T> {
    underway++;
    try {
      return await statement;
    } finally {
      underway--;
      if (waiting.length > 0) leave(waiting.splice(0, BATCH));
    }
  }

  function leave(batch: Waiting<Key, Answer>[]): void {
    travel(many(batch.map(({ key }) => key))).then(
      (answers) => {
        for (const [at, { resolve }] of batch.entries()) resolve(answers[at] as Answer);
      },
      (error) => {
        for (const { reject } of batch) reject(error);
      },
    );
  }

  return (key) =>
    underway < width
      ? travel(one(key))
      : new Promise((resolve, reject) => waiting.push({ key, resolve, reject }));
}
