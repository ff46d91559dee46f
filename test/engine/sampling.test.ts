// The rarer filters through the public door: each changes what is drawn, the
// same seed draws the same, and minTokens outlasts the model's wish to end.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerateRequest, Model } from "../../src/index.js";
import { loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";

describe("the rarer filters", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadEmbedded();
  });
  afterAll(() => model.close());

  const filters: readonly Partial<GenerateRequest>[] = [
    { typicalP: 0.3 },
    { topNSigma: 0.5 },
    { xtcProbability: 1, xtcThreshold: 0.05 },
    { dynatempRange: 1.9, dynatempExponent: 0.2 },
    { mirostat: 2, mirostatTau: 1, mirostatEta: 0.3 },
  ];

  it.each(filters)("%j changes the draw, and the seed fixes it", async (filter) => {
    await withEngine(model, { slots: 3, contextLength: 256 }, async (engine) => {
      const options = { prompt, maxTokens: 60, temperature: 2, topP: 1, seed: 11, ignoreEos: true };
      const [once, again, without] = await Promise.all([
        engine.generate({ ...options, ...filter }),
        engine.generate({ ...options, ...filter }),
        engine.generate(options),
      ]);
      expect(again?.tokens).toEqual(once?.tokens);
      expect(once?.tokens).not.toEqual(without?.tokens);
    });
  });

  it("leaves greedy generations alone", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const options = { prompt, maxTokens: 20, temperature: 0 };
      const plain = await engine.generate(options);
      for (const filter of filters) {
        expect((await engine.generate({ ...options, ...filter })).tokens).toEqual(plain.tokens);
      }
    });
  });

  it("minTokens goes on where the model would end", async () => {
    await withEngine(model, { slots: 1, contextLength: 512 }, async (engine) => {
      const options = { messages: [{ role: "user", content: "Who is Mia?" }], temperature: 0 };
      const short = await engine.generate(options);
      expect(short.finishReason).toBe("stop");
      const minTokens = short.tokens.length + 12;
      const long = await engine.generate({ ...options, minTokens, maxTokens: 400 });
      expect(long.tokens.length).toBeGreaterThanOrEqual(minTokens);
      expect(long.tokens.slice(0, short.tokens.length)).toEqual(short.tokens);
      expect(() => engine.generate({ ...options, minTokens: 9, maxTokens: 8 })).toThrow(
        "minTokens must be at most maxTokens, 8, got 9",
      );
    });
  });
});
