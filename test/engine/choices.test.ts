// Several answers to one prompt, and running generations continued twice.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Generation, GenerationEvent, Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const long = "Once upon a time there was a small green frog who lived in a pond near the old mill. ".repeat(
  4,
);
const drawn = { prompt: long, maxTokens: 16, temperature: 1, topP: 1, seed: 40, ignoreEos: true };

function textOf(events: readonly GenerationEvent[], choice: number): string {
  return events
    .map((event) => (event.type === "text-delta" && event.choiceIndex === choice ? event.text : ""))
    .join("");
}

describe("n", () => {
  it("gives what the seeds give alone, and computes the prompt once", async () => {
    await withEngine(model, { slots: 3, deterministic: true }, async (engine) => {
      const before = engine.stats().promptTokensComputed;
      const { choices, usage, ...first } = await engine.generate({ ...drawn, n: 5 });
      const promptTokens = model.tokenize(long).length;
      expect(usage.promptTokens).toBe(promptTokens);
      expect(usage.completionTokens).toBe(80);
      // All but the rows that must be computed to round alike.
      expect(engine.stats().promptTokensComputed - before).toBeLessThanOrEqual(promptTokens + 4 * 2);
      expect(choices.map((choice) => choice.index)).toEqual([0, 1, 2, 3, 4]);
      expect(first.text).toBe(choices[0]?.text);
      expect(new Set(choices.map((choice) => choice.text)).size).toBe(5);
      for (const { index, text, tokens } of choices) {
        const alone = await engine.generate({ ...drawn, seed: drawn.seed + index });
        expect(alone.text).toBe(text);
        expect(alone.tokens).toEqual(tokens);
        expect(alone.choices).toHaveLength(1);
      }
    });
  });

  it.each([
    { promptCache: false, cache: true },
    { promptCache: true, cache: false },
  ])("shares the prompt among its own choices only with %j", async ({ promptCache, cache }) => {
    await withEngine(model, { slots: 4, promptCache }, async (engine) => {
      const promptTokens = model.tokenize(long).length;
      // Long enough that the first still runs when the last comes, on a busy machine too.
      await engine.generate({ ...drawn, maxTokens: 150, cache, n: 4 });
      expect(engine.stats().promptTokensComputed).toBeLessThanOrEqual(promptTokens + 3);
      const { usage } = await engine.generate({ ...drawn, cache });
      expect(usage.cachedPromptTokens).toBe(0);
      const { usage: again } = await engine.generate({ ...drawn, cache, n: 2 });
      expect(again.cachedPromptTokens).toBe(0);
    });
  });

  it("streams each choice under its index and says when it ends", async () => {
    await withEngine(model, { slots: 2 }, async (engine) => {
      const run = engine.generate({ ...drawn, n: 3, logProbs: 1 });
      const events = await eventsOf(run);
      const { choices } = await run;
      for (const { index, text, tokens, logProbs, finishReason } of choices) {
        expect(textOf(events, index)).toBe(text);
        expect(finishReason).toBe("length");
        expect(logProbs?.map((entry) => entry.token)).toEqual(tokens);
      }
      const ends = events.filter((event) => event.type === "choice-end");
      expect(ends.map((event) => event.choiceIndex).sort()).toEqual([0, 1, 2]);
      expect(events.at(-1)).toMatchObject({ type: "end", finishReason: "length" });
      expect(events.filter((event) => event.type === "end")).toHaveLength(1);
    });
  });

  it("ends every choice when it is cancelled, and fails as a whole", async () => {
    await withEngine(model, { slots: 2, queueLimit: 4 }, async (engine) => {
      const run = engine.generate({ ...drawn, maxTokens: 2000, n: 3 });
      for await (const event of run) {
        if (event.type === "text-delta") break;
      }
      const { choices } = await run;
      expect(choices.map((choice) => choice.finishReason)).toEqual(["cancelled", "cancelled", "cancelled"]);
      const other = engine.generate({ ...drawn, maxTokens: 2000, ignoreEos: true });
      const error = await caught(() => engine.generate({ ...drawn, n: 4 }));
      expect(error.code).toBe("QUEUE_FULL");
      other.cancel();
      await other;
      await expect(engine.generate({ ...drawn, n: 5 })).rejects.toThrow(
        "generate(): n must be at most the engine's queueLimit, 4, got 5",
      );
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
      await expect(engine.generate({ ...drawn, n: 129 })).rejects.toThrow(
        "n must be an integer from 1 to 128, got 129",
      );
    });
  });

  it("answers a conversation several times", async () => {
    await withEngine(model, { slots: 2 }, async (engine) => {
      const messages = [{ role: "user", content: "Who is Mia?" }];
      const { choices } = await engine.generate({ messages, n: 2, seed: 1, maxTokens: 12, temperature: 1.5 });
      expect(choices).toHaveLength(2);
      expect(choices[0]?.text).not.toBe(choices[1]?.text);
    });
  });
});

async function tokensRead(run: Generation, count: number): Promise<void> {
  let read = 0;
  const iterator = run[Symbol.asyncIterator]();
  while (read < count) {
    const { value } = await iterator.next();
    if (value?.type === "text-delta") read += value.tokens.length;
  }
}

describe("fork", () => {
  it("begins with what its source has generated, to the token", async () => {
    await withEngine(model, { slots: 2, contextLength: 1024, deterministic: true }, async (engine) => {
      const greedy = { prompt, temperature: 0, maxTokens: 200, ignoreEos: true, logProbs: 2 };
      const source = engine.generate(greedy);
      await tokensRead(source, 20);
      const fork = engine.fork(source);
      const [whole, copy] = await Promise.all([source, fork]);
      expect(copy.tokens).toEqual(whole.tokens);
      expect(copy.text).toBe(whole.text);
      expect(copy.logProbs).toEqual(whole.logProbs);
      expect(copy.usage.promptTokens).toBe(whole.usage.promptTokens);
      expect(copy.finishReason).toBe("length");
    });
  });

  it("draws its own tokens from there, computing nothing twice", async () => {
    await withEngine(model, { slots: 3, contextLength: 1024 }, async (engine) => {
      const source = engine.generate({ ...drawn, maxTokens: 300 });
      await tokensRead(source, 10);
      const computed = engine.stats().promptTokensComputed;
      const [one, other] = [engine.fork(source, { seed: 1 }), engine.fork(source, { seed: 2 })];
      const [whole, first, second] = await Promise.all([source, one, other]);
      expect(engine.stats().promptTokensComputed - computed).toBeLessThanOrEqual(4);
      const common = whole.tokens.findIndex((token, index) => token !== first.tokens[index]);
      expect(common).toBeGreaterThanOrEqual(10);
      expect(first.tokens).not.toEqual(second.tokens);
      expect(first.usage.cachedPromptTokens).toBe(first.usage.promptTokens);
    });
  });

  it("of a conversation waits for its prompt", async () => {
    await withEngine(model, { slots: 2, deterministic: true }, async (engine) => {
      const messages = [{ role: "user", content: "Who is Mia?" }];
      const source = engine.generate({ messages, temperature: 0, maxTokens: 60, ignoreEos: true });
      const [whole, copy] = await Promise.all([source, engine.fork(source)]);
      expect(copy.tokens).toEqual(whole.tokens);
    });
  });

  it("is refused where there is nothing to fork", async () => {
    await withEngine(model, { slots: 2 }, async (engine) => {
      const source = engine.generate({ ...drawn, maxTokens: 2 });
      await source;
      await expect(engine.fork(source)).rejects.toThrow("the generation must be running, it has ended");
      const running = engine.generate({ ...drawn, maxTokens: 500 });
      await expect(engine.fork(running, { choiceIndex: 1 })).rejects.toThrow("choiceIndex must be below 1");
      await withEngine(model, { slots: 1 }, async (another) => {
        await expect(another.fork(running)).rejects.toThrow("must be one that this engine made");
      });
      const unheard = engine.fork(running, { signal: AbortSignal.abort(new Error("no")) });
      expect((await caught(() => unheard)).code).toBe("CANCELLED");
      running.cancel();
    });
  });
});
