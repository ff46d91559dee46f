// Engines of one process share its cores: threads beyond them become as many, and engines
// that compute at once all come to their end with their own texts. How many threads compute
// at a time llama_cores_test.cpp counts; how fast, `npm run bench -- several-engines` tells.
import { availableParallelism } from "node:os";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Engine, type LogLine, type Model, setLogListener } from "../../src/index.js";
import { loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const patience = { timeout: 240_000 };

it("takes no more threads than there are CPUs, and says so in the log", patience, async () => {
  const lines: LogLine[] = [];
  setLogListener((line) => lines.push(line));
  try {
    const threads = await withEngine(
      model,
      { slots: 1, contextLength: 256, threads: 512 },
      async (engine) => {
        expect((await engine.generate({ prompt, maxTokens: 3 })).tokens.length).toBeGreaterThan(0);
        return engine.options.threads;
      },
    );
    expect(threads).toBeLessThanOrEqual(availableParallelism());
    await new Promise((resolve) => setImmediate(resolve));
    const warnings = lines.filter(
      ({ level, text }) => level === "warn" && text.includes("this process may use"),
    );
    expect(warnings.map(({ text }) => text)).toEqual([
      `threads: this process may use ${threads} CPUs; a pass computes with as many threads, not 512`,
    ]);
    lines.length = 0;
    await withEngine(model, { slots: 1, contextLength: 256, threads }, async () => {});
    await new Promise((resolve) => setImmediate(resolve));
    expect(lines.filter(({ text }) => text.includes("this process may use"))).toEqual([]);
  } finally {
    setLogListener(null);
  }
});

it("lets engines generate and embed at once, as each does alone, and close meanwhile", patience, async () => {
  const request = { prompt, maxTokens: 40, temperature: 0, ignoreEos: true };
  const options = { slots: 2, contextLength: 256, threads: availableParallelism() };
  const engines: Engine[] = [];
  for (let count = 0; count < availableParallelism() + 2; count += 1) {
    engines.push(await model.createEngine(options));
  }
  const [closing, embedding, ...generating] = engines as [Engine, Engine, ...Engine[]];
  const alone = (await closing.generate(request)).text;
  const embedded = await closing.embed(prompt);
  const endless = closing.generate({ prompt, ignoreEos: true, temperature: 0, maxTokens: 200 });
  const texts = generating.map((engine) => engine.generate(request));
  const vectors = Array.from({ length: 20 }, () => embedding.embed(prompt));
  await endless[Symbol.asyncIterator]().next();
  await closing.close();
  expect((await endless).tokens.length).toBeGreaterThan(0);
  for (const { text } of await Promise.all(texts)) expect(text).toBe(alone);
  expect(await vectors[0]).toEqual(embedded);
  await Promise.all(vectors);
  await Promise.all(engines.map((engine) => engine.close()));
});
