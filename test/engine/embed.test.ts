// Embeddings through the public door: each input's is its own whatever is computed
// beside it, and what cannot be embedded is told by name.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const texts = [
  "The cat sat on the mat.",
  "A dog ran in the park with a ball.",
  "Once",
  "The cat sat on the rug.",
];

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

describe("embed", () => {
  it("gives one vector of length 1 per input, in order, the same alone and among others", async () => {
    await withEngine(model, { slots: 3, contextLength: 256 }, async (engine) => {
      const others = engine.generate({ prompt, maxTokens: 100, ignoreEos: true });
      const { embeddings, usage } = await engine.embed(texts);
      expect(embeddings).toHaveLength(4);
      expect(usage.promptTokens).toBe(texts.reduce((sum, text) => sum + model.tokenize(text).length, 0));
      for (const [index, text] of texts.entries()) {
        const embedding = embeddings[index] ?? new Float32Array();
        expect(embedding).toHaveLength(model.info.embeddingLength);
        expect(cosine(embedding, embedding)).toBeCloseTo(1, 4);
        const alone = await engine.embed(text, { cache: false });
        expect(cosine(embedding, alone.embeddings[0] ?? new Float32Array())).toBeGreaterThan(0.999);
        expect(alone.usage.cachedPromptTokens).toBe(0);
      }
      const [cat = new Float32Array(), dog = new Float32Array()] = embeddings;
      expect(cosine(cat, dog)).toBeLessThan(0.999);
      expect((await others).tokens).toHaveLength(100);
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, kvCellsUsed: 0 });
    });
  });

  it("shares beginnings and leaves generations as they are", async () => {
    await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
      const long = `${"The cat sat on the mat. ".repeat(10)}The end.`;
      const greedy = { prompt: long, maxTokens: 10, temperature: 0 };
      const before = await engine.generate(greedy);
      const { usage } = await engine.embed(long);
      expect(usage.cachedPromptTokens).toBeGreaterThan(usage.promptTokens - 3);
      expect((await engine.generate({ ...greedy, cache: false })).tokens).toEqual(before.tokens);
    });
  });

  it("takes tokens, and vectors as they are", async () => {
    await withEngine(model, { slots: 1, contextLength: 256 }, async (engine) => {
      const [text = ""] = texts;
      const tokens = Int32Array.from(model.tokenize(text));
      const [raw] = (await engine.embed([tokens], { normalize: false })).embeddings;
      const [same] = (await engine.embed(text, { normalize: false })).embeddings;
      expect(raw).toEqual(same);
      expect(cosine(raw ?? new Float32Array(), raw ?? new Float32Array())).not.toBeCloseTo(1, 1);
    });
  });

  it("refuses by name, and fails as a whole", async () => {
    await withEngine(model, { slots: 2, contextLength: 64, queueLimit: 3 }, async (engine) => {
      const refused = async (inputs: unknown, options = {}) =>
        caught(() => engine.embed(inputs as string, options));
      expect((await refused([])).message).toContain("embed(): inputs must be a text");
      expect((await refused(7)).message).toContain("embed(): inputs must be a text");
      expect((await refused("a", { sorted: true })).message).toContain('unknown option "sorted"');
      expect((await refused("a", { inputs: "b" })).message).toContain('unknown option "inputs"');
      for (const options of [null, 7]) {
        const message = `embed(): options must be an object, got ${options}`;
        expect((await refused("a", options as unknown as object)).message).toBe(message);
      }
      const tooLong = await refused(["a", "long ".repeat(100)]);
      expect(tooLong.code).toBe("CONTEXT_OVERFLOW");
      expect(tooLong.message).toMatch(/^embed\(\): inputs\[1\]: The prompt has \d+ tokens/);
      expect((await refused("long ".repeat(100))).message).toContain("embed(): inputs: The prompt has");
      const strange = Int32Array.of(1, 1 << 30);
      expect((await refused(["a", strange])).message).toContain("embed(): inputs[1][1] must be a token id");
      expect((await refused(strange)).message).toContain("embed(): inputs[1] must be a token id");
      const loras = [{ name: "none", scale: 1 }];
      expect((await refused("a", { loras })).message).toMatch(/^embed\(\): loras/);
      expect((await refused(["a", "b", "c", "d"])).message).toContain(
        "inputs must be at most the engine's queueLimit, 3, got 4",
      );
      expect((await refused("a", { signal: AbortSignal.abort() })).code).toBe("CANCELLED");
      expect((await engine.embed("a")).embeddings).toHaveLength(1);
    });
  });
});
