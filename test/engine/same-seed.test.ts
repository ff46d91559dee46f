// One seed of a deterministic engine draws the same tokens whatever happens beside and before: a
// table of what may happen, each row with proof that it did.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine, EngineOptions, GenerateResult, Model } from "../../src/index.js";
import { loadEmbedded, until, withEngine } from "../helpers/embedded.js";

let model: Model;
let alone: GenerateResult;
beforeAll(async () => {
  model = await loadEmbedded();
  alone = await inEngine({ slots: 1, promptCache: false }, (engine) => engine.generate(request));
});
afterAll(() => model.close());

const story = "Once upon a time, there was a girl who lived in a small house by the sea. ".repeat(4);
// More than the 256 unread tokens at which a generation halts.
const request = { prompt: story, temperature: 0.8, seed: 7, maxTokens: 320, ignoreEos: true };

function inEngine(options: EngineOptions, work: Row["run"]): Promise<GenerateResult> {
  return withEngine(model, { contextLength: 1024, deterministic: true, ...options }, async (engine) =>
    work(engine),
  );
}

interface Row {
  readonly name: string;
  readonly options: EngineOptions;
  readonly run: (engine: Engine) => PromiseLike<GenerateResult>;
}

const rows: readonly Row[] = [
  {
    name: "alone, a second time",
    options: { slots: 1, promptCache: false },
    run: (engine) => engine.generate(request),
  },
  {
    name: "six at once",
    options: { slots: 6 },
    run: async (engine) => {
      const others = [1, 2, 3, 4, 5].map((seed) =>
        engine.generate({ ...request, prompt: story.slice(seed), seed, maxTokens: 320 + seed }),
      );
      const own = engine.generate(request);
      await until(() => engine.stats().running === 6);
      await Promise.all(others);
      return own;
    },
  },
  {
    // A deterministic engine has a stream for each slot and no kvCells that could run out: a
    // generation loses its slot when nobody reads it and another request waits.
    name: "preempted",
    options: { slots: 1 },
    run: async (engine) => {
      const unread = engine.generate(request);
      await until(() => engine.stats().generatedTokens >= 256);
      await engine.generate({ prompt: "Ben", maxTokens: 16, seed: 1 });
      expect(engine.stats().preemptions).toBeGreaterThan(0);
      return unread;
    },
  },
  {
    name: "with its prompt cached",
    options: { slots: 1 },
    run: async (engine) => {
      await engine.generate({ ...request, seed: 1, maxTokens: 16 });
      const cached = await engine.generate(request);
      expect(cached.usage.cachedPromptTokens).toBeGreaterThan(0);
      return cached;
    },
  },
];

describe("one seed in a deterministic engine", () => {
  it.each(rows)("draws the same tokens: $name", async ({ options, run }) => {
    const { tokens } = await inEngine(options, run);
    expect(tokens.length).toBe(request.maxTokens);
    expect(tokens).toEqual(alone.tokens);
  });

  it("is what the tokens depend on", async () => {
    const other = await inEngine({ slots: 1 }, (engine) => engine.generate({ ...request, seed: 8 }));
    expect(other.tokens).not.toEqual(alone.tokens);
  });
});
