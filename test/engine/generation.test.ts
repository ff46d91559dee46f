// A generation as iterable and promise, against a host without an addon.
import { describe, expect, it } from "vitest";
import type { AnswerReading, Choice } from "../../src/engine/choice.js";
import type { GenerationEvent } from "../../src/engine/events.js";
import { Generation } from "../../src/engine/generation.js";
import { GenerationRecord } from "../../src/engine/generation-record.js";
import { caught } from "../helpers/caught.js";
import { FakeHost, nativeEnd } from "../helpers/fake-engine.js";

function begin() {
  const host = new FakeHost();
  const record = new GenerationRecord([1], host);
  const [choice] = record.choices as [Choice];
  choice.accept();
  return { host, record, choice, run: new Generation(record, 9n) };
}

async function eventsOf(run: AsyncIterable<GenerationEvent>): Promise<GenerationEvent[]> {
  const events: GenerationEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

const end = {
  type: "end",
  finishReason: "stop",
  usage: { promptTokens: 3, cachedPromptTokens: 1, completionTokens: 2 },
  timings: { queueMs: 1, prefillMs: 2, decodeMs: 4, totalMs: 7, timeToFirstTokenMs: 3, tokensPerSecond: 250 },
};

describe("iterating", () => {
  it("gives the deltas in order and then one end", async () => {
    const { choice, run } = begin();
    const reading = eventsOf(run);
    choice.deliver("on", [1]);
    choice.deliver("ce", [2]);
    choice.finish(nativeEnd());
    expect(await reading).toEqual([
      { type: "text-delta", choiceIndex: 0, text: "on", tokens: [1] },
      { type: "text-delta", choiceIndex: 0, text: "ce", tokens: [2] },
      end,
    ]);
  });

  it("gives what came before it began, to each who iterates", async () => {
    const { choice, run } = begin();
    choice.deliver("once", [1]);
    choice.finish(nativeEnd());
    const first = await eventsOf(run);
    expect(first).toHaveLength(2);
    expect(await eventsOf(run)).toEqual(first);
  });

  it("cancels when the reader leaves, once", async () => {
    const { host, choice, run } = begin();
    choice.deliver("once", [1]);
    for await (const event of run) {
      expect(event.type).toBe("text-delta");
      break;
    }
    run.cancel();
    expect(host.cancelled).toEqual([1]);
    choice.finish(nativeEnd({ reason: "cancelled" }));
    expect((await run).finishReason).toBe("cancelled");
  });

  it("cancels at once when a reader leaves while it waits for an event", async () => {
    const { host, choice, run } = begin();
    const iterator = run[Symbol.asyncIterator]();
    const pending = iterator.next();
    const left = iterator.return?.();
    expect(host.cancelled).toEqual([1]);
    choice.finish(nativeEnd({ reason: "cancelled" }));
    expect(await pending).toMatchObject({ done: false, value: { type: "end" } });
    expect(await left).toEqual({ done: true, value: undefined });
  });

  it("cancels when a reader leaves before its first event", async () => {
    const { host, run } = begin();
    await run[Symbol.asyncIterator]().return?.();
    expect(host.cancelled).toEqual([1]);
  });

  it("does not cancel what has ended", async () => {
    const { host, choice, run } = begin();
    choice.deliver("once", [1]);
    choice.finish(nativeEnd());
    for await (const _ of run) break;
    run.cancel();
    expect(host.cancelled).toEqual([]);
  });

  it("throws the failure after the deltas that came", async () => {
    const { choice, run } = begin();
    choice.deliver("once", [1]);
    choice.finish(nativeEnd({ reason: "error", failure: { code: "DECODE_FAILED", message: "lost" } }));
    const texts: string[] = [];
    const error = await caught(async () => {
      for await (const event of run) if (event.type === "text-delta") texts.push(event.text);
    });
    expect(texts).toEqual(["once"]);
    expect(error).toMatchObject({ code: "DECODE_FAILED", message: "lost", retryable: true });
  });

  it("ends with an end event when its signal aborts", async () => {
    const { host, record, choice, run } = begin();
    record.abort(AbortSignal.abort());
    choice.finish(nativeEnd({ reason: "cancelled" }));
    expect(await eventsOf(run)).toMatchObject([{ type: "end", finishReason: "cancelled" }]);
    expect(host.cancelled).toEqual([1]);
  });
});

describe("awaiting", () => {
  it("gives the whole text, its tokens and the figures", async () => {
    const { choice, run } = begin();
    choice.deliver("on", [1]);
    choice.deliver("ce", [2, 3]);
    choice.finish(nativeEnd());
    const { type: _, ...figures } = end;
    const { finishReason } = figures;
    const whole = { text: "once", tokens: [1, 2, 3] };
    expect(await run).toEqual({ ...whole, choices: [{ index: 0, ...whole, finishReason }], ...figures });
    expect(await run).toBe(await run);
  });

  it("gives the whole after iterating too", async () => {
    const { choice, run } = begin();
    choice.deliver("once", [1]);
    choice.finish(nativeEnd());
    await eventsOf(run);
    expect((await run).text).toBe("once");
  });

  it("resolves with the text so far after cancel()", async () => {
    const { record, choice, run } = begin();
    run.cancel();
    record.abort(AbortSignal.abort());
    choice.deliver("on", [1]);
    choice.finish(nativeEnd({ reason: "cancelled" }));
    expect(await run).toMatchObject({ text: "on", finishReason: "cancelled" });
  });

  it("rejects with the reason after its signal aborted", async () => {
    const { record, choice, run } = begin();
    const reason = new Error("the client left");
    record.abort(AbortSignal.abort(reason));
    choice.finish(nativeEnd({ reason: "cancelled" }));
    expect(await caught(() => run)).toMatchObject({ code: "CANCELLED", cause: reason, status: 499 });
  });

  it("resolves when the end came before the signal took effect", async () => {
    const { record, choice, run } = begin();
    record.abort(AbortSignal.abort());
    choice.finish(nativeEnd());
    expect((await run).finishReason).toBe("stop");
  });

  it("calls a failure without a known code a broken engine", async () => {
    const { choice, run } = begin();
    choice.finish(nativeEnd({ reason: "error", failure: { code: "NEWS", message: "odd" } }));
    expect(await caught(() => run)).toMatchObject({ code: "ENGINE_BROKEN", message: "odd" });
  });

  it("has catch and finally", async () => {
    const { choice, run } = begin();
    choice.finish(nativeEnd({ reason: "error", failure: null }));
    let ran = false;
    await run.finally(() => (ran = true)).catch(() => {});
    expect(ran).toBe(true);
    expect(await run.catch(() => "caught")).toBe("caught");
  });
});

describe("reading", () => {
  it("is told in portions of at least 32 tokens", async () => {
    const { host, choice, run } = begin();
    const reading = eventsOf(run);
    for (let token = 0; token < 100; token += 1) choice.deliver("x", [token]);
    await turn();
    expect(host.acknowledged).toEqual([32, 32, 32]);
    choice.finish(nativeEnd());
    await reading;
    expect(host.acknowledged).toEqual([32, 32, 32]);
  });

  it("is not told while nobody reads", async () => {
    const { host, choice } = begin();
    for (let token = 0; token < 100; token += 1) choice.deliver("x", [token]);
    await turn();
    expect(host.acknowledged).toEqual([]);
  });

  it("counts each token once, however many read it", async () => {
    const { host, choice, run } = begin();
    const readings = [eventsOf(run), eventsOf(run), run.then((result) => result.tokens.length)];
    for (let token = 0; token < 64; token += 1) choice.deliver("x", [token]);
    await turn();
    expect(host.acknowledged.reduce((sum, tokens) => sum + tokens, 0)).toBe(64);
    choice.finish(nativeEnd());
    await Promise.all(readings);
  });

  it("counts everything at once for one who awaits late", async () => {
    const { host, choice, run } = begin();
    for (let token = 0; token < 200; token += 1) choice.deliver("x", [token]);
    void run.then(() => {});
    expect(host.acknowledged.reduce((sum, tokens) => sum + tokens, 0)).toBe(192);
    choice.finish(nativeEnd());
    await run;
  });

  it.each([
    ["iterates", (run: Generation) => void run[Symbol.asyncIterator]().next()],
    ["awaits", (run: Generation) => void run.then(() => {})],
    ["streams", (run: Generation) => void run.textStream.getReader().read()],
  ])("of tokens that are in no event yet is told when somebody %s late", async (_, read) => {
    const { host, record, choice, run } = begin();
    const format = { ends: [], words: [] } as unknown as AnswerReading["format"];
    record.readAnswers({ format, parse: () => new Promise(() => {}) }); // the parser is away
    for (let token = 0; token < 256; token += 1) choice.deliver("x", [token]);
    await turn();
    expect(record.events).toEqual([]);
    expect(host.acknowledged).toEqual([]);
    read(run);
    await turn();
    expect(host.acknowledged).toEqual([256]);
  });
});

describe("waiting", () => {
  it("holds the process only while somebody waits", async () => {
    const { host, choice, run } = begin();
    expect(host.waiting).toBe(0);
    const iterator = run[Symbol.asyncIterator]();
    const first = iterator.next();
    expect(host.waiting).toBe(1);
    choice.deliver("once", [1]);
    await first;
    expect(host.waiting).toBe(0);
    const whole = run.then((result) => result.text);
    expect(host.waiting).toBe(1);
    choice.finish(nativeEnd());
    expect(await whole).toBe("once");
    expect(host.waiting).toBe(0);
  });
});

/** One turn of the event loop: every microtask has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
