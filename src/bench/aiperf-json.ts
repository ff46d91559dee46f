// A repeat in the form of AIPerf's profile_export_aiperf.json: an object of metrics with their units,
// by AIPerf's definitions, rates over the whole run. What of it is this benchmark's own: a request is good by
// --slo-ttft and --slo-itl. What this benchmark does not keep is left out, as AIPerf leaves out what it
// did not measure. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import type { RepeatFigures } from "./figures.js";
import type { Load } from "./load.js";
import type { PointResult } from "./point.js";
import { type Distribution, populationDeviation } from "./statistics.js";

/** The form's own number, which its readers look at: the one that has `count` and `sum`, as AIPerf 0.13 reads it. */
const schemaVersion = "1.1";

/** One text for each repeat of each load point, since one of AIPerf's files is one run. */
export function aiperfJsons(result: BenchmarkResult): readonly string[] {
  return result.points.flatMap((point) =>
    point.repeats.map((repeat) => `${JSON.stringify(run(result, point, repeat), null, 2)}\n`),
  );
}

function run(result: BenchmarkResult, { load, overall }: PointResult, repeat: RepeatFigures) {
  const { requests, wallMs, tokens, latency, errors } = repeat;
  const seconds = wallMs === null || wallMs === 0 ? null : wallMs / 1000;
  const rate = (count: number, unit: string) =>
    seconds === null ? undefined : { unit, avg: count / seconds };
  const count = (unit: string, value: number) => ({ unit, avg: value });
  const [input, output] = [total(tokens.promptTokens), total(tokens.outputTokens)];
  return {
    schema_version: schemaVersion,
    request_throughput: rate(requests.finished, "requests/sec"),
    request_latency: spread("ms", latency.lastTextMs),
    request_count: count("requests", requests.finished),
    time_to_first_token: spread("ms", latency.ttftMs),
    inter_token_latency: spread("ms", latency.tpotMs),
    inter_chunk_latency: spread("ms", latency.itlMs),
    output_token_throughput: rate(output, "tokens/sec"),
    output_token_throughput_per_gpu: rate(output / overall.gpus, "tokens/sec/gpu"),
    total_token_throughput: rate(input + output, "tokens/sec"),
    output_token_throughput_per_user: spread("tokens/sec/user", latency.userTokensPerSecond),
    output_sequence_length: spread("tokens", tokens.outputTokens),
    input_sequence_length: spread("tokens", tokens.promptTokens),
    goodput: rate(requests.good, "requests/sec"),
    good_request_count: count("requests", requests.good),
    total_osl: count("tokens", output),
    total_isl: count("tokens", input),
    benchmark_duration: seconds === null ? undefined : { unit: "sec", avg: seconds },
    error_request_count: count("requests", requests.failed),
    input_config: inputConfig(result, load, repeat),
    was_cancelled: result.ended.reason === "interrupted",
    error_summary: Object.entries(errors).map(([type, { count: number, example }]) => ({
      error_details: { type, message: example },
      count: number,
    })),
    ...times(repeat),
    infernode: { load, machine: result.machine, build: result.build, target: result.target },
  };
}

/** What AIPerf's plots name and group runs by. */
function inputConfig({ target }: BenchmarkResult, load: Load, { requests }: RepeatFigures) {
  const { model, api = "completions", url } = target;
  const name = typeof model === "string" ? model : (model as { readonly name?: unknown } | undefined)?.name;
  return {
    endpoint: {
      model_names: [name ?? "model"],
      ...{ type: api, streaming: api !== "run-status", urls: url === undefined ? undefined : [url] },
    },
    loadgen: {
      ...(load.type === "concurrency" && { concurrency: load.concurrency }),
      ...(load.type === "rate" && { request_rate: load.rate }),
      ...{ request_count: requests.sent, warmup_request_count: requests.warmup },
    },
  };
}

function times({ startedAt, wallMs }: RepeatFigures) {
  if (startedAt === null || wallMs === null) return {};
  return { start_time: startedAt, end_time: new Date(Date.parse(startedAt) + wallMs).toISOString() };
}

function spread(unit: string, of: Distribution | null) {
  if (of === null) return undefined;
  const { mean: avg, deviation: _, p999: __, ...rest } = of;
  return { unit, avg, ...rest, std: populationDeviation(of), sum: avg * of.count };
}

function total(lengths: Distribution | null): number {
  return lengths === null ? 0 : Math.round(lengths.mean * lengths.count);
}
