// The forms of other tools, field by field: the names that vLLM's serving benchmark and AIPerf write, those that
// their own readers read, and figures that follow from the requests by those tools' definitions, computed
// here without the code that is tested.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { aiperfJsons } from "../../src/bench/aiperf-json.js";
import type { BenchmarkResult } from "../../src/bench/benchmark.js";
import { repeatFigures } from "../../src/bench/figures.js";
import type { Load } from "../../src/bench/load.js";
import { peakOf } from "../../src/bench/peak.js";
import { pointResult } from "../../src/bench/point.js";
import type { RequestRecord } from "../../src/bench/record.js";
import { vllmRuns } from "../../src/bench/vllm-json.js";
import { nothing, simulated } from "./simulated.js";

const { closedLoop } = JSON.parse(
  readFileSync(new URL("statistics-reference.json", import.meta.url), "utf8"),
) as { readonly closedLoop: { readonly records: RequestRecord[]; readonly streams: number } };

/** A result of recorded requests; @param counters the engine's, after the run */
function resultOf(load: Load, counters: Readonly<Record<string, number>> = {}): BenchmarkResult {
  const zero = Object.fromEntries(Object.keys(counters).map((name) => [name, 0]));
  const surroundings = { ...nothing, before: zero as never, after: counters as never };
  const slo = { ttftMs: 60, itlMs: 14 };
  const measured = repeatFigures(load, closedLoop.records, slo, surroundings);
  return {
    ...simulated({ seed: "compat", concurrency: [1], repeats: 1 }),
    points: [{ ...pointResult(load, [measured], true), cost: null }],
  };
}

const closed: Load = { type: "concurrency", concurrency: closedLoop.streams };
const measured = closedLoop.records.filter(
  ({ isWarmup, outcome }) => !isWarmup && outcome.type === "finished",
);
const ms = {
  ttft: measured.map(({ sentMs, arrivalsMs }) => (arrivalsMs[0] ?? Number.NaN) - sentMs),
  e2el: measured.map(({ sentMs, arrivalsMs }) => (arrivalsMs.at(-1) ?? Number.NaN) - sentMs),
  itl: measured.flatMap(({ arrivalsMs }) =>
    arrivalsMs.slice(1).map((at, index) => at - (arrivalsMs[index] ?? 0)),
  ),
};
const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
const deviation = (values: readonly number[]) =>
  Math.sqrt(mean(values.map((each) => (each - mean(values)) ** 2)));

// biome-ignore lint/suspicious/noExplicitAny: a file of another tool
type Json = Readonly<Record<string, any>>;
const vllm = (load: Load, counters?: Readonly<Record<string, number>>) =>
  vllmRuns(resultOf(load, counters))[0] as Json;
const aiperf = (load: Load) => JSON.parse(aiperfJsons(resultOf(load))[0] ?? "") as Json;

describe("vLLM's serving benchmark", () => {
  const statistics = ["mean", "median", "std", "p90", "p95", "p99", "p99.9"];
  // What `vllm bench serve --save-result --percentile-metrics ttft,tpot,itl,e2el --metric-percentiles
  // 90,95,99,99.9` writes, in its order.
  const written = [
    ...["date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id", "num_prompts"],
    ...["request_rate", "burstiness", "max_concurrency", "duration", "completed", "failed"],
    ...["total_input_tokens", "total_output_tokens", "request_throughput", "request_goodput"],
    ...["output_throughput", "total_token_throughput", "max_output_tokens_per_s", "max_concurrent_requests"],
    "rtfx",
    ...["ttft", "tpot", "itl", "e2el"].flatMap((name) => statistics.map((each) => `${each}_${name}_ms`)),
  ];
  // What its readers look for: convert-results-json-to-markdown.py, of which compare-json-results.py reads
  // the tables; `vllm bench sweep plot` and plot_pareto with their defaults; PyTorch's benchmark database.
  const read = {
    convert: [
      ...["model_id", "completed", "max_concurrency", "request_throughput", "total_token_throughput"],
      ...[
        "output_throughput",
        "mean_ttft_ms",
        "median_ttft_ms",
        "p99_ttft_ms",
        "std_ttft_ms",
        "mean_tpot_ms",
      ],
      ...["median_tpot_ms", "p99_tpot_ms", "std_tpot_ms", "mean_itl_ms", "median_itl_ms", "p99_itl_ms"],
    ],
    plot: ["request_throughput", "p99_e2el_ms"],
    pareto: ["output_throughput", "max_concurrency", "max_concurrent_requests"],
    pytorch: ["ttft", "tpot", "itl"].flatMap((name) =>
      ["median", "mean", "std", "p99"].map((each) => `${each}_${name}_ms`),
    ),
  };

  it("its fields, all of them, in its order", () => {
    expect(Object.keys(vllm(closed))).toEqual([...written, "infernode"]);
  });

  it.each(Object.entries(read))("what %s reads is there, and a number where it computes", (_, names) => {
    const run = vllm(closed);
    for (const name of names) {
      if (name === "model_id") expect(run[name]).toBe("fox");
      else expect(run[name], name).toBeTypeOf("number");
    }
  });

  // A rate has no number of users, so that plot_pareto takes the most requests in flight.
  it("of a rate and of a trace, too, plot_pareto finds a number of users", () => {
    const arrivals = { process: "poisson", burstiness: 1 } as const;
    const rate = vllm({ type: "rate", rate: 4, ...arrivals });
    expect(rate).toMatchObject({ request_rate: 4, burstiness: 1, max_concurrency: null });
    const trace = vllm({ type: "trace", speed: 2 });
    expect(trace).toMatchObject({ request_rate: "inf", burstiness: 1, max_concurrency: null });
    for (const run of [rate, trace]) expect(run.max_concurrent_requests).toBeGreaterThan(0);
  });

  it("its figures are those of the requests by its definitions", () => {
    const run = vllm(closed);
    for (const [name, values] of Object.entries(ms)) {
      expect(run[`mean_${name}_ms`], name).toBeCloseTo(mean(values), 9);
      expect(run[`std_${name}_ms`], name).toBeCloseTo(deviation(values), 9);
      const sorted = values.toSorted((one, other) => one - other);
      const half = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1);
      expect(run[`median_${name}_ms`], name).toBeCloseTo(mean(half), 9);
    }
    const tokens = measured.reduce((sum, { usage }) => sum + (usage?.completionTokens ?? 0), 0);
    expect(run.total_output_tokens).toBe(tokens);
    expect(run.output_throughput * run.duration).toBeCloseTo(tokens, 6);
  });

  it("answers without figures have zeros, as numpy's mean of [0]", () => {
    const none = { ...resultOf(closed), points: [] };
    expect(vllmRuns(none)).toEqual([]);
    const failed = closedLoop.records.map((record) => ({
      ...record,
      outcome: { type: "failed", errorClass: "http-503", sentence: "status 503" } as const,
    }));
    const figures = repeatFigures(closed, failed, { ttftMs: 60, itlMs: 14 }, nothing);
    const [run] = vllmRuns({ ...none, points: [{ ...pointResult(closed, [figures], true), cost: null }] });
    expect(run).toMatchObject({ completed: 0, mean_ttft_ms: 0, p99_e2el_ms: 0, max_concurrent_requests: 0 });
  });

  it("speculation where there were drafts", () => {
    expect(vllm(closed, { draftedTokens: 80, acceptedTokens: 60 })).toMatchObject({
      spec_decode_acceptance_rate: 75,
      spec_decode_draft_tokens: 80,
      spec_decode_accepted_tokens: 60,
    });
    expect(Object.keys(vllm(closed, { draftedTokens: 0, acceptedTokens: 0 }))).toEqual([
      ...written,
      "infernode",
    ]);
  });

  it.each([
    ["chat", "openai-chat"],
    ["completions", "openai"],
    ["run-stream", "runpod"],
    ["run-status", "runpod"],
  ])("%s is its backend %s", (api, backend) => {
    const result = resultOf(closed);
    const [run] = vllmRuns({ ...result, target: { ...result.target, api } });
    expect(run).toMatchObject({ backend, endpoint_type: backend });
  });
});

describe("peaks", () => {
  const request = (sentMs: number, ...arrivalsMs: number[]): RequestRecord => ({
    ...{ isWarmup: false, turn: null, dueMs: sentMs, sentMs, endMs: (arrivalsMs.at(-1) ?? sentMs) + 5 },
    ...{ arrivalsMs, clientTokens: arrivalsMs.length, usage: null, queueMs: null, engineFirstTokenMs: null },
    outcome: { type: "finished", finishReason: "length" },
  });

  it("are vLLM's: whole seconds from the first send, and an end comes before a begin", () => {
    // Seconds from 700: 2 events, 1, 3. In flight: 700-1200, 1200-2800, 2000-3650.
    const all = [request(700, 900, 1200), request(1200, 2100, 2800), request(2000, 2750, 3650)];
    expect(peakOf(all)).toEqual({ eventsPerSecond: 3, inFlight: 2 });
    expect(peakOf(all.slice(0, 2))?.inFlight).toBe(1);
    expect(peakOf([request(1)])).toBeNull();
  });
});

describe("AIPerf", () => {
  // Of its JSON, what this benchmark measures; each is an object with a unit.
  const spreads = [
    ...["request_latency", "time_to_first_token", "inter_token_latency", "inter_chunk_latency"],
    ...["output_token_throughput_per_user", "output_sequence_length", "input_sequence_length"],
  ];
  const values = [
    ...[
      "request_throughput",
      "request_count",
      "output_token_throughput",
      "total_token_throughput",
      "goodput",
    ],
    "output_token_throughput_per_gpu", // its plots ask for it, and compute it from telemetry where there is some
    ...["good_request_count", "total_osl", "total_isl", "benchmark_duration", "error_request_count"],
  ];
  const ofSpread = [
    ...["unit", "avg", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "min", "max", "std"],
    ...["count", "sum"],
  ];

  it("its metrics with all that each has", () => {
    const run = aiperf(closed);
    for (const name of spreads)
      expect(Object.keys(run[name] ?? {}).sort(), name).toEqual(ofSpread.toSorted());
    for (const name of values) expect(Object.keys(run[name] ?? {}), name).toEqual(["unit", "avg"]);
    const metrics = Object.entries(run).filter(([, value]) => Object.hasOwn(Object(value), "unit"));
    expect(metrics.map(([name]) => name).sort()).toEqual([...spreads, ...values].sort());
  });

  it("what its plots read: model, concurrency, requests, times", () => {
    const run = aiperf(closed);
    expect(run).toMatchObject({
      schema_version: "1.1",
      was_cancelled: false,
      input_config: {
        endpoint: { model_names: ["fox"], type: "chat" },
        loadgen: { concurrency: closedLoop.streams, request_count: 32 },
      },
      error_summary: [{ error_details: { type: "http-503", message: "status 503" }, count: 2 }],
    });
    const [start, end] = [run.start_time, run.end_time].map((time) => Date.parse(time ?? ""));
    expect(((end ?? 0) - (start ?? 0)) / 1000).toBeCloseTo(run.benchmark_duration.avg, 2);
  });

  it("its figures are those of the requests by its definitions", () => {
    const run = aiperf(closed);
    const names = { time_to_first_token: ms.ttft, request_latency: ms.e2el, inter_chunk_latency: ms.itl };
    for (const [name, own] of Object.entries(names)) {
      expect(run[name].avg, name).toBeCloseTo(mean(own), 9);
      expect(run[name].std, name).toBeCloseTo(deviation(own), 9);
      expect(run[name].min, name).toBeCloseTo(Math.min(...own), 9);
      expect(run[name].max, name).toBeCloseTo(Math.max(...own), 9);
      expect(run[name].sum, name).toBeCloseTo(mean(own) * own.length, 6);
      expect(run[name].count, name).toBe(own.length);
    }
    const tokens = measured.reduce((sum, { usage }) => sum + (usage?.completionTokens ?? 0), 0);
    const seconds = run.benchmark_duration.avg;
    expect(run.total_osl.avg).toBe(tokens);
    expect(run.output_token_throughput.avg).toBeCloseTo(tokens / seconds, 9);
    expect(run.request_throughput.avg).toBeCloseTo(measured.length / seconds, 9);
  });
});
