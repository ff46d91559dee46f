// A reader that lags: its generation halts, resumes, and yields to others.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine, GenerationEvent, Model } from "../../src/index.js";
import { eventsOf, loadEmbedded, prompt, textOf, until, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const window = 256;
const long = { prompt, temperature: 0, maxTokens: 500, ignoreEos: true };

/** Waits until the engine has made as many tokens as may lie unread. */
async function halted(engine: Engine, unread: number): Promise<void> {
  await until(() => engine.stats().generatedTokens >= unread);
}

/** Tokens of an event, which holds several where its reader came late. */
function tokensOf({ value }: IteratorResult<GenerationEvent>): number {
  return value !== undefined && "tokens" in value ? value.tokens.length : 0;
}

describe("a generation that nobody reads", () => {
  it("halts at 256 unread tokens while others go on, and resumes to the same text", async () => {
    await withEngine(model, { slots: 4, contextLength: 1024 }, async (engine) => {
      const undisturbed = await engine.generate(long);
      const before = engine.stats().generatedTokens;
      const lagging = engine.generate(long);
      await halted(engine, before + window);
      const other = await engine.generate({ ...long, maxTokens: 200 });
      const unread = engine.stats().generatedTokens - before - other.tokens.length;
      expect(unread).toBeGreaterThanOrEqual(window);
      expect(unread).toBeLessThanOrEqual(window + 4);
      const events = await eventsOf(lagging);
      expect(textOf(events)).toBe(undisturbed.text);
      expect(events.at(-1)).toMatchObject({ type: "end", finishReason: "length" });
    });
  });

  it("gives its slot to one that waits, and still gives the same text", async () => {
    // Its tokens are computed a second time, as a prompt. In passes of 64 rows
    // and more ggml's attention rounds differently, which may turn a near tie.
    await withEngine(model, { slots: 1, contextLength: 1024, prefillChunk: 32 }, async (engine) => {
      const undisturbed = await engine.generate(long);
      const before = engine.stats().generatedTokens;
      const lagging = engine.generate(long);
      await halted(engine, before + window);
      const other = await engine.generate({ prompt, maxTokens: 16 });
      expect(other.usage.completionTokens).toBeGreaterThan(0);
      expect(engine.stats().preemptions).toBeGreaterThanOrEqual(1);
      expect((await lagging).text).toBe(undisturbed.text);
    });
  });

  it("can be cancelled while it is halted", async () => {
    await withEngine(model, { slots: 1, contextLength: 1024 }, async (engine) => {
      const lagging = engine.generate(long);
      await halted(engine, window);
      lagging.cancel();
      const { finishReason, tokens } = await lagging;
      expect(finishReason).toBe("cancelled");
      expect(tokens.length).toBeGreaterThanOrEqual(window);
    });
  });
});

describe("a reader that stops reading", () => {
  it("halts its generation and finds every token when it reads on", async () => {
    await withEngine(model, { slots: 2, contextLength: 1024 }, async (engine) => {
      const lagging = engine.generate(long);
      const iterator = lagging[Symbol.asyncIterator]();
      let tokens = tokensOf(await iterator.next());
      await halted(engine, window);
      for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
        tokens += tokensOf(step);
      }
      expect(tokens).toBe(500);
    });
  });
});
