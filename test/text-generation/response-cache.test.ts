// Earlier answers are given word for word to equal deterministic requests, one
// generation serves all that ask at once, and nothing else is kept.
import { describe, expect, it } from "vitest";
import type { GenerateRequest } from "../../src/index.js";
import { ResponseCache } from "../../src/text-generation/response-cache.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded, textOf, withEngine } from "../helpers/embedded.js";
import { withTextWorker } from "./scene.js";

const prompt = "Once upon a time";

/** A cache over a real engine, and what the engine was asked. */
async function withCache(
  limits: { entries: number; bytes: number },
  work: (cache: ResponseCache, asked: GenerateRequest[], rows: () => number) => Promise<void>,
): Promise<void> {
  const model = await loadEmbedded();
  await withEngine(model, { slots: 2, contextLength: 256 }, async (engine) => {
    const asked: GenerateRequest[] = [];
    const generate = (request: GenerateRequest) => {
      asked.push(request);
      return engine.generate(request);
    };
    await work(new ResponseCache(generate, limits), asked, () => engine.stats().steps);
  });
  await model.close();
}

const schema = (properties: Readonly<Record<string, object>>) => ({
  type: "object",
  properties,
  required: ["a", "b"],
  additionalProperties: false,
});

const roomy = { entries: 8, bytes: 1e6 };

describe("a response cache", () => {
  it("gives the same answer again, whole and as events, without a step", async () => {
    await withCache(roomy, async (cache, asked, steps) => {
      const request = { prompt, temperature: 0, maxTokens: 20 };
      const first = await cache.generate(request);
      const before = steps();
      const again = cache.generate({ maxTokens: 20, temperature: 0, prompt });
      expect(again.repeated).toBe(true);
      expect((await again).text).toBe(first.text);
      expect(textOf(await eventsOf(cache.generate(request)))).toBe(first.text);
      expect(steps()).toBe(before);
      expect(asked).toHaveLength(1);
      expect(cache.figures).toEqual({ hits: 2, joined: 0, misses: 1, uncacheable: 0 });
    });
  });

  it.each<[string, object, object]>([
    [
      "whose schemas order their properties differently",
      { jsonSchema: schema({ a: { enum: [1] }, b: { enum: [2] } }) },
      { jsonSchema: schema({ b: { enum: [2] }, a: { enum: [1] } }) },
    ],
    ["one of them bound by a regex's own text", { regex: /12/ }, { regex: "/12/" }],
  ])("tells requests apart %s", async (_name, one, other) => {
    await withCache(roomy, async (cache, asked) => {
      const request = { prompt, temperature: 0, maxTokens: 24 };
      await cache.generate({ ...request, ...one });
      await cache.generate({ ...request, ...other });
      expect(asked).toHaveLength(2);
      expect(cache.figures.hits).toBe(0);
    });
  });

  it("serves equal requests in flight by one generation, and ends it with the last of them", async () => {
    await withCache(roomy, async (cache, asked) => {
      const request = { prompt, seed: 5, maxTokens: 60 };
      const leaving = new AbortController();
      const gone = cache.generate({ ...request, signal: leaving.signal });
      const staying = [cache.generate(request), cache.generate(request)];
      leaving.abort();
      expect((await caught(() => gone)).code).toBe("CANCELLED");
      const [one, other] = await Promise.all(staying);
      expect(other?.text).toBe(one?.text);
      expect(one?.usage.completionTokens).toBeGreaterThan(20);
      expect(asked).toHaveLength(1);
      expect(cache.figures).toMatchObject({ joined: 2, misses: 1 });
      const alone = new AbortController();
      const last = cache.generate({ prompt: "The fox", seed: 1, signal: alone.signal });
      alone.abort();
      expect((await caught(() => last)).code).toBe("CANCELLED");
      expect(asked[1]?.signal?.aborted).toBe(true);
    });
  });

  it("keeps nothing that is drawn at random, and nothing that was cut short", async () => {
    await withCache(roomy, async (cache, asked) => {
      await cache.generate({ prompt, maxTokens: 4 });
      await cache.generate({ prompt, maxTokens: 4 });
      expect(cache.figures).toEqual({ hits: 0, joined: 0, misses: 0, uncacheable: 2 });
      const controller = new AbortController();
      const cut = cache.generate({ prompt, temperature: 0, signal: controller.signal });
      controller.abort();
      await caught(() => cut);
      const { finishReason } = await cache.generate({ prompt, temperature: 0 });
      expect(finishReason).not.toBe("cancelled");
      expect(asked).toHaveLength(4);
    });
  });

  it("lets the least recently used go, by count and by bytes", async () => {
    await withCache({ entries: 2, bytes: 1e6 }, async (cache, asked) => {
      const ask = (seed: number) => cache.generate({ prompt, seed, maxTokens: 3 });
      for (const seed of [1, 2, 1, 3]) await ask(seed); // 2 goes
      await ask(1);
      expect(asked).toHaveLength(3);
      await ask(2);
      expect(asked).toHaveLength(4);
    });
    await withCache({ entries: 100, bytes: 300 }, async (cache) => {
      for (const seed of [1, 1]) await cache.generate({ prompt, seed, maxTokens: 40 });
      expect(cache.figures.hits).toBe(0); // one answer alone is too large
    });
  });

  it("is off unless the worker is told its size, and says in usage what it gave", async () => {
    const input = { prompt: "Hello", params: { temperature: 0, max_tokens: 6 } };
    await withTextWorker({}, async ({ run, service }) => {
      for (let turn = 0; turn < 2; turn += 1)
        expect((await run(input)).output).not.toHaveProperty("usage.response_cached");
      expect(service().cacheFigures?.hits).toBe(0);
    });
    await withTextWorker({ CACHE_SIZE: "1024" }, async ({ run, service, worker }) => {
      const first = await run(input);
      const { output } = await run(input);
      expect(output).toMatchObject({ usage: { response_cached: true, completion_tokens: 6 } });
      expect((output as { generated_text: string }).generated_text).toBe(
        (first.output as { generated_text: string }).generated_text,
      );
      const chat = { openai_input: { messages: [{ role: "user", content: "Hi" }], seed: 3, max_tokens: 5 } };
      await run(chat);
      expect((await run(chat)).output).toMatchObject([{ usage: { response_cached: true } }]);
      for (let turn = 0; turn < 3; turn += 1) await run({ prompt: "Hello", params: { max_tokens: 2 } });
      expect(worker.lines.filter((line) => line.includes("was not kept"))).toHaveLength(1);
      expect(service().cacheFigures).toMatchObject({ hits: 2, uncacheable: 3 });
    });
  });
});
