// Generations on the embedded model: events, text, limits, batching, errors.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import {
  eventsOf,
  loadEmbedded,
  prompt,
  seededRandom,
  textOf,
  until,
  withEngine,
} from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const greedy = { prompt, temperature: 0, maxTokens: 48 };

describe("a generation", () => {
  it("gives text-deltas and then exactly one end", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const events = await eventsOf(engine.generate(greedy));
      const types = events.map((event) => event.type);
      expect(types.filter((type) => type === "end")).toHaveLength(1);
      expect(types.at(-1)).toBe("end");
      const whole = await engine.generate(greedy);
      expect(textOf(events)).toBe(whole.text);
      expect(whole.text.length).toBeGreaterThan(0);
    });
  });

  it("ends with usage and timings that add up", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const { tokens, usage, timings, finishReason } = await engine.generate({ ...greedy, ignoreEos: true });
      expect(finishReason).toBe("length");
      expect(tokens).toHaveLength(48);
      expect(usage.promptTokens).toBe(model.tokenize(prompt).length);
      expect(usage.completionTokens).toBe(48);
      expect(timings.timeToFirstTokenMs).toBeCloseTo(timings.queueMs + timings.prefillMs);
      expect(timings.totalMs).toBeGreaterThanOrEqual(timings.timeToFirstTokenMs);
      expect(timings.tokensPerSecond).toBeGreaterThan(0);
    });
  });

  it("has tokens that detokenize to its text", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const { text, tokens } = await engine.generate(greedy);
      expect(model.detokenize(tokens)).toBe(text);
    });
  });

  it("reads a prompt of tokens as it reads their text", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const fromText = await engine.generate(greedy);
      const fromTokens = await engine.generate({ ...greedy, prompt: model.tokenize(prompt) });
      expect(fromTokens.text).toBe(fromText.text);
    });
  });

  it("repeats itself with the same seed and says which seed it drew", async () => {
    await withEngine(model, { slots: 4 }, async (engine) => {
      const request = { prompt, maxTokens: 32, temperature: 1, ignoreEos: true };
      const first = engine.generate(request);
      const { text } = await first;
      expect((await engine.generate({ ...request, seed: first.seed })).text).toBe(text);
      const others = await Promise.all([1, 2, 3].map((seed) => engine.generate({ ...request, seed })));
      expect(new Set(others.map((other) => other.text)).size).toBeGreaterThan(1);
    });
  });

  it("stops at a stop token", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const { tokens } = await engine.generate({ ...greedy, ignoreEos: true });
      const stopToken = tokens[10] ?? 0;
      const stopped = await engine.generate({ ...greedy, ignoreEos: true, stopTokens: [stopToken] });
      expect(stopped.finishReason).toBe("stop");
      expect(stopped.tokens).toEqual(tokens.slice(0, tokens.indexOf(stopToken)));
    });
  });

  it("never draws a token that its logit bias forbids", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const { tokens } = await engine.generate(greedy);
      const banned = tokens[0] ?? 0;
      const other = await engine.generate({ ...greedy, logitBias: { [banned]: -Infinity } });
      expect(other.tokens).not.toContain(banned);
    });
  });

  it("says so where its logit bias forbids every token", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const all = Array.from(
        { length: model.info.vocabularySize },
        (_, token) => [token, -Infinity] as const,
      );
      const error = await caught(() => engine.generate({ ...greedy, logitBias: new Map(all) }));
      expect(error).toMatchObject({ code: "INVALID_OPTION", retryable: false });
      expect(error.message).toMatch(/logit biases, .* forbid every token/);
    });
  });
});

describe("stop strings", () => {
  it("end the text before them and never leak, wherever they are split", async () => {
    await withEngine(model, { slots: 8 }, async (engine) => {
      const { text } = await engine.generate({ ...greedy, maxTokens: 200, ignoreEos: true });
      const random = seededRandom(5);
      const stops = Array.from({ length: 40 }, () => {
        const from = Math.floor(random() * (text.length - 12));
        return text.slice(from, from + 1 + Math.floor(random() * 12));
      });
      const request = { ...greedy, maxTokens: 200, ignoreEos: true };
      const runs = stops.map(async (stop) => {
        const events = await eventsOf(engine.generate({ ...request, stop: [stop, "never in a story 7"] }));
        expect(textOf(events)).toBe(text.slice(0, text.indexOf(stop)));
        expect(events.at(-1)).toMatchObject({ type: "end", finishReason: "stop" });
      });
      await Promise.all(runs);
    });
  });
});

describe("many generations at once", () => {
  it("64 of them each give the text they give alone", async () => {
    await withEngine(model, { slots: 32, contextLength: 256 }, async (engine) => {
      const names = ["Tom", "Lily", "Max", "Anna", "Ben", "Mia", "Sam", "Zoe"];
      const prompts = Array.from({ length: 64 }, (_, i) => `${prompt}, ${names[i % 8]} had ${i} apples`);
      const requests = prompts.map((text) => ({ prompt: text, temperature: 0, maxTokens: 40 }));
      const alone: string[] = [];
      for (const request of requests) alone.push((await engine.generate(request)).text);
      const together = await Promise.all(requests.map((request) => engine.generate(request)));
      expect(together.map((result) => result.text)).toEqual(alone);
    });
  });

  it("of long and short prompts fail none where prompts are computed in small chunks", async () => {
    await withEngine(model, { slots: 5, contextLength: 256, prefillChunk: 16 }, async (engine) => {
      const prompts = Array.from({ length: 15 }, (_, i) => Array(i % 3 === 1 ? 10 : 130 + 7 * i).fill(5 + i));
      const runs = prompts.map((tokens) =>
        engine.generate({ prompt: tokens, maxTokens: 4, ignoreEos: true }),
      );
      const results = await Promise.allSettled(runs);
      expect(results.filter(({ status }) => status === "rejected")).toEqual([]);
      expect(engine.stats().failedPasses).toBe(0);
    });
  });

  it("wake JavaScript at most once per step and once more at the first, whatever their number", async () => {
    await withEngine(model, { slots: 256, contextLength: 64 }, async (engine) => {
      const run = () => eventsOf(engine.generate({ prompt, maxTokens: 24, ignoreEos: true }));
      const runs = await Promise.all(Array.from({ length: 256 }, run));
      expect(runs.every((events) => events.at(-1)?.type === "end")).toBe(true);
      await until(() => engine.stats().running === 0);
      const stats = engine.stats();
      expect(stats.generatedTokens).toBe(256 * 24);
      expect(stats.wakeUps).toBeLessThanOrEqual(stats.steps + 1); // the first came to an idle engine
      expect(stats.rowsPerStep).toBeGreaterThan(64);
    });
  });
});

describe("errors", () => {
  it("a prompt longer than the context is refused with both numbers, its neighbour untouched", async () => {
    await withEngine(model, { slots: 2, contextLength: 64 }, async (engine) => {
      const neighbour = engine.generate({ ...greedy, maxTokens: 16 });
      const error = await caught(() => engine.generate({ prompt: Array(100).fill(5) }));
      expect(error).toMatchObject({ code: "CONTEXT_OVERFLOW", status: 400, retryable: false });
      expect(error.message).toMatch(/100.*64/);
      expect((await neighbour).text).toBe((await engine.generate({ ...greedy, maxTokens: 16 })).text);
    });
  });

  it("refuses more living generations than queueLimit", async () => {
    await withEngine(model, { slots: 1, queueLimit: 4, contextLength: 256 }, async (engine) => {
      const runs = Array.from({ length: 12 }, () => engine.generate({ ...greedy, ignoreEos: true }));
      const settled = await Promise.allSettled(runs);
      const refused = settled.filter((one) => one.status === "rejected").map((one) => one.reason);
      expect(refused.length).toBeGreaterThan(0);
      expect(refused.length).toBeLessThanOrEqual(8);
      for (const reason of refused)
        expect(reason).toMatchObject({ code: "QUEUE_FULL", status: 429, retryable: true });
      expect((await engine.generate(greedy)).finishReason).not.toBe("error");
    });
  });

  it("throws INVALID_OPTION from generate() itself and computes nothing", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const error = await caught(() => engine.generate({ prompt, maxTokens: -3 }));
      expect(error.message).toBe("generate(): maxTokens must be an integer of at least 1, got -3");
      expect(engine.stats().steps).toBe(0);
    });
  });
});

describe("closing", () => {
  it("ends every living generation as cancelled with its text so far", async () => {
    const engine = await model.createEngine({ slots: 2, contextLength: 512, threads: 1 });
    const request = { prompt, ignoreEos: true, temperature: 0 };
    const runs = Array.from({ length: 6 }, () => engine.generate(request));
    const iterator = runs[0]?.[Symbol.asyncIterator]();
    await iterator?.next();
    const results = Promise.all(runs);
    await engine.close();
    expect((await results).map((result) => result.finishReason)).toEqual(Array(6).fill("cancelled"));
    expect((await results)[0]?.tokens.length).toBeGreaterThan(0);
  });

  it("happens once, and later calls are refused", async () => {
    const engine = await model.createEngine({ slots: 1, threads: 1 });
    await Promise.all([engine.close(), engine.close(), engine[Symbol.asyncDispose]()]);
    expect((await caught(() => engine.generate({ prompt }))).code).toBe("ENGINE_CLOSED");
    expect((await caught(() => engine.stats())).code).toBe("ENGINE_CLOSED");
  });

  it("may come after the model's", async () => {
    const own = await loadEmbedded();
    const engine = await own.createEngine({ slots: 1, threads: 1 });
    await own.close();
    expect((await engine.generate(greedy)).text.length).toBeGreaterThan(0);
    await engine.close();
    expect((await caught(() => own.createEngine())).code).toBe("MODEL_CLOSED");
    expect((await caught(() => own.tokenize("a"))).code).toBe("MODEL_CLOSED");
  });
});
