import { describe, expect, it } from "vitest";
import { gather } from "@/lib/db/gather";
import { times } from "@/tests/support/races";

describe("gather", () => {
  it("asks one by one while there are connections, and waits for nobody", async () => {
    const { ask, sent, answer } = questions(3);
    const answers = [1, 2, 3].map(ask);
    expect(sent).toEqual([[1], [2], [3]]);
    answer();
    expect(await Promise.all(answers)).toEqual(["1", "2", "3"]);
  });

  it("sends what came meanwhile together, as soon as one is back", async () => {
    const { ask, sent, answer } = questions(2);
    const answers = [1, 2, 3, 4, 5].map(ask);
    expect(sent).toEqual([[1], [2]]);
    answer(1);
    await answers[0];
    expect(sent).toEqual([[1], [2], [3, 4, 5]]);
    answer();
    expect(await Promise.all(answers)).toEqual(["1", "2", "3", "4", "5"]);
  });

  it("lets nobody join a statement that has left", async () => {
    const { ask, sent, answer } = questions(1);
    const answers = [1, 2].map(ask);
    answer(1);
    await answers[0];
    answers.push(ask(2));
    expect(sent).toEqual([[1], [2]]);
    answer(1);
    await answers[1];
    expect(sent).toEqual([[1], [2], [2]]);
    answer();
    expect(await Promise.all(answers)).toEqual(["1", "2", "2"]);
  });

  it("never carries more than 100, in no more than two statements at once", async () => {
    const { ask, sent, answer } = questions(4);
    const answers = times(354, ask);
    answer(4);
    await Promise.all(answers.slice(0, 4));
    expect(sent.slice(4).map((keys) => keys.length)).toEqual([100, 100]);
    answer(2);
    await Promise.all(answers.slice(4, 204));
    expect(sent.slice(6).map((keys) => keys.length)).toEqual([100, 50]);
    answer();
    expect(await Promise.all(answers)).toEqual(times(354, String));
  });

  it("goes on beside a statement that never comes back", async () => {
    const { ask, sent, answer, lose } = questions(3);
    const answers = times(4, ask);
    answer(3);
    await Promise.all(answers.slice(0, 3));
    expect(sent.slice(3)).toEqual([[3]]);
    lose();
    const later = [4, 5, 6].map(ask);
    expect(sent.slice(4)).toEqual([[4]]);
    answer();
    expect(await later[0]).toBe("4");
    expect(sent.slice(5)).toEqual([[5, 6]]);
    answer();
    expect(await Promise.all(later)).toEqual(["4", "5", "6"]);
  });

  it("asks one by one again when the rush is over", async () => {
    const { ask, sent, answer } = questions(2);
    const rush = [1, 2, 3].map(ask);
    answer();
    await rush[0];
    answer();
    await Promise.all(rush);
    const answers = [4, 5].map(ask);
    expect(sent.slice(2)).toEqual([[3], [4], [5]]);
    answer();
    expect(await Promise.all(answers)).toEqual(["4", "5"]);
  });

  it("lets a failure reach all that travelled together, and nobody else", async () => {
    const { ask, fail, answer } = questions(1);
    const answers = [1, 2, 3].map(ask);
    answer(1);
    await answers[0];
    fail(new Error("gone"));
    expect(await Promise.allSettled(answers.slice(1))).toMatchObject([
      { status: "rejected", reason: new Error("gone") },
      { status: "rejected", reason: new Error("gone") },
    ]);
    const next = ask(4);
    answer();
    expect(await next).toBe("4");
  });
});

/** A gatherer whose statements come back when the test says so, oldest first. */
function questions(width: number) {
  type Open = {
    keys: number[];
    resolve(answers: string[]): void;
    reject(error: Error): void;
  };
  const sent: number[][] = [];
  const open: Open[] = [];
  const send = (keys: number[]): Promise<string[]> => {
    sent.push(keys);
    return new Promise((resolve, reject) => open.push({ keys, resolve, reject }));
  };
  return {
    sent,
    ask: gather<number, string | undefined>(
      width,
      async (key) => (await send([key]))[0],
      (keys) => send(keys),
    ),
    answer(count = open.length) {
      for (const { keys, resolve } of open.splice(0, count)) resolve(keys.map(String));
    },
    /** The oldest will not come back. */
    lose: () => void open.shift(),
    fail(error: Error) {
      for (const { reject } of open.splice(0)) reject(error);
    },
  };
}
