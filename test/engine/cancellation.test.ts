// Cancelling at every point of a request's life, and what it leaves behind.
import { getEventListeners } from "node:events";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine, Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { eventsOf, loadEmbedded, prompt, seededRandom, until, withEngine } from "../helpers/embedded.js";

let model: Model;
beforeAll(async () => {
  model = await loadEmbedded();
});
afterAll(() => model.close());

const endless = { prompt, ignoreEos: true };

function nothingLives(engine: Engine): boolean {
  const { running, waiting, kvCellsUsed } = engine.stats();
  return running === 0 && waiting === 0 && kvCellsUsed === 0;
}

describe("an AbortSignal", () => {
  it("that is already aborted costs nothing", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const reason = new Error("too late");
      const signal = AbortSignal.abort(reason);
      const run = engine.generate({ ...endless, signal });
      expect(await eventsOf(run)).toMatchObject([
        { type: "end", finishReason: "cancelled", usage: { promptTokens: 0 } },
      ]);
      expect(await caught(() => run)).toMatchObject({ code: "CANCELLED", cause: reason });
      expect(engine.stats()).toMatchObject({ steps: 0, running: 0, waiting: 0 });
    });
  });

  it("ends a running generation: an end event for who iterates, CANCELLED for who awaits", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const controller = new AbortController();
      const reason = new Error("the client left");
      const run = engine.generate({ ...endless, signal: controller.signal });
      const awaited = caught(() => run);
      const types: string[] = [];
      for await (const event of run) {
        types.push(event.type);
        controller.abort(reason);
      }
      expect(types.at(-1)).toBe("end");
      expect(await awaited).toMatchObject({ code: "CANCELLED", cause: reason });
      await until(() => nothingLives(engine));
    });
  });

  it("ends one that waits for a slot", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const controller = new AbortController();
      const first = engine.generate(endless);
      const waiting = engine.generate({ ...endless, signal: controller.signal });
      await first[Symbol.asyncIterator]().next();
      controller.abort();
      expect((await caught(() => waiting)).code).toBe("CANCELLED");
      first.cancel();
      expect((await first).finishReason).toBe("cancelled");
    });
  });

  it("ends one within its prompt after at most one more chunk", async () => {
    const prefillChunk = 16;
    await withEngine(model, { slots: 1, contextLength: 1024, prefillChunk }, async (engine) => {
      const controller = new AbortController();
      const request = { ...endless, prompt: Array(1000).fill(300), signal: controller.signal };
      const ended = caught(() => engine.generate(request));
      await until(() => engine.stats().promptTokensComputed > 0);
      const { promptTokensComputed } = engine.stats();
      controller.abort();
      expect((await ended).code).toBe("CANCELLED");
      await until(() => nothingLives(engine));
      // One chunk was under way; another may have begun between stats() and abort().
      const more = engine.stats().promptTokensComputed - promptTokensComputed;
      expect(more).toBeLessThanOrEqual(2 * prefillChunk);
      expect(engine.stats().generatedTokens).toBe(0);
    });
  });

  it("keeps no listener once its generations have ended, however they ended", async () => {
    await withEngine(model, { slots: 4 }, async (engine) => {
      const { signal } = new AbortController();
      const finished = engine.generate({ prompt, maxTokens: 4, signal });
      const failed = engine.generate({ prompt: Array(2000).fill(5), signal });
      const cancelled = engine.generate({ ...endless, signal });
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      cancelled.cancel();
      await Promise.allSettled([finished, failed, cancelled]);
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
    });
  });
});

describe("leaving", () => {
  it("by break cancels the generation", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const run = engine.generate(endless);
      for await (const event of run) {
        expect(event.type).toBe("text-delta");
        break;
      }
      expect((await run).finishReason).toBe("cancelled");
      await until(() => nothingLives(engine));
    });
  });

  it("through a stream that is destroyed cancels it even while it waits for a slot", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const first = engine.generate(endless);
      const iterator = first[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = engine.generate(endless);
      const stream = Readable.from(waiting);
      stream.read();
      await until(() => engine.stats().waiting === 1);
      stream.destroy();
      expect((await waiting).finishReason).toBe("cancelled");
      first.cancel();
      expect((await first).usage.completionTokens).toBeGreaterThan(0);
    });
  });

  it("by an exception in the loop cancels the generation", async () => {
    await withEngine(model, { slots: 1 }, async (engine) => {
      const run = engine.generate(endless);
      const reading = async () => {
        for await (const _ of run) throw new Error("the socket is gone");
      };
      await expect(reading()).rejects.toThrow("the socket is gone");
      expect((await run).finishReason).toBe("cancelled");
    });
  });
});

describe("300 generations cancelled at random points", () => {
  it("each end once and leave nothing running, waiting or cached", async () => {
    const seed = 11;
    const random = seededRandom(seed);
    await withEngine(model, { slots: 16, contextLength: 256 }, async (engine) => {
      const shared = new AbortController();
      const runs = Array.from({ length: 300 }, () => endSomehow(engine, shared.signal, random));
      const ends = await Promise.all(runs);
      expect(ends, `seed ${seed}`).toEqual(Array(300).fill(1));
      await until(() => nothingLives(engine));
      expect(getEventListeners(shared.signal, "abort")).toHaveLength(0);
      expect((await engine.generate({ prompt, maxTokens: 8 })).usage.completionTokens).toBeGreaterThan(0);
    });
  });
});

/** One request with one of five fates. @returns how many ends it had */
async function endSomehow(engine: Engine, shared: AbortSignal, random: () => number): Promise<number> {
  const own = new AbortController();
  const after = Math.floor(random() * 20);
  const fate = Math.floor(random() * 5);
  const length = 1 + Math.floor(random() * 200);
  const signal = fate === 0 ? shared : own.signal;
  const run = engine.generate({ prompt: Array(length).fill(300), maxTokens: 24, ignoreEos: true, signal });
  if (fate === 1) own.abort();
  if (fate === 2) setImmediate(() => own.abort());
  let ends = 0;
  let deltas = 0;
  for await (const event of run) {
    if (event.type === "end") ends += 1;
    else deltas += 1;
    if (fate === 3 && deltas === after) own.abort();
    if (fate === 4 && deltas === after) run.cancel();
  }
  return ends;
}
