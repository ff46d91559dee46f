// A result in the form that vLLM's serving benchmark writes with --save-result and --append-result:
// a line of JSON for each run, which is a repeat here. Figures are by vLLM's definitions, rates over
// the whole run, but for e2el, which here lasts until the answer is closed and there until its last text; what this
// benchmark does not keep is null. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import type { LatencyFigures, RepeatFigures } from "./figures.js";
import type { Load } from "./load.js";
import type { Distribution } from "./statistics.js";

/** The whole file. */
export function vllmJson(result: BenchmarkResult): string {
  return result.points
    .flatMap(({ load, repeats }) => repeats.map((repeat) => run(result, load, repeat)))
    .map((each) => `${JSON.stringify(each)}\n`)
    .join("");
}

function run(result: BenchmarkResult, load: Load, repeat: RepeatFigures) {
  const { requests, wallMs } = repeat;
  const [input, output] = [total(repeat.tokens.promptTokens), total(repeat.tokens.outputTokens)];
  const seconds = wallMs === null ? null : wallMs / 1000;
  const rate = (count: number) => (seconds === null ? null : count / seconds);
  return {
    ...identity(result),
    ...{ num_prompts: requests.sent, ...arrivals(load) },
    ...{ duration: seconds, completed: requests.finished, failed: requests.failed },
    ...{ total_input_tokens: input, total_output_tokens: output },
    ...{ request_throughput: rate(requests.finished), request_goodput: rate(requests.good) },
    ...{ output_throughput: rate(output), total_token_throughput: rate(input + output) },
    ...{ max_output_tokens_per_s: null, max_concurrent_requests: null },
    ...latencies(repeat.latency),
  };
}

function identity({ startedAt, target }: BenchmarkResult) {
  const isEndpoint = target.type === "endpoint";
  const backend = isEndpoint ? (target.api === "chat" ? "openai-chat" : "openai") : "infernode";
  const model = isEndpoint ? target.model : (target.model as { readonly path?: unknown } | undefined)?.path;
  const date = startedAt.replace(/[-:]/g, "").replace("T", "-").slice(0, "20261130-120000".length);
  const ids = { label: null, model_id: model ?? null, tokenizer_id: model ?? null };
  return { date, endpoint_type: backend, backend, ...ids };
}

/** Infinity has no JSON; vLLM writes a text for its rate, and so it is here of gaps that are all alike. */
function arrivals(load: Load) {
  if (load.type === "concurrency")
    return { request_rate: "inf", burstiness: 1, max_concurrency: load.concurrency };
  if (load.type === "trace") return { request_rate: "trace", burstiness: null, max_concurrency: null };
  const burstiness = load.process === "constant" ? "inf" : load.process === "poisson" ? 1 : load.burstiness;
  return { request_rate: load.rate, burstiness, max_concurrency: null };
}

const names = { ttft: "ttftMs", tpot: "tpotMs", itl: "itlMs", e2el: "endToEndMs" } as const satisfies Record<
  string,
  keyof LatencyFigures
>;

function latencies(latency: RepeatFigures["latency"]) {
  const entries = Object.entries(names).flatMap(([name, field]) => {
    const of = latency[field];
    return [
      [`mean_${name}_ms`, of?.mean ?? null],
      [`median_${name}_ms`, of?.p50 ?? null],
      [`std_${name}_ms`, of && ofPopulation(of)],
      [`p90_${name}_ms`, of?.p90 ?? null],
      [`p99_${name}_ms`, of?.p99 ?? null],
      [`p99.9_${name}_ms`, of?.p999 ?? null],
    ] as const;
  });
  return Object.fromEntries(entries);
}

/** numpy's standard deviation divides by n; of one value it is 0. */
function ofPopulation({ count, deviation }: Distribution): number {
  return deviation === null ? 0 : deviation * Math.sqrt((count - 1) / count);
}

/** 0 where nobody counted, as vLLM has it. */
function total(lengths: Distribution | null): number {
  return lengths === null ? 0 : Math.round(lengths.mean * lengths.count);
}
