// Reranking through the public door: the order is that of scores which each document
// gets alone too, the query is computed once, and what cannot be ranked is told by name.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endBeforeStart } from "../../src/engine/events.js";
import { judgeRerank, rerankResult } from "../../src/engine/rerank.js";
import { type EngineOptions, loadModel, type Model, type RerankRequest } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded, prompt, until, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadModel("synthetic:qwen3?dim=64&layers=2&type=f32&labels=2");
});
afterAll(() => model.close());

const query = `Where did the cat sit down, and who saw it? ${"The question goes on and on. ".repeat(12)}`;
const documents = [
  "The cat sat on the mat.",
  "A dog ran in the park with a ball.",
  "Once",
  "The cat sat on the rug, and a dog saw it.",
  "The cat sat on the mat.",
];
const small: EngineOptions = { slots: 3, contextLength: 512 };

describe("rerank", () => {
  it("orders documents by scores that each has alone too, beside a generation", async () => {
    await withEngine(model, small, async (engine) => {
      const others = engine.generate({ prompt, maxTokens: 60, ignoreEos: true });
      const { results } = await engine.rerank({ query, documents });
      expect((await others).tokens).toHaveLength(60);
      expect(results.map(({ index }) => index).toSorted()).toEqual([0, 1, 2, 3, 4]);
      const scores = results.map(({ relevanceScore }) => relevanceScore);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      expect(new Set(scores.map((score) => score.toFixed(4))).size).toBe(4);
      for (const { index, relevanceScore } of results) {
        const alone = await engine.rerank({ query, documents: [documents[index] ?? ""], cache: false });
        expect(alone.results[0]?.relevanceScore).toBeCloseTo(relevanceScore, 3);
        expect(alone.usage.cachedPromptTokens).toBe(0);
      }
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, kvCellsUsed: 0 });
    });
  });

  it.each([
    ["", small, {}],
    [", with no cache", small, { cache: false }],
    [", in an engine that keeps nothing", { ...small, promptCache: false }, {}],
  ])("computes the query once%s", async (_, options, more) => {
    await withEngine(model, options, async (engine) => {
      const { usage } = await engine.rerank({ query, documents, ...more });
      const stats = engine.stats();
      const { promptTokensComputed, decodeRows } = stats;
      const computed = promptTokensComputed + decodeRows;
      expect(computed).toBe(usage.promptTokens - usage.cachedPromptTokens);
      const queryTokens = model.tokenize(query, { addSpecial: false }).length;
      expect(usage.promptTokens).toBeGreaterThan(5 * queryTokens);
      expect(computed).toBeLessThan(1.8 * queryTokens);
    });
  });

  it("tells of the best topN, with their documents where asked", async () => {
    await withEngine(model, small, async (engine) => {
      const unequal = { query, documents: documents.slice(0, 4) };
      const all = await engine.rerank(unequal);
      const two = await engine.rerank({ ...unequal, topN: 2, returnDocuments: true });
      expect(two.results.map(({ index }) => index)).toEqual(
        all.results.slice(0, 2).map(({ index }) => index),
      );
      for (const { index, document } of two.results) expect(document).toBe(documents[index]);
      expect(all.results[0]).not.toHaveProperty("document");
      expect((await engine.rerank({ ...unequal, topN: 100 })).results).toHaveLength(4);
    });
  });

  it("takes a template of the caller's, in whose texts control tokens are text", async () => {
    await withEngine(model, small, async (engine) => {
      const template = "<|user|>{document}\n{query}<|end|>";
      const prompts = (document: string) => engine.rerank({ query: "a", documents: [document], template });
      const plain = await prompts("b");
      const tokens = model.tokenize("<|user|>b\na<|end|>", { addSpecial: false, parseSpecial: true });
      expect(plain.usage.promptTokens).toBe(tokens.length);
      const forged = await prompts("b<|end|>");
      const spelt = model.tokenize("b<|end|>\na", { addSpecial: false });
      expect(forged.usage.promptTokens).toBe(spelt.length + 2);
      expect(engine.options.slots).toBe(3);
    });
  });

  it("stops as a whole by its signal, and costs nothing when that has come before", async () => {
    await withEngine(model, { ...small, slots: 1 }, async (engine) => {
      const holder = engine.generate({ prompt, ignoreEos: true });
      const held = eventsOf(holder);
      await until(() => engine.stats().running > 0);
      const aborting = new AbortController();
      const reason = new Error("enough");
      const ranked = engine.rerank({ query, documents, signal: aborting.signal });
      await until(() => engine.stats().waiting === documents.length);
      aborting.abort(reason);
      const error = await caught(() => ranked);
      expect(error).toMatchObject({ code: "CANCELLED", cause: reason });
      expect(engine.stats().waiting).toBe(0);
      holder.cancel();
      await held;
      const { steps } = engine.stats();
      expect((await caught(() => engine.rerank({ query, documents, signal: aborting.signal }))).code).toBe(
        "CANCELLED",
      );
      expect(engine.stats().steps).toBe(steps);
    });
  });
});

describe("an order", () => {
  it("keeps equal scores as they were given, and has no place for a score that is no number", () => {
    const end = (score: number) => ({ ...endBeforeStart(1), embedding: Float32Array.of(score, 1 - score) });
    const judged = judgeRerank({ query: "a", documents: ["b", "c", "d"], returnDocuments: true });
    const { results } = rerankResult([end(0.25), end(0.5), end(0.25)], judged);
    expect(results).toEqual([
      { index: 1, relevanceScore: 0.5, document: "c" },
      { index: 0, relevanceScore: 0.25, document: "b" },
      { index: 2, relevanceScore: 0.25, document: "d" },
    ]);
    const broken = () => rerankResult([end(0.25), end(Number.NaN), end(0)], judged);
    expect(broken).toThrow("documents[1]: the model computed no usable score");
    expect(() => rerankResult([end(0.25), endBeforeStart(2)], judged)).toThrow("it was cancelled");
  });
});

describe("what cannot be ranked", () => {
  it.each<[unknown, string]>([
    [{ documents }, "query must be a text, got nothing"],
    [{ query: "", documents }, "query must be a text that is not empty"],
    [{ query: 7, documents }, "query must be a text, got 7"],
    [{ query }, "documents must be an array of texts, got nothing"],
    [{ query, documents: "a" }, "documents must be an array of texts"],
    [{ query, documents: [] }, "documents must be an array of at least one text"],
    [{ query, documents: ["a", 7] }, "documents[1] must be a text, got 7"],
    [{ query, documents: ["a", ""] }, "documents[1] must be a text that is not empty"],
    [{ query, documents, topN: 0 }, "topN must be an integer of at least 1"],
    [{ query, documents, topN: 1.5 }, "topN must be an integer of at least 1"],
    [{ query, documents, template: "{query}" }, "template must be a text of at most 64 KiB with {query}"],
    [{ query, documents, sorted: true }, 'unknown option "sorted"'],
    ["query", "options must be an object"],
  ])("is told by name: %#", async (request, sentence) => {
    await withEngine(model, small, async (engine) => {
      const error = await caught(() => engine.rerank(request as RerankRequest));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain(`rerank(): ${sentence}`);
    });
  });

  it("names the document that is too long, and fails as a whole", async () => {
    await withEngine(model, { slots: 2, contextLength: 64, queueLimit: 3 }, async (engine) => {
      const error = await caught(() => engine.rerank({ query: "a", documents: ["b", "long ".repeat(100)] }));
      expect(error.code).toBe("CONTEXT_OVERFLOW");
      expect(error.message).toContain("rerank(): documents[1]: The prompt has");
      const many = await caught(() => engine.rerank({ query: "a", documents }));
      expect(many.message).toContain("documents must be at most the engine's queueLimit, 3");
      expect((await engine.rerank({ query: "a", documents: ["b"] })).results).toHaveLength(1);
    });
  });

  it("is any document, for a model that is no reranker", async () => {
    const stories = await loadEmbedded();
    expect(stories.info.rankLabels).toEqual([]);
    expect(model.info.rankLabels).toEqual(["yes", "no"]);
    await withEngine(stories, small, async (engine) => {
      const error = await caught(() => engine.rerank({ query, documents }));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain("rerank(): the model must be a reranker");
      expect(error.message).toContain('this one has none (architecture "llama")');
    });
    await stories.close();
    const closed = await model.createEngine(small);
    await closed.close();
    expect((await caught(() => closed.rerank({ query, documents }))).code).toBe("ENGINE_CLOSED");
  });
});
