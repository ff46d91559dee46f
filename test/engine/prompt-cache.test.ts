// The prompt cache as its user sees it: what is computed once, who shares with
// whom, and that texts are the same with it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Model } from "../../src/index.js";
import { loadEmbedded } from "../helpers/embedded.js";

const system = "Once upon a time there was a small green frog who lived in a pond near the old mill. ".repeat(
  4,
);
const greedy = { maxTokens: 12, temperature: 0, ignoreEos: true };

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const shared = () => model.tokenize(system).length;
const asked = (name: string) => `${system}One day ${name} came to the pond and said,`;

describe("generations that begin alike", () => {
  it("compute their beginning once when they arrive together", async () => {
    await using engine = await model.createEngine({ threads: 1, slots: 4 });
    const names = ["Ben", "Mia", "Tom", "Lily", "Max", "Anna"];
    const results = await Promise.all(
      names.map((name) => engine.generate({ ...greedy, prompt: asked(name) })),
    );
    const [first, ...others] = results.map((result) => result.usage);
    expect(first?.cachedPromptTokens).toBe(0);
    for (const usage of others) expect(usage.cachedPromptTokens).toBeGreaterThanOrEqual(shared() - 1);
    const { promptTokensCached, prefixCopies, kvCellsUsed, kvCellsCached } = engine.stats();
    expect(promptTokensCached).toBeGreaterThanOrEqual(5 * (shared() - 1));
    expect(prefixCopies).toBeGreaterThan(0);
    expect(kvCellsUsed).toBe(0);
    expect(kvCellsCached).toBeGreaterThan(0);
  });

  it("go on where a conversation stopped", async () => {
    await using engine = await model.createEngine({ threads: 1, slots: 1 });
    const first = await engine.generate({ ...greedy, prompt: asked("Ben") });
    const next = await engine.generate({ ...greedy, prompt: `${asked("Ben")}${first.text} Then` });
    expect(next.usage.cachedPromptTokens).toBeGreaterThan(first.usage.promptTokens);
  });

  it("come back from host memory after others took their place", async () => {
    await using engine = await model.createEngine({ threads: 1, slots: 1 });
    await engine.generate({ ...greedy, prompt: asked("Ben") });
    await engine.generate({ ...greedy, prompt: "A dog ran to the park with a red ball and a blue kite." });
    const again = await engine.generate({ ...greedy, prompt: asked("Ben") });
    expect(again.usage.cachedPromptTokens).toBe(again.usage.promptTokens - 1);
    expect(engine.stats()).toMatchObject({ hostCacheRestores: 1 });
  });

  it("share nothing under different salts, or when they opt out", async () => {
    await using engine = await model.createEngine({ threads: 1, slots: 4 });
    const cached = async (options: object) =>
      (await engine.generate({ ...greedy, prompt: asked("Ben"), ...options })).usage.cachedPromptTokens;
    expect(await cached({ cacheSalt: "a" })).toBe(0);
    expect(await cached({ cacheSalt: "b" })).toBe(0);
    expect(await cached({})).toBe(0);
    expect(await cached({ cacheSalt: "a" })).toBeGreaterThan(0);
    expect(await cached({ cache: false })).toBe(0);
  });

  it("share nothing in an engine without the cache", async () => {
    await using engine = await model.createEngine({ threads: 1, slots: 4, promptCache: false });
    for (let i = 0; i < 2; i += 1) {
      const { usage } = await engine.generate({ ...greedy, prompt: asked("Ben") });
      expect(usage.cachedPromptTokens).toBe(0);
    }
    expect(engine.stats()).toMatchObject({ kvCellsCached: 0, promptTokensCached: 0 });
  });
});

describe("a deterministic engine", () => {
  it("gives one text alone, in a crowd and from the cache", async () => {
    await using reference = await model.createEngine({
      threads: 1,
      slots: 1,
      deterministic: true,
      promptCache: false,
    });
    await using engine = await model.createEngine({ threads: 1, slots: 6, deterministic: true });
    const names = ["Ben", "Mia", "Tom", "Lily", "Max", "Anna"];
    const request = (name: string) => ({ ...greedy, maxTokens: 60, prompt: asked(name) });
    for (let round = 0; round < 2; round += 1) {
      const crowd = await Promise.all(names.map((name) => engine.generate(request(name))));
      for (const [index, name] of names.entries()) {
        const alone = await reference.generate(request(name));
        expect(crowd[index]?.tokens).toEqual(alone.tokens);
      }
    }
    expect(engine.stats().promptTokensCached).toBeGreaterThan(5 * shared());
  });
});
