// The rarer filters through the public door: each changes what is drawn, the
// same seed draws the same, and minTokens outlasts the model's wish to end.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions, Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";

describe("the rarer filters", () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadEmbedded();
  });
  afterAll(() => model.close());

  const filters: readonly GenerateOptions[] = [
    { typicalP: 0.3 },
    { topNSigma: 0.5 },
    { xtcProbability: 1, xtcThreshold: 0.05 },
    { dynatempRange: 1.9, dynatempExponent: 0.2 },
    { mirostat: 2, mirostatTau: 1, mirostatEta: 0.3 },
    { dryMultiplier: 4, dryAllowedLength: 1, drySequenceBreakers: [] },
  ];

  it.each(filters)("%j changes the draw, and the seed fixes it", async (filter) => {
    await withEngine(model, { slots: 3, contextLength: 256 }, async (engine) => {
      const options = { prompt, maxTokens: 60, temperature: 2, topP: 1, seed: 12, ignoreEos: true };
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
      for (const filter of filters.filter((each) => each.dryMultiplier === undefined)) {
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
      await expect(engine.generate({ ...options, minTokens: 9, maxTokens: 8 })).rejects.toThrow(
        "minTokens must be at most maxTokens, 8, got 9",
      );
      const before = engine.stats().promptTokensComputed;
      const error = await caught(() => engine.generate({ prompt: [300, 301], minTokens: 511 }));
      expect(error.code).toBe("CONTEXT_OVERFLOW");
      expect(error.message).toContain("minTokens must be at most 510, got 511");
      expect(engine.stats().promptTokensComputed).toBe(before);
    });
  });

  it("DRY keeps greedy text from going round in circles", async () => {
    await withEngine(model, { slots: 1, contextLength: 512 }, async (engine) => {
      const round = model.tokenize(prompt);
      const options = { maxTokens: 1, temperature: 0 };
      const [next] = (await engine.generate({ ...options, prompt: round })).tokens;
      const circle = [...round, next ?? 0, ...round, next ?? 0, ...round];
      const plain = await engine.generate({ ...options, prompt: circle });
      const dry = await engine.generate({ ...options, prompt: circle, dryMultiplier: 100 });
      expect(plain.tokens).toEqual([next]);
      expect(dry.tokens).not.toEqual([next]);
    });
  });
});

describe("logProbs", () => {
  it("tells the model's own distribution, whatever is applied to it", async () => {
    const model = await loadEmbedded();
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const options = { prompt, maxTokens: 12, temperature: 0, logProbs: 3 };
      const [plain, bent] = await Promise.all([
        engine.generate(options),
        engine.generate({ ...options, maxTokens: 1, logitBias: { 7: 50 } }),
      ]);
      expect(plain?.logProbs).toHaveLength(12);
      for (const [index, told] of (plain?.logProbs ?? []).entries()) {
        expect(told.token).toBe(plain?.tokens[index]);
        expect(told.top).toHaveLength(3);
        expect(told.top[0]).toEqual({ token: told.token, logProb: told.logProb });
        const likely = told.top.map((entry) => entry.logProb);
        expect(likely).toEqual([...likely].sort((a, b) => b - a));
        expect(likely.reduce((sum, value) => sum + Math.exp(value), 0)).toBeLessThanOrEqual(1.00001);
      }
      expect(bent?.tokens).toEqual([7]);
      expect(bent?.logProbs?.[0]?.top).toEqual(plain?.logProbs?.[0]?.top);
      expect(bent?.logProbs?.[0]?.logProb).toBeLessThan(-5);
    });
    await model.close();
  });

  it("are told with each delta, alone for 0, and not at all unless asked for", async () => {
    const model = await loadEmbedded();
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const options = { prompt, maxTokens: 9, seed: 3 };
      const told: number[] = [];
      for await (const event of engine.generate({ ...options, logProbs: 0 })) {
        if (event.type !== "text-delta") continue;
        expect(event.logProbs?.map((entry) => entry.token) ?? []).toEqual(event.tokens);
        for (const entry of event.logProbs ?? []) expect(entry.top).toEqual([]);
        told.push(...event.tokens);
      }
      expect(told).toHaveLength(9);
      expect(await engine.generate(options)).not.toHaveProperty("logProbs");
      await expect(engine.generate({ ...options, logProbs: 21 })).rejects.toThrow(
        "logProbs must be an integer from 0 to 20, got 21",
      );
    });
    await model.close();
  });
});
