// What an engine does beside computing passes, on a device: beginnings used again, saved states,
// host memory, adapters, embeddings, guesses, preemption, two engines, cancelling. Each answer
// is the CPU's, and the counters show that it came by the way it is named for.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EngineOptions, embeddedModelPath, loadModel, type Model } from "../../src/index.js";
import { makeVariant } from "../../tools/embedded-model/index.mjs";
import { caught } from "../helpers/caught.js";
import { type Answer, expectAlike, type JobResult, onCpu, rounding } from "../helpers/device-answers.js";
import { withEngine } from "../helpers/embedded.js";
import { adapterFile } from "../helpers/lora-files.js";
import { describeDevice, patience } from "../helpers/software-device.js";

const greedy = { maxTokens: 8, temperature: 0, ignoreEos: true, logProbs: 5 };
const beginning = "Once upon a time there was a small green frog who lived in a pond near the old mill.";
// Long enough to be worth host memory.
const long = { ...greedy, prompt: `${beginning} ${beginning}` };
const frog = { ...greedy, prompt: beginning };
const more = { ...greedy, prompt: `${beginning} The frog had a friend` };
const dog = { ...greedy, prompt: "A dog ran to the park with a red ball and a blue kite. The dog" };
// Wide passes need shaders that take minutes to compile.
const shape = { contextLength: 256, prefillChunk: 16 };

describeDevice("an engine on a device", 1, () => {
  let folder = "";
  let model: Model;
  let cpu: readonly JobResult[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "infernode-device-"));
    const base = makeVariant(await readFile(embeddedModelPath()), "f32");
    await writeFile(join(folder, "lora.gguf"), adapterFile(base));
    model = await loadModel(embeddedModelPath(), { device: "gpu" });
    const engineOptions = { ...shape, slots: 1 };
    cpu = await onCpu([
      { engineOptions, requests: [frog, more, dog, long], embed: [beginning, "A dog"] },
      { engineOptions: { ...engineOptions, loras: [{ path: join(folder, "lora.gguf") }] }, requests: [frog] },
    ]);
  }, patience.timeout);
  afterAll(async () => {
    await model?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const expected = (request: number, job = 0) => cpu[job]?.answers[request] as Answer;
  const on = <Value>(options: EngineOptions, work: Parameters<typeof withEngine<Value>>[2]) =>
    withEngine(model, { ...shape, ...options }, work);

  it.each(["streams", "unified"] as const)("computes a beginning once (%s)", patience, async (kvLayout) => {
    await on({ slots: 2, kvLayout }, async (engine) => {
      expectAlike(await engine.generate(frog), expected(0), rounding);
      const longer = await engine.generate(more);
      expectAlike(longer, expected(1), rounding);
      expect(longer.usage.cachedPromptTokens).toBeGreaterThanOrEqual(model.tokenize(beginning).length - 1);
      // Two at once: the second one's beginning is copied or shared while the first runs.
      const both = await Promise.all([engine.generate(more), engine.generate(frog)]);
      expectAlike(both[0], expected(1), rounding);
      expectAlike(both[1], expected(0), rounding);
      expect(engine.stats()).toMatchObject({ failedPasses: 0, running: 0, kvCellsUsed: 0 });
    });
  });

  it("takes a beginning back from host memory", patience, async () => {
    await on({ slots: 1 }, async (engine) => {
      await engine.generate(long);
      expectAlike(await engine.generate(dog), expected(2), rounding);
      const again = await engine.generate(long);
      expectAlike(again, expected(3), rounding);
      expect(again.usage.cachedPromptTokens).toBe(again.usage.promptTokens - 1);
      expect(engine.stats().hostCacheRestores).toBe(1);
    });
  });

  it("goes on from a saved state, its own and one of the CPU", patience, async () => {
    const [ours, theirs] = [join(folder, "device.state"), join(folder, "cpu.state")];
    await on({ slots: 1 }, (engine) => engine.saveState(ours, { prompt: beginning }));
    await using plain = await loadModel(embeddedModelPath(), { device: "cpu" });
    await withEngine(plain, { ...shape, slots: 1 }, (engine) =>
      engine.saveState(theirs, { prompt: beginning }),
    );
    for (const file of [ours, theirs]) {
      await on({ slots: 1 }, async (engine) => {
        await engine.loadState(file);
        const answer = await engine.generate(more);
        expectAlike(answer, expected(1), rounding);
        expect(answer.usage.cachedPromptTokens).toBeGreaterThanOrEqual(model.tokenize(beginning).length - 1);
      });
    }
  });

  it("applies a LoRA adapter", patience, async () => {
    await on({ slots: 1, loras: [{ path: join(folder, "lora.gguf") }] }, async (engine) => {
      const answer = await engine.generate(frog);
      expectAlike(answer, expected(0, 1), rounding);
      expect(answer.tokens).not.toEqual(expected(0).tokens);
      // A change of adapters ends the process in llama.cpp's Vulkan backend.
      const error = await caught(() => engine.generate({ ...frog, loras: [] }));
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain("on Vulkan0 the adapters cannot change between passes");
      expectAlike(await engine.generate({ ...frog, loras: [{ name: "lora" }] }), expected(0, 1), rounding);
    });
  });

  it("embeds texts", patience, async () => {
    await on({ slots: 2 }, async (engine) => {
      const { embeddings } = await engine.embed([beginning, "A dog"]);
      for (const [index, embedding] of embeddings.entries()) {
        const other = cpu[0]?.embeddings[index] ?? [];
        expect(other).toHaveLength(embedding.length);
        const cosine = embedding.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
        expect(cosine).toBeGreaterThan(0.999);
      }
    });
  });

  it("guesses ahead, by n-grams and by a draft model", patience, async () => {
    for (const speculation of [true, { draftModel: model, draftTokens: 3 }]) {
      await on({ slots: 1, speculation }, async (engine) => {
        expectAlike(await engine.generate(frog), expected(0), rounding);
        const { draftedTokens, acceptedTokens, decodePasses } = engine.stats();
        if (speculation === true) return;
        expect(draftedTokens).toBeGreaterThan(0);
        expect(acceptedTokens).toBeGreaterThan(0);
        expect(decodePasses).toBeLessThan(greedy.maxTokens);
      });
    }
  });

  it("preempts where the pool is full, and loses nothing", patience, async () => {
    const one = { ...frog, maxTokens: 30, cache: false, logProbs: 0 };
    await on({ slots: 4, contextLength: 128, kvCells: 128, kvLayout: "unified" }, async (engine) => {
      const requests = ["Ben", "Mia", "Tom", "Lily"].map((name) =>
        engine.generate({ ...one, prompt: `${name} went home and` }),
      );
      for (const { tokens } of await Promise.all(requests)) expect(tokens).toHaveLength(one.maxTokens);
      const { preemptions, failedPasses } = engine.stats();
      expect(preemptions).toBeGreaterThan(0);
      expect(failedPasses).toBe(0);
    });
  });

  it("computes beside another engine, on the device and on the CPU", patience, async () => {
    await using plain = await loadModel(embeddedModelPath(), { device: "cpu" });
    await on({ slots: 1 }, (first) =>
      on({ slots: 1 }, (second) =>
        withEngine(plain, { ...shape, slots: 1 }, async (third) => {
          const engines = [first, second, third];
          const answers = await Promise.all(engines.map((engine) => engine.generate(frog)));
          for (const answer of answers) expectAlike(answer, expected(0), rounding);
        }),
      ),
    );
  });

  it("cancels one, and the other goes on", patience, async () => {
    await on({ slots: 2 }, async (engine) => {
      const ended = new AbortController();
      const endless = engine.generate({ ...dog, maxTokens: 200, signal: ended.signal });
      const other = engine.generate(frog);
      for await (const event of endless) if (event.type === "text-delta") break;
      ended.abort();
      expect((await endless).finishReason).toBe("cancelled");
      expectAlike(await other, expected(0), rounding);
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0, kvCellsUsed: 0 });
    });
  });

  it("refuses what it does not do, by name", patience, async () => {
    const error = await caught(() => model.createEngine({ ...shape, slots: 1, deterministic: true }));
    expect(error.message).toContain("Vulkan0");
  });
});
