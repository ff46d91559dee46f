// Guessing ahead on the real model: the same greedy text in fewer passes, and
// what it may not be combined with.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const round = "Tom had a red ball. Mia had a blue ball. They played in the park. ";

describe("speculation", () => {
  it.each([1, 3])("gives the same greedy texts with %i at once, in fewer passes", async (count) => {
    const requests = Array.from({ length: count }, (_, index) => ({
      prompt: round.repeat(4 + index),
      maxTokens: 150,
      temperature: 0,
      ignoreEos: true,
      dryMultiplier: 0,
    }));
    const run = (speculation: boolean) =>
      withEngine(model, { slots: 4, contextLength: 1024, speculation }, async (engine) => {
        // While its prompt is computed the others arrive, so that they begin in one step.
        const first = engine.generate({ prompt: round.repeat(40), maxTokens: 1 });
        const results = await Promise.all(requests.map((request) => engine.generate(request)));
        await first;
        return { tokens: results.map((result) => result.tokens), stats: engine.stats() };
      });
    const [plain, guessed] = [await run(false), await run(true)];
    expect(guessed.tokens).toEqual(plain.tokens);
    expect(plain.stats.draftedTokens).toBe(0);
    expect(guessed.stats.acceptedTokens).toBeLessThanOrEqual(guessed.stats.draftedTokens);
    expect(guessed.stats.decodePasses).toBeLessThanOrEqual(plain.stats.decodePasses);
  });

  it("keeps the seed's text", async () => {
    const request = { prompt: round.repeat(4), maxTokens: 100, temperature: 0.7, seed: 9, ignoreEos: true };
    const run = (speculation: boolean) =>
      withEngine(model, { slots: 2, contextLength: 1024, speculation }, async (engine) =>
        engine.generate(request),
      );
    expect((await run(true)).tokens).toEqual((await run(false)).tokens);
  });

  it("is refused beside deterministic", async () => {
    const error = await caught(() => model.createEngine({ speculation: true, deterministic: true }));
    expect(error.message).toContain("speculation must be false when deterministic is true");
  });
});
