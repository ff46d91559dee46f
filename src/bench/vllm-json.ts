// A result in the form that vLLM's serving benchmark writes with --save-result: an object for each run,
// which is a repeat here, with vLLM's names and definitions. Rates are over the whole run. What of it is
// this benchmark's own: a request is good by --slo-ttft and --slo-itl, events without text (a chat's
// first one, which has the role) are no tokens, and the last field says whose the figures are. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import type { EngineFigures } from "./engine-figures.js";
import type { LatencyFigures, RepeatFigures } from "./figures.js";
import type { Load } from "./load.js";
import { type Distribution, populationDeviation } from "./statistics.js";

/** One object for each repeat of each load point, in the order in which they ran. */
export function vllmRuns(result: BenchmarkResult): readonly object[] {
  return result.points.flatMap(({ load, repeats }) => repeats.map((repeat) => run(result, load, repeat)));
}

function run(result: BenchmarkResult, load: Load, repeat: RepeatFigures) {
  const { requests, wallMs, peak } = repeat;
  const [input, output] = [total(repeat.tokens.promptTokens), total(repeat.tokens.outputTokens)];
  const seconds = wallMs === null ? null : wallMs / 1000;
  const rate = (count: number) => (seconds === null ? null : count / seconds);
  return {
    ...identity(result, repeat),
    ...{ num_prompts: requests.sent, ...arrivals(load) },
    ...{ duration: seconds, completed: requests.finished, failed: requests.failed },
    ...{ total_input_tokens: input, total_output_tokens: output },
    ...{ request_throughput: rate(requests.finished), request_goodput: rate(requests.good) },
    ...{ output_throughput: rate(output), total_token_throughput: rate(input + output) },
    max_output_tokens_per_s: peak?.eventsPerSecond ?? 0,
    max_concurrent_requests: peak?.inFlight ?? 0,
    rtfx: 0, // audio alone has it
    ...speculation(repeat.engine),
    ...latencies(repeat.latency),
    infernode: { load, machine: result.machine, build: result.build, target: result.target },
  };
}

function identity({ startedAt, target }: BenchmarkResult, repeat: RepeatFigures) {
  const isEndpoint = target.type === "endpoint";
  const backend = isEndpoint ? (backends[String(target.api)] ?? "openai") : "infernode";
  const model = isEndpoint ? target.model : (target.model as { readonly path?: unknown } | undefined)?.path;
  const ids = { label: null, model_id: model ?? null, tokenizer_id: model ?? null };
  return { date: compact(repeat.startedAt ?? startedAt), endpoint_type: backend, backend, ...ids };
}

const backends: Readonly<Record<string, string>> = {
  ...{ chat: "openai-chat", completions: "openai", "run-stream": "runpod", "run-status": "runpod" },
};

/** 20261130-120000 */
function compact(date: string): string {
  return date.replace(/[-:]/g, "").replace("T", "-").slice(0, "20261130-120000".length);
}

/**
 * Infinity has no JSON; vLLM writes a text for its rate, and so it is here of gaps that are all alike.
 * Requests at a trace's own times have no rate, which vLLM calls inf, too.
 */
function arrivals(load: Load) {
  if (load.type === "concurrency")
    return { request_rate: "inf", burstiness: 1, max_concurrency: load.concurrency };
  if (load.type === "trace") return { request_rate: "inf", burstiness: 1, max_concurrency: null };
  const burstiness = load.process === "constant" ? "inf" : load.process === "poisson" ? 1 : load.burstiness;
  return { request_rate: load.rate, burstiness, max_concurrency: null };
}

/** Present where drafts were, as in vLLM; how many passes had one is not known. */
function speculation(engine: EngineFigures | null) {
  const { draftedTokens, acceptedTokens } = engine ?? {};
  if (!draftedTokens || typeof acceptedTokens !== "number") return {};
  return {
    spec_decode_acceptance_rate: (acceptedTokens / draftedTokens) * 100,
    spec_decode_draft_tokens: draftedTokens,
    spec_decode_accepted_tokens: acceptedTokens,
  };
}

const names = { ttft: "ttftMs", tpot: "tpotMs", itl: "itlMs", e2el: "lastTextMs" } as const satisfies Record<
  string,
  keyof LatencyFigures
>;

/** 0 where there was nothing to measure, as vLLM has it. */
function latencies(latency: RepeatFigures["latency"]) {
  const entries = Object.entries(names).flatMap(([name, field]) => {
    const of = latency[field];
    return [
      [`mean_${name}_ms`, of?.mean ?? 0],
      [`median_${name}_ms`, of?.p50 ?? 0],
      [`std_${name}_ms`, of === null ? 0 : populationDeviation(of)],
      [`p90_${name}_ms`, of?.p90 ?? 0],
      [`p95_${name}_ms`, of?.p95 ?? 0],
      [`p99_${name}_ms`, of?.p99 ?? 0],
      [`p99.9_${name}_ms`, of?.p999 ?? 0],
    ] as const;
  });
  return Object.fromEntries(entries);
}

/** 0 where nobody counted, as vLLM has it. */
function total(lengths: Distribution | null): number {
  return lengths === null ? 0 : Math.round(lengths.mean * lengths.count);
}
