// Draining: nothing new is taken, what lives comes to its end, and whoever waits hears of it.

import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Engine } from "../../src/engine/engine.js";
import { EventRouter } from "../../src/engine/event-router.js";
import { type GenerateRequest, loadModel, type Model } from "../../src/index.js";
import { caught } from "../helpers/caught.js";
import { loadEmbedded, prompt, withEngine } from "../helpers/embedded.js";
import { nativeEnd } from "../helpers/fake-engine.js";

let model: Model;
let reranker: Model;
const folder = mkdtempSync(join(tmpdir(), "infernode-drain-"));
beforeAll(async () => {
  model = await loadEmbedded();
  reranker = await loadModel("synthetic:qwen3?dim=64&layers=2&type=f32&labels=2");
});
afterAll(async () => {
  await Promise.all([model.close(), reranker.close()]);
  rmSync(folder, { recursive: true });
});

const endless = { prompt, ignoreEos: true };
const messages = [{ role: "user", content: "Who is Mia?" }];
const small = { slots: 1, contextLength: 512 }; // unread, nothing gets that long

/** Whether a promise has settled by now. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const turn = new Promise((resolve) => setImmediate(resolve, "pending"));
  return (await Promise.race([promise.catch(() => {}), turn])) === "pending";
}

/** A fork and its source, which is long enough to live when the engine hears of the fork. */
function forkOf(engine: Engine, request: GenerateRequest): PromiseLike<unknown> {
  const source = engine.generate(request);
  return Promise.all([source, engine.fork(source)]);
}

type Work = readonly [name: string, start: (engine: Engine) => PromiseLike<unknown>];

const living: readonly Work[] = [
  ["a generation", (engine) => engine.generate({ ...endless, maxTokens: 40 })],
  ["messages that are being rendered", (engine) => engine.generate({ messages, maxTokens: 4 })],
  ["several choices", (engine) => engine.generate({ ...endless, maxTokens: 10, n: 3 })],
  ["an answer in parts", (engine) => engine.generate({ messages, maxTokens: 8, splitReasoning: true })],
  ["a fork", (engine) => forkOf(engine, { ...endless, maxTokens: 150 })],
  ["a fork of messages", (engine) => forkOf(engine, { messages, ignoreEos: true, maxTokens: 150 })],
  ["embeddings", (engine) => engine.embed(["one", "two", "three"])],
  ["a saved state", (engine) => engine.saveState(join(folder, "a.state"), { prompt })],
  ["a saved state of messages", (engine) => engine.saveState(join(folder, "b.state"), { messages })],
  ["a state that cannot be loaded", (engine) => engine.loadState(join(folder, "none.state"))],
];

describe("drain()", () => {
  it.each(living)("lets %s come to its end", async (_, start) => {
    await withEngine(model, small, async (engine) => {
      const ended: string[] = [];
      const work = Promise.resolve(start(engine)).then(
        (value) => value,
        (thrown) => thrown,
      );
      void work.then(() => ended.push("work"));
      await engine.drain().then(() => ended.push("drain"));
      const value = await work;
      expect(ended.toSorted()).toEqual(["drain", "work"]);
      const { finished, failed, cancelled, refused } = engine.stats();
      expect([cancelled, refused]).toEqual([0, 0]);
      expect(failed).toBe(value instanceof Error ? 1 : 0);
      expect(finished).toBeGreaterThanOrEqual(value instanceof Error ? 0 : 1);
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
    });
  });

  it("lets a reranking come to its end", async () => {
    await withEngine(reranker, small, async (engine) => {
      const ranked = engine.rerank({ query: "cat", documents: ["a cat", "a dog"] });
      await engine.drain();
      expect((await ranked).results).toHaveLength(2);
    });
  });

  it("refuses everything new with a sentence that says why", async () => {
    await withEngine(reranker, small, async (engine) => {
      const source = engine.generate({ ...endless, maxTokens: 30 });
      const drained = engine.drain();
      expect(engine.healthy).toBe(false);
      const attempts: readonly [string, () => PromiseLike<unknown>][] = [
        ["generate()", () => engine.generate({ prompt })],
        ["generate()", () => engine.generate({ messages })],
        ["fork()", () => engine.fork(source)],
        ["embed()", () => engine.embed("one")],
        ["rerank()", () => engine.rerank({ query: "a", documents: ["b"] })],
        ["saveState()", () => engine.saveState(join(folder, "c.state"), { prompt })],
        ["loadState()", () => engine.loadState(join(folder, "c.state"))],
      ];
      for (const [call, attempt] of attempts) {
        const error = await caught(attempt);
        expect(error).toMatchObject({ code: "ENGINE_CLOSED", status: 503, retryable: true });
        expect(error.message).toContain(`${call}: the engine is draining`);
      }
      await source;
      await drained;
      expect(engine.stats()).toMatchObject({ finished: 1, refused: attempts.length });
    });
  });

  it("may be called several times, and of an idle or a closed engine", async () => {
    const engine = await model.createEngine(small);
    const run = engine.generate({ ...endless, maxTokens: 20 });
    await Promise.all([engine.drain(), engine.drain(), run]);
    await engine.drain();
    expect(engine.healthy).toBe(false);
    await engine.close();
    await engine.drain();
  });

  it("ends when close() ends what lives, an unread generation too", async () => {
    const engine = await model.createEngine(small);
    const unread = engine.generate(endless);
    const rendering = engine.generate({ messages });
    const drained = engine.drain();
    await unread.accepted;
    expect(await isPending(drained)).toBe(true);
    await Promise.all([engine.close(), drained]);
    expect((await unread).finishReason).toBe("cancelled");
    expect((await rendering).finishReason).toBe("cancelled");
  });

  it("stops waiting when its signal aborts; the engine goes on draining", async () => {
    await withEngine(model, small, async (engine) => {
      const run = engine.generate(endless);
      const controller = new AbortController();
      const reason = new Error("too long");
      const drained = caught(() => engine.drain({ signal: controller.signal }));
      const others = engine.drain();
      await run.accepted;
      controller.abort(reason);
      expect(await drained).toMatchObject({ code: "CANCELLED", cause: reason });
      expect(engine.healthy).toBe(false);
      expect((await caught(() => engine.generate({ prompt }))).code).toBe("ENGINE_CLOSED");
      expect((await caught(() => engine.drain({ signal: AbortSignal.abort() }))).code).toBe("CANCELLED");
      expect(await isPending(others)).toBe(true);
      run.cancel();
      await others;
    });
  });

  it("leaves no listener at its signal", async () => {
    await withEngine(model, small, async (engine) => {
      const { signal } = new AbortController();
      const run = engine.generate({ ...endless, maxTokens: 10 });
      const drained = engine.drain({ signal });
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      await Promise.all([run, drained]);
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
    });
  });

  it("judges its options, and drains nothing where they are wrong", async () => {
    await withEngine(model, small, async (engine) => {
      const error = await caught(() => engine.drain({ signal: 5 } as never));
      expect(error.message).toBe("drain(): signal must be an AbortSignal, got 5");
      expect((await caught(() => engine.drain({ timeout: 5 } as never))).code).toBe("INVALID_OPTION");
      expect(engine.healthy).toBe(true);
      expect((await engine.generate({ prompt, maxTokens: 2 })).tokens.length).toBeGreaterThan(0);
    });
  });
});

describe("healthy", () => {
  it("is true of an open engine, and false once it is closing or closed", async () => {
    const engine = await model.createEngine(small);
    expect(engine.healthy).toBe(true);
    await engine.generate({ prompt, maxTokens: 2 });
    expect(engine.healthy).toBe(true);
    const closing = engine.close();
    expect(engine.healthy).toBe(false);
    await closing;
    expect(engine.healthy).toBe(false);
  });

  it("is false of an engine that broke, which refuses everything and drains at once", async () => {
    const router = new EventRouter();
    const failure = { code: "ENGINE_BROKEN", message: "The engine stopped: eight passes failed." };
    await withEngine(model, small, async ({ options }) => {
      // No request breaks the real one: what its addon would do.
      const native = {
        options,
        broken: true,
        ref() {},
        cancel() {},
        submit(id: number) {
          const end = nativeEnd({ id, reason: "error", failure });
          setImmediate(() =>
            router.dispatch(new Float64Array(), [], new Int32Array(), new Uint32Array(), [end], [], [], []),
          );
        },
      };
      const facts = {
        fingerprint: "",
        vocabularySize: 512,
        addBos: false,
        architecture: "llama",
        rankLabels: [],
      };
      const engine = new Engine(native as never, router, facts, undefined as never);
      expect(engine.healthy).toBe(false);
      const run = engine.generate({ prompt, n: 2 });
      expect(await caught(() => run.accepted)).toMatchObject({ code: "ENGINE_BROKEN", status: 500 });
      expect(await caught(() => run)).toMatchObject({ code: "ENGINE_BROKEN" });
      await engine.drain();
    });
  });
});
