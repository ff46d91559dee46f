// The two layouts of the KV cache through the public door: the same texts, what each
// shares, and a pool with fewer cells than its slots could use.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EngineOptions, loadModel, type Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, withEngine } from "../helpers/embedded.js";

const system = "Once upon a time there was a small green frog who lived in a pond near the old mill. ".repeat(
  4,
);
const asked = (name: string) => `${system}One day ${name} came to the pond and said,`;
const names = ["Ben", "Mia", "Tom", "Lily", "Max", "Anna"];
const greedy = { maxTokens: 60, temperature: 0, ignoreEos: true } as const;
const pool: EngineOptions = { slots: 6, contextLength: 512, kvLayout: "unified" };

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const texts = (options: EngineOptions) =>
  withEngine(model, { slots: 6, contextLength: 512, ...options }, async (engine) => {
    const results = await Promise.all(
      names.map((name) => engine.generate({ ...greedy, prompt: asked(name) })),
    );
    return { texts: results.map(({ text }) => text), stats: engine.stats(), options: engine.options };
  });

describe("one pool of cells", () => {
  it("gives the texts that streams give, and one pass a step", async () => {
    const streams = await texts({});
    const unified = await texts({ kvLayout: "unified" });
    expect(streams.options).toMatchObject({ kvLayout: "streams", kvCells: 6 * 512 });
    expect(unified.options).toMatchObject({ kvLayout: "unified", kvCells: 6 * 512 });
    expect(unified.texts).toEqual(streams.texts);
    expect(unified.stats).toMatchObject({ passesPerStep: 1, paddingRows: 0, sequenceMoves: 0 });
  });

  it("holds a common beginning once", async () => {
    const shared = model.tokenize(system).length;
    const { stats } = await texts({ kvLayout: "unified" });
    const own = model.tokenize(asked("Anna")).length - shared + greedy.maxTokens + 4;
    expect(stats.kvCellsCached).toBeLessThan(shared + names.length * own);
    expect(stats.hostCacheBytes).toBe(0);
    expect(stats.promptTokensCached).toBeGreaterThanOrEqual((names.length - 1) * (shared - 1));
  });

  it("says the same when it is too small for all, and ends all", async () => {
    const whole = await texts({});
    const small = await texts({ kvCells: 512 });
    expect(small.options).toMatchObject({ kvLayout: "unified", kvCells: 512 });
    expect(small.stats.kvCellsTotal).toBe(512);
    expect(small.texts).toEqual(whole.texts);
    await withEngine(model, { slots: 8, contextLength: 256, kvCells: 256 }, async (engine) => {
      const runs = names.map((name) =>
        engine.generate({ ...greedy, maxTokens: 120, prompt: `${name} went home and` }),
      );
      for (const { completionTokens } of (await Promise.all(runs)).map(({ usage }) => usage))
        expect(completionTokens).toBe(120);
      const { preemptions, failedPasses } = engine.stats();
      expect(preemptions).toBeGreaterThan(0);
      expect(failedPasses).toBe(0);
    });
  });

  it("needs the memory of its cells, not of its slots", () => {
    const streams = model.memoryNeeded({ slots: 8, contextLength: 512 });
    const unified = model.memoryNeeded({ slots: 8, contextLength: 512, kvCells: 1024 });
    expect(unified.kvBytes * 4).toBe(streams.kvBytes);
  });

  it("serves choices, forks, constraints, guesses and embeddings", async () => {
    const one = { ...greedy, prompt: asked("Ben") };
    const ofStreams = await withEngine(model, { ...pool, kvLayout: "streams" }, async (engine) => [
      await engine.generate({ ...one, temperature: 0.8, seed: 3, n: 3 }),
      await engine.generate({ ...one, regex: /( [a-z]+){5}\./ }),
    ]);
    await withEngine(model, { ...pool, speculation: true }, async (engine) => {
      const choices = await engine.generate({ ...one, temperature: 0.8, seed: 3, n: 3 });
      expect(choices.choices.map(({ text }) => text)).toEqual(ofStreams[0]?.choices.map(({ text }) => text));
      const bound = await engine.generate({ ...one, regex: /( [a-z]+){5}\./ });
      expect(bound.text).toBe(ofStreams[1]?.text);
      const source = engine.generate(one);
      const fork = engine.fork(source);
      expect((await fork).text).toBe((await source).text);
      const [embedded, running] = await Promise.all([
        engine.embed(["a frog", "a pond"]),
        engine.generate(one),
      ]);
      expect(embedded.embeddings).toHaveLength(2);
      expect(running.text).toBe((await source).text);
    });
  });

  it("gives a conversation's state to engines with the same layout only", async () => {
    const folder = await mkdtemp(join(tmpdir(), "infernode-layout-"));
    try {
      const file = join(folder, "state");
      await withEngine(model, pool, (engine) => engine.saveState(file, { prompt: system }));
      await withEngine(model, pool, async (engine) => {
        await engine.loadState(file);
        const { usage } = await engine.generate({ ...greedy, prompt: asked("Ben") });
        expect(usage.cachedPromptTokens).toBeGreaterThanOrEqual(model.tokenize(system).length - 2);
      });
      const refused = await withEngine(model, { ...pool, kvLayout: "streams" }, (engine) =>
        caught(() => engine.loadState(file)),
      );
      expect(refused.code).toBe("STATE_INVALID");
      expect(refused.message).toContain("another kvLayout (unified, here streams)");
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each(["gemma3", "mamba", "jamba"])("is refused for %s, which keeps streams", async (architecture) => {
    await using other = await loadModel(`synthetic:${architecture}?dim=128&layers=2`);
    const refused = await caught(() => other.createEngine({ kvLayout: "unified" }));
    expect(refused.message).toMatch(
      /kvLayout must be "streams" for this model, whose cache is of kind "\w+"/,
    );
    await using engine = await other.createEngine({ slots: 2, contextLength: 256, threads: 1 });
    expect(engine.options.kvLayout).toBe("streams");
  });
});
