// Benchmarks of an engine in this process: counts that are the engine's own, achieved lengths,
// shared prefixes, files of prompts, digests, and Ctrl-C midway.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type BenchmarkCall, type BenchmarkResult, runBenchmark } from "../../src/bench/benchmark.js";
import { openEngine } from "../../src/bench/engine-target.js";
import { type BenchmarkOptions, engineShape, judgeBenchmark } from "../../src/bench/options.js";
import { embeddedModelPath } from "../../src/index.js";

const small = {
  concurrency: [2],
  requests: 6,
  repeats: 2,
  promptTokens: "40",
  outputTokens: "8",
  threads: 1,
  physics: false,
};

function bench(given: BenchmarkOptions, call: Partial<BenchmarkCall> = {}): Promise<BenchmarkResult> {
  const options = judgeBenchmark({ ...small, ...given });
  const { threads, gpuLayers, kvType, ignoreEos } = options;
  const model = embeddedModelPath();
  return runBenchmark(options, {
    open: (signal, traceTokens) =>
      openEngine(
        { model, threads, gpuLayers, kvType, ignoreEos, ...engineShape(options, traceTokens) },
        signal,
      ),
    signal: new AbortController().signal,
    ...call,
  });
}

vi.setConfig({ testTimeout: 120_000 });

describe("a benchmark of an engine", () => {
  it("counts requests and tokens as the engine does, and achieves the lengths", async () => {
    const { points, ended, calibration } = await bench({ concurrency: [1, 3] });
    expect({ ended: ended.reason, calibration }).toEqual({ ended: "finished", calibration: null });
    expect(points.map(({ isComplete }) => isComplete)).toEqual([true, true]);
    for (const { engine, requests, tokens } of points.flatMap(({ repeats }) => repeats)) {
      expect(engine?.finished).toBe(requests.all.finished);
      expect(engine?.generatedTokens).toBe(requests.all.outputTokens);
      expect(requests.finished).toBe(6);
      expect(tokens.outputTokens).toMatchObject({ count: 6, mean: 8, max: 8 });
      expect(tokens.clientOutputTokens).toBe(tokens.serverOutputTokens);
      // Cut at the model's tokens; where the cut text is read again, two may become one.
      expect(Math.abs((tokens.promptTokens?.mean ?? 0) - 40)).toBeLessThan(3);
    }
  });

  it("tells how late it sees tokens, beside the engine's own clock", async () => {
    // Long enough that the KV cache is looked at while a request runs, on a busy machine too.
    const { points } = await bench({ outputTokens: "300" });
    const [repeat] = points[0]?.repeats ?? [];
    expect(repeat?.client.firstTokenErrorMs?.count).toBe(6);
    expect(repeat?.latency.queueMs?.count).toBe(6);
    expect(repeat?.engine?.kvUseMax).toBeGreaterThan(0);
  });

  it("a shared prefix is computed once, and only where it is asked for", async () => {
    const [shared, apart] = [
      await bench({ sharedPrefix: 0.75, promptTokens: "160" }),
      await bench({ promptTokens: "160" }),
    ];
    const hits = (result: BenchmarkResult) =>
      result.points[0]?.repeats[0]?.engine?.prefixHitShare ?? Number.NaN;
    // Two at once that begin together on a busy machine may both compute it.
    expect(hits(shared)).toBeGreaterThan(0.2);
    expect(hits(apart)).toBeLessThan(0.05);
  });

  it("asks the prompts of a file, with the lengths that it says", async () => {
    const folder = mkdtempSync(join(tmpdir(), "infernode-prompts-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const prompts = join(folder, "prompts.jsonl");
    writeFileSync(prompts, '{"prompt": "The old cat", "max_tokens": 3}\n\n{"prompt": "A ship"}\n');
    const { points } = await bench({ prompts });
    expect(points[0]?.repeats[0]?.tokens.outputTokens).toMatchObject({ count: 6, mean: 5.5, max: 8 });
    writeFileSync(prompts, '{"prompt": "The old cat"}\n{"promt": "A ship"}\n');
    await expect(bench({ prompts })).rejects.toThrow(/prompts\.jsonl:2 must be an object such as/);
    await expect(bench({ prompts: `${prompts}.not` })).rejects.toThrow(/cannot be read: ENOENT/);
  });

  it("conversations are served from the cache of their own turns", async () => {
    const given = { turns: "4", promptTokens: "30", requests: 12, repeats: 1, warmup: 0 };
    const { points, target } = await bench(given);
    const [repeat] = points[0]?.repeats ?? [];
    expect(repeat?.requests).toMatchObject({ finished: 12, failed: 0 });
    expect(repeat?.turns).toMatchObject({ count: 12, max: 4 });
    expect(repeat?.engine?.prefixHitShare).toBeGreaterThan(0.3);
    // Four turns of 30 + 8 tokens fit without being told.
    expect(target.engine).toMatchObject({ contextLength: 4 * (30 + 8 + 32) });
  });

  it("replays a trace: blocks of one name are computed once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "infernode-trace-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const trace = join(folder, "trace.jsonl");
    const line = (name: number, index: number) =>
      JSON.stringify({ timestamp: 2000 * index, input_length: 440, output_length: 2, hash_ids: [name] });
    writeFileSync(trace, [7, 8, 7, 7].map(line).join("\n"));
    const given = { trace, traceSpeed: [100], concurrency: undefined, requests: undefined, slots: 4 };
    const { points, target } = await bench({ ...given, repeats: 1 });
    const [repeat] = points[0]?.repeats ?? [];
    expect(repeat?.requests).toMatchObject({ finished: 4, failed: 0 });
    expect(Math.abs((repeat?.tokens.promptTokens?.mean ?? 0) - 440)).toBeLessThan(4);
    expect(repeat?.tokens.cachedPromptShare).toBeCloseTo(0.5, 1);
    expect(target.engine).toMatchObject({ contextLength: 442 + 32 });
  });

  it("cancels as many requests as the engine says were cancelled", async () => {
    const given = { cancelRate: 0.5, outputTokens: "200", requests: 16, repeats: 1, warmup: 0 };
    const { points } = await bench(given);
    const { requests, engine } = points[0]?.repeats[0] ?? expect.fail("no repeat");
    expect(requests.abandoned).toBeGreaterThan(0);
    expect(requests.abandoned + requests.finished).toBe(16);
    expect(engine?.cancelled).toBe(requests.abandoned);
  });

  it("the same model has the same digest at any load, and the same seed the same requests", async () => {
    const [first, second] = [await bench({}), await bench({ concurrency: [3] })];
    expect(first.greedyDigest?.sha256).toBe(second.greedyDigest?.sha256);
    const prompts = (result: BenchmarkResult) => result.points[0]?.repeats[0]?.tokens.promptTokens?.mean;
    expect(prompts(await bench({}))).toBe(prompts(first));
    expect(first.greedyDigest?.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("at the signal keeps what has ended, and marks it as partial", async () => {
    const controller = new AbortController();
    const result = await bench(
      { requests: 1000, concurrency: [2, 4] },
      {
        signal: controller.signal,
        onRequest: ({ ended }) => {
          if (ended === 9) controller.abort();
        },
      },
    );
    expect(result.ended).toEqual({ reason: "interrupted", sentence: null });
    expect(result.points).toHaveLength(1);
    const [point] = result.points;
    expect(point?.isComplete).toBe(false);
    expect(point?.repeats[0]?.requests.all.finished).toBeGreaterThanOrEqual(9);
    const { sent, finished, cancelled } = point?.repeats[0]?.requests ?? expect.fail("no repeat");
    expect(sent).toBeLessThan(100);
    expect(finished + cancelled).toBe(sent);
    expect(point?.repeats[0]?.latency.ttftMs?.count).toBe(point?.repeats[0]?.requests.finished);
  });

  it("for a time instead of a number: requests begin until it is over", async () => {
    const { points } = await bench({ requests: undefined, duration: 0.4, repeats: 1 });
    const [repeat] = points[0]?.repeats ?? [];
    expect(repeat?.requests.finished).toBe(repeat?.requests.sent);
    expect(repeat?.requests.sent).toBeGreaterThan(0);
    expect(points[0]?.overall.throughput?.requestsPerSecond).toMatchObject({ low: null, high: null });
  });
});
