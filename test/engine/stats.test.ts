// The books of requests: every call of a public method ends in exactly one of four counts,
// whatever happens to it, and the names of all counters agree wherever they stand.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RequestCounts, RequestOutcome } from "../../src/engine/request-book.js";
import { type Engine, type Generation, InferenceError, loadModel, type Model } from "../../src/index.js";
import { loadEmbedded, prompt, seededRandom, withEngine } from "../helpers/embedded.js";

let model: Model;
let reranker: Model;
const folder = mkdtempSync(join(tmpdir(), "infernode-stats-"));
beforeAll(async () => {
  model = await loadEmbedded();
  reranker = await loadModel("synthetic:qwen3?dim=64&layers=2&type=f32&labels=2");
});
afterAll(async () => {
  await Promise.all([model.close(), reranker.close()]);
  rmSync(folder, { recursive: true });
});

const messages = [{ role: "user", content: "Who is Mia?" }];
const names = ["finished", "failed", "cancelled", "refused"] as const;

function countsOf(engine: Engine): RequestCounts {
  const { finished, failed, cancelled, refused } = engine.stats();
  return { finished, failed, cancelled, refused };
}

const file = (name: string) => join(folder, name);

/** How a generation ended, as its caller sees it. */
async function outcomeOf(run: Generation): Promise<RequestOutcome> {
  const accepted = run.accepted.then(
    () => true,
    () => false,
  );
  try {
    const { choices } = await run;
    return choices.some(({ finishReason }) => finishReason === "cancelled") ? "cancelled" : "finished";
  } catch (thrown) {
    if (!(thrown instanceof InferenceError)) throw thrown;
    if (thrown.code === "CANCELLED") return "cancelled";
    return (await accepted) ? "failed" : "refused";
  }
}

/** A call that ends so. */
function ends(outcome: RequestOutcome, call: () => PromiseLike<unknown>): () => Promise<RequestOutcome> {
  return async () => {
    await Promise.resolve(call()).catch(() => {});
    return outcome;
  };
}

async function expectCounts(engine: Engine, calls: readonly (() => Promise<RequestOutcome>)[]) {
  for (const call of calls) {
    const before = countsOf(engine);
    const outcome = await call();
    expect(countsOf(engine)).toEqual({ ...before, [outcome]: before[outcome] + 1 });
  }
}

const aborted = AbortSignal.abort();

/** A bias against every token, which fails a generation at its first. */
function banned(): ReadonlyMap<number, number> {
  return new Map(Array.from({ length: model.info.vocabularySize }, (_, id) => [id, -Infinity]));
}

describe("stats()", () => {
  it("counts each call once, however many choices, inputs or documents it has", async () => {
    await withEngine(model, { slots: 2, contextLength: 128 }, async (engine) => {
      const calls: readonly (() => Promise<RequestOutcome>)[] = [
        ends("finished", () => engine.generate({ prompt, maxTokens: 2, n: 3 })),
        ends("finished", () => engine.embed(["one", "two"])),
        ends("finished", () => engine.saveState(file("one"), { prompt })),
        ends("finished", () => engine.loadState(file("one"))),
        ends("failed", () => engine.generate({ prompt, logitBias: banned(), n: 2 })),
        ends("failed", () => engine.saveState(join(folder, "no", "folder"), { prompt })),
        ends("failed", () => engine.loadState(file("nothing"))),
        ends("cancelled", () => engine.generate({ prompt, n: 2, signal: aborted })),
        ends("cancelled", () => engine.embed(["one", "two"], { signal: aborted })),
        ends("cancelled", () => engine.saveState(file("two"), { prompt, signal: aborted })),
        ends("refused", () => engine.generate({ prompt, maxTokens: 0 })),
        ends("refused", () => engine.fork(undefined as never)),
        ends("refused", () => engine.embed([])),
        ends("refused", () => engine.embed(["one", "a ".repeat(300)])),
        ends("refused", () => engine.saveState(5 as never, { prompt })),
        ends("refused", () => engine.saveState(file("two"), { prompt: "a ".repeat(300) })),
        ends("refused", () => engine.loadState(file("one"), { cacheSalt: 5 } as never)),
      ];
      await expectCounts(engine, calls);
    });
  });

  it("counts a reranking once", async () => {
    await withEngine(reranker, { slots: 2, contextLength: 128 }, (engine) =>
      expectCounts(engine, [
        ends("finished", () => engine.rerank({ query: "a", documents: ["b", "c", "d"] })),
        ends("cancelled", () => engine.rerank({ query: "a", documents: ["b"], signal: aborted })),
        ends("refused", () => engine.rerank({ query: "", documents: [] })),
        ends("refused", () => engine.rerank({ query: "a", documents: ["b", "c ".repeat(300)] })),
      ]),
    );
  });

  it("counts a reader that leaves, a closing engine and a full queue", async () => {
    await withEngine(model, { slots: 1, contextLength: 512, queueLimit: 2 }, async (engine) => {
      for await (const _ of engine.generate({ prompt, ignoreEos: true })) break;
      await engine.drain();
      expect(countsOf(engine)).toEqual({ finished: 0, failed: 0, cancelled: 1, refused: 0 });
    });
    await withEngine(model, { slots: 1, contextLength: 256, queueLimit: 2 }, async (engine) => {
      const runs = Array.from({ length: 6 }, () => engine.generate({ prompt, maxTokens: 2 }));
      const outcomes = await Promise.all(runs.map(outcomeOf));
      const refused = outcomes.filter((outcome) => outcome === "refused").length;
      expect(refused).toBeGreaterThan(0);
      expect(countsOf(engine)).toEqual({ finished: 6 - refused, failed: 0, cancelled: 0, refused });
    });
  });

  it("agrees with what its callers saw, over 400 random requests at once", async () => {
    const seed = 15;
    const random = seededRandom(seed);
    const below = (bound: number) => Math.floor(random() * bound);
    const options = { slots: 3, contextLength: 128, queueLimit: 24 };
    const seen = { finished: 0, failed: 0, cancelled: 0, refused: 0 };
    await withEngine(model, options, async (engine) => {
      const sources: Generation[] = [];
      const make: readonly (() => Generation)[] = [
        () => engine.generate({ prompt, maxTokens: 1 + below(20), n: 1 + below(3) }),
        () => engine.generate({ messages, maxTokens: 1 + below(10), n: 1 + below(2) }),
        () => engine.generate({ prompt: "a ".repeat(below(400)), maxTokens: 3 }),
        () => engine.generate({ prompt, maxTokens: below(3) - 1 }),
        () => engine.generate({ prompt, logitBias: banned() }),
        () => engine.generate({ prompt, grammar: below(2) === 0 ? "root ::= no" : 'root ::= "a"' }),
        () => engine.fork(sources[below(sources.length)] ?? (undefined as never)),
      ];
      const request = async () => {
        const run = make[below(make.length)]?.() ?? engine.generate({ prompt });
        if (below(2) === 0) sources.push(run);
        const patience = below(12);
        if (patience < 4) {
          for (let turn = 0; turn < patience; turn += 1) await new Promise(setImmediate);
          run.cancel();
        }
        seen[await outcomeOf(run)] += 1;
      };
      const client = async () => {
        for (let count = 0; count < 10; count += 1) await request();
      };
      await Promise.all(Array.from({ length: 40 }, client));
      expect(countsOf(engine), `seed ${seed}`).toEqual(seen);
      expect(names.reduce((sum, name) => sum + seen[name], 0)).toBe(400);
      for (const name of names) expect(seen[name], name).toBeGreaterThan(0);
    });
  });
});

describe("the names of the counters", () => {
  const source = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8");
  const block = (text: string, opening: string) => {
    const from = text.indexOf(opening);
    expect(from, opening).toBeGreaterThan(0);
    return text.slice(from, text.indexOf("\n}", from));
  };
  const matches = (text: string, pattern: RegExp) => Array.from(text.matchAll(pattern), ([, name]) => name);
  const converted = block(source("native/napi/convert.cpp"), "Napi::Object stats_to(");
  const declared = (path: string, name: string) =>
    matches(block(source(path), `interface ${name} {`), /readonly (\w+): number;/g);
  const derived = ["rowsPerStep", "passesPerStep", ...names];

  it("are the same in the addon, in its TypeScript and in what stats() gives", async () => {
    const addon = matches(converted, /set\("(\w+)",/g);
    expect(new Set(addon).size).toBe(addon.length);
    expect(declared("src/native.ts", "NativeEngineStats").toSorted()).toEqual(addon.toSorted());
    expect(declared("src/engine/stats.ts", "EngineStats").toSorted()).toEqual(
      [...addon, ...derived].toSorted(),
    );
    await withEngine(model, { slots: 1 }, async (engine) => {
      expect(Object.keys(engine.stats()).toSorted()).toEqual([...addon, ...derived].toSorted());
    });
  });

  it("leave no counter of the engine out", () => {
    const counters = (file: string, struct: string) =>
      matches(block(source(`native/core/${file}.h`), `struct ${struct}`), /\b(\w+) = 0;/g);
    const [, bases = ""] =
      /struct EngineStats : ([\w, ]+) \{/.exec(source("native/core/engine_config.h")) ?? [];
    const files = {
      PassStats: "scheduling/pass_runner",
      DraftingStats: "drafting/drafting",
      TokenStats: "scheduling/endings",
      SeatingStats: "scheduling/seating",
    };
    expect(bases.split(", ").toSorted()).toEqual(Object.keys(files).toSorted());
    const fields = [
      ...counters("engine_config", "EngineStats : "),
      ...counters("cache/kv_cache", "CacheStats {"),
      ...Object.entries(files).flatMap(([struct, file]) => counters(file, `${struct} {`)),
    ];
    expect(fields.length).toBeGreaterThan(30);
    const told = matches(converted, /stats\.(?:cache\.)?(\w+)\)/g);
    expect(fields.toSorted()).toEqual(told.toSorted());
  });
});
