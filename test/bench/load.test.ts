// What the load generator sends and when it says so, with targets that answer at once.
import { expect, it } from "vitest";
import { type Repeat, runRepeat } from "../../src/bench/load.js";
import type { Ask, PlannedAsk, Progress, RequestRecord } from "../../src/bench/record.js";
import { AnswerStream } from "../../src/bench/sse.js";
import type { Target } from "../../src/bench/target.js";

const planned: PlannedAsk = {
  ...{ content: { prompt: "Hello" }, outputTokens: 8, temperature: 0, seed: 0 },
  ...{ turn: null, cancelAt: null, answered: () => {} },
};

function repeat(concurrency: number, next: () => PlannedAsk = () => planned): Repeat {
  return {
    load: { type: "concurrency", concurrency },
    amount: { warmup: concurrency, requests: 2 * concurrency, seconds: undefined },
    ...{ next, needsAnswers: false, traceMs: [], seed: "", timeoutMs: 1000 },
    signal: new AbortController().signal,
  };
}

/** A target that finishes every request after one turn of the event loop. */
function target(run: (ask: Ask, progress: Progress) => void): Target {
  return {
    ...{ identity: {}, lookEveryMs: 1000, power: null },
    sizer: { overhead: 0, cut: (text) => text, wordsFor: (tokens) => tokens },
    run: async (ask, progress) => {
      run(ask, progress);
      const nothing = { usage: null, queueMs: null, engineFirstTokenMs: null, text: "" };
      return { ...nothing, outcome: { type: "finished", finishReason: "length" } };
    },
    counters: async () => null,
    kvUse: async () => null,
    score: async () => ({ type: "none", reason: "no model" }),
    continued: async () => ({ type: "none", reason: "no model" }),
    physics: async () => null,
    close: async () => {},
  };
}

async function lengthsOf(order: Repeat): Promise<number[]> {
  const asked: number[] = [];
  await runRepeat(
    target(({ outputTokens }) => asked.push(outputTokens)),
    order,
    () => {},
  );
  return asked;
}

it("streams of a closed loop warm up with answers of evenly spread lengths, and measure whole ones", async () => {
  expect(await lengthsOf(repeat(4))).toEqual([2, 4, 6, 8, ...Array<number>(8).fill(8)]);
  expect(await lengthsOf(repeat(1))).toEqual([8, 8, 8]);
  expect(await lengthsOf(repeat(16, () => ({ ...planned, outputTokens: 1 })))).toEqual(
    Array<number>(48).fill(1),
  );
});

it("conversations warm up with whole answers, which their later prompts hold", async () => {
  expect(await lengthsOf(repeat(4, () => ({ ...planned, turn: 1 })))).toEqual(Array<number>(12).fill(8));
});

it("requests without a warm-up are sent as they are", async () => {
  const order = repeat(4);
  const cold = { ...order, amount: { ...order.amount, warmup: 0 } };
  expect(await lengthsOf(cold)).toEqual(Array<number>(8).fill(8));
});

it("a request is sent when its target says so, not when it was called", async () => {
  const records: RequestRecord[] = [];
  const telling = target((_, progress) => {
    progress.sending?.(1234);
    progress.sending?.(1300); // once more, on a new connection
    progress.arrived(1240, null);
  });
  await runRepeat(telling, repeat(1), (record) => records.push(record));
  expect(records.map(({ sentMs, arrivalsMs }) => [sentMs, arrivalsMs])).toEqual(
    Array<unknown>(3).fill([1234, [1240]]),
  );
});

it("bytes of an answer are parsed after all that came at the same time, with the times at which they came", () => {
  const seen: number[] = [];
  const answer = new AnswerStream({ arrived: (atMs) => seen.push(atMs) });
  const event = (text: string) => new TextEncoder().encode(`data: {"choices":[{"text":"${text}"}]}\n\n`);
  answer.feed(event("a"), 1);
  answer.feed(event("b"), 2);
  expect(seen).toEqual([]);
  expect(answer.end().text).toBe("ab");
  expect(seen).toEqual([1, 2]);
});
