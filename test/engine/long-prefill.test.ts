// Cancelling while a long prompt is read, on the real model with a longer
// context: what is computed after the abort, counted by the engine.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { embeddedModelPath, loadModel, type Model } from "../../src/index.js";
import { withContext } from "../../tools/embedded-model/index.mjs";
import { until, withEngine } from "../helpers/embedded.js";

const context = 4096;
const chunk = 512;
const prompt = Array.from({ length: 3600 }, (_, index) => 300 + (index % 700));

let folder: string;
let model: Model;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "infernode-long-"));
  const path = join(folder, "long.gguf");
  await writeFile(path, withContext(await readFile(embeddedModelPath()), context));
  model = await loadModel(path);
});
afterAll(async () => {
  await model.close();
  await rm(folder, { recursive: true });
});

describe("a generation cancelled in the middle of 3,600 prompt tokens", () => {
  it("computes at most one chunk more and holds no cell", async () => {
    await withEngine(model, { slots: 2, contextLength: context, prefillChunk: chunk }, async (engine) => {
      const computed = () => engine.stats().promptTokensComputed;
      const abort = new AbortController();
      const run = engine.generate({ prompt, maxTokens: 4, signal: abort.signal });
      await until(() => computed() > chunk);
      const before = computed();
      abort.abort();
      await expect(Promise.resolve(run)).rejects.toMatchObject({ code: "CANCELLED" });
      await until(() => engine.stats().kvCellsUsed === 0);
      expect(before).toBeLessThan(prompt.length - chunk);
      expect(computed() - before).toBeLessThanOrEqual(chunk);
      expect(engine.stats().running).toBe(0);
    });
  });

  it("leaves what it computed to the next with that prompt", async () => {
    await withEngine(model, { slots: 2, contextLength: context, prefillChunk: chunk }, async (engine) => {
      const run = engine.generate({ prompt, maxTokens: 4 });
      await until(() => engine.stats().promptTokensComputed > chunk);
      run.cancel();
      await run;
      const { usage } = await engine.generate({ prompt, maxTokens: 4 });
      expect(usage.cachedPromptTokens).toBeGreaterThan(chunk);
    });
  });
});
