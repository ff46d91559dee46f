// Reuse on models whose states cannot be cut, through the public door: what is
// told as cached was cached, and the text is the one without a cache.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, type EngineOptions, loadModel, type Model } from "../../src/index.js";
import { withEngine } from "../helpers/embedded.js";

const text = "Once upon a time there was a small green frog who lived in a pond near the old mill. ".repeat(
  5,
);
const greedy = { maxTokens: 20, temperature: 0, ignoreEos: true } as const;
const shape: EngineOptions = { slots: 4, contextLength: 1024, kvType: "f32", flashAttention: false };

describe.each([
  ["a sliding window", "synthetic:gemma3?dim=128&window=64&type=f32"],
  ["experts", "synthetic:qwen3moe?dim=64&type=f32"],
  ["recurrent states", "synthetic:mamba?dim=128"],
  ["recurrent states and attention", "synthetic:jamba?dim=128"],
])("a model with %s", (_, reference) => {
  let model: Model;
  let folder: string;
  let prompt: number[];
  beforeAll(async () => {
    model = await loadModel(reference);
    prompt = model.tokenize(text);
    folder = await mkdtemp(join(tmpdir(), "infernode-kinds-"));
  });
  afterAll(async () => {
    await model.close();
    await rm(folder, { recursive: true });
  });

  const use = <Value>(work: (engine: Engine) => Promise<Value>, options: EngineOptions = {}) =>
    withEngine(model, { ...shape, ...options }, work);
  const alone = (tokens: readonly number[]) =>
    use(async (one) => await one.generate({ ...greedy, prompt: [...tokens] }), {
      promptCache: false,
      slots: 1,
    });

  it("reuses a conversation to its end and an equal prompt to its last token", async () => {
    await use(async (one) => {
      const first = await one.generate({ ...greedy, prompt });
      expect(first.usage.cachedPromptTokens).toBe(0);
      const longer = [...prompt, ...first.tokens, ...model.tokenize(" And then?", { addSpecial: false })];
      const second = await one.generate({ ...greedy, prompt: longer });
      expect(second.usage.cachedPromptTokens).toBe(prompt.length + greedy.maxTokens - 1);
      const again = await one.generate({ ...greedy, prompt });
      expect(again.usage.cachedPromptTokens).toBe(prompt.length - 1);
      expect(again.tokens).toEqual(first.tokens);
      expect(first.tokens).toEqual((await alone(prompt)).tokens);
      expect(second.tokens).toEqual((await alone(longer)).tokens);
      const told = second.usage.cachedPromptTokens + again.usage.cachedPromptTokens;
      const all = 2 * prompt.length + longer.length;
      // Rows that follow a reused beginning alone are rows of generation.
      expect(all - told - one.stats().promptTokensComputed).toBeLessThanOrEqual(3);
    });
  });

  it("computes a prompt once for all its choices, or twice where they come apart", async () => {
    await use(async (one) => {
      const { choices } = await one.generate({ ...greedy, prompt, n: 4, temperature: 1, seed: 3 });
      // The first may be in its prompt when the engine hears of the others.
      expect(one.stats().promptTokensComputed).toBeLessThanOrEqual(2 * prompt.length);
      const [first] = (await one.generate({ ...greedy, prompt, temperature: 1, seed: 3 })).choices;
      expect(choices[0]?.tokens).toEqual(first?.tokens);
      expect(new Set(choices.map(({ text: said }) => said)).size).toBe(4);
    });
  });

  it("computes a common beginning at most twice, at once or one after the other", async () => {
    const tails = [" The fox", " My hen", " Zoe said", " Where is", " It was"];
    const prompts = tails.map((tail) => [
      ...prompt,
      ...model.tokenize(tail.repeat(9), { addSpecial: false }),
    ]);
    const distinct = prompt.length + prompts.reduce((sum, { length }) => sum + length - prompt.length, 0);
    for (const atOnce of [true, false]) {
      await use(async (one) => {
        const runs = [];
        for (const tokens of prompts) {
          const run = one.generate({ ...greedy, prompt: tokens });
          runs.push(await (atOnce ? { run } : { run: Promise.resolve(await run) }));
        }
        const results = await Promise.all(runs.map(({ run }) => run));
        for (const [index, { tokens }] of results.entries()) {
          expect(tokens).toEqual((await alone(prompts[index] ?? [])).tokens);
        }
        const computed = one.stats().promptTokensComputed;
        expect(computed).toBeLessThanOrEqual(distinct + prompt.length);
      });
    }
  });

  it("says the same when it guesses ahead, as far as it can", async () => {
    // Four tokens only, so that what comes next has often come before.
    const logitBias = new Map([300, 400, 500, 600].map((token) => [token, 100]));
    const request = { ...greedy, prompt, maxTokens: 400, logitBias };
    const plain = await use(async (one) => await one.generate(request), { slots: 1, prefillChunk: 16 });
    await use(
      async (one) => {
        expect((await one.generate(request)).tokens).toEqual(plain.tokens);
        expect((await one.generate(request)).tokens).toEqual(plain.tokens);
        // A recurrent state cannot take guesses back.
        const recurrent = reference.includes("mamba") || reference.includes("jamba");
        expect(one.stats().draftedTokens === 0).toBe(recurrent);
      },
      { slots: 1, prefillChunk: 16, speculation: true },
    );
  });

  it("goes on from a saved state in another engine", async () => {
    const file = join(folder, "state");
    const longer = [...prompt, ...model.tokenize(" And then?", { addSpecial: false })];
    await use((one) => one.saveState(file, { prompt }));
    await use(async (one) => {
      await one.loadState(file);
      const same = await one.generate({ ...greedy, prompt });
      expect(same.usage.cachedPromptTokens).toBe(prompt.length - 1);
      expect(same.tokens).toEqual((await alone(prompt)).tokens);
    });
    await use(async (one) => {
      await one.loadState(file);
      const more = await one.generate({ ...greedy, prompt: longer });
      expect(more.usage.cachedPromptTokens).toBeGreaterThanOrEqual(prompt.length - 1);
      expect(more.tokens).toEqual((await alone(longer)).tokens);
    });
  });
});
