// A repeat in the form of AIPerf's profile_export_aiperf.json: an object of metrics with their units,
// by AIPerf's definitions, rates over the whole run, but for request_latency, which here lasts until the answer is
// closed and there until its last text. What this benchmark does not keep is left out,
// as AIPerf leaves out what it did not measure. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import type { RepeatFigures } from "./figures.js";
import type { Load } from "./load.js";
import type { Distribution } from "./statistics.js";

/** The form's own number, which its readers look at: the one that has `count` and `sum`, as AIPerf 0.13 reads it. */
const schemaVersion = "1.1";

/** One text for each repeat of each load point, since one of AIPerf's files is one run. */
export function aiperfJsons(result: BenchmarkResult): readonly string[] {
  return result.points.flatMap(({ load, repeats }) =>
    repeats.map((repeat) => `${JSON.stringify(run(result, load, repeat), null, 2)}\n`),
  );
}

function run(result: BenchmarkResult, load: Load, repeat: RepeatFigures) {
  const { requests, wallMs, tokens, latency, errors } = repeat;
  const seconds = wallMs === null || wallMs === 0 ? null : wallMs / 1000;
  const rate = (count: number, unit: string) =>
    seconds === null ? undefined : { unit, avg: count / seconds };
  const count = (unit: string, value: number) => ({ unit, avg: value });
  const [input, output] = [total(tokens.promptTokens), total(tokens.outputTokens)];
  return {
    schema_version: schemaVersion,
    request_throughput: rate(requests.finished, "requests/sec"),
    request_latency: spread("ms", latency.endToEndMs),
    request_count: count("requests", requests.finished),
    time_to_first_token: spread("ms", latency.ttftMs),
    inter_token_latency: spread("ms", latency.tpotMs),
    inter_chunk_latency: spread("ms", latency.itlMs),
    output_token_throughput: rate(output, "tokens/sec"),
    output_token_throughput_per_user: spread("tokens/sec/user", latency.userTokensPerSecond),
    output_sequence_length: spread("tokens", tokens.outputTokens),
    input_sequence_length: spread("tokens", tokens.promptTokens),
    goodput: rate(requests.good, "requests/sec"),
    good_request_count: count("requests", requests.good),
    total_osl: count("tokens", output),
    total_isl: count("tokens", input),
    benchmark_duration: seconds === null ? undefined : { unit: "sec", avg: seconds },
    error_request_count: count("requests", requests.failed),
    was_cancelled: result.ended.reason === "interrupted",
    error_summary: Object.entries(errors).map(([type, { count: number, example }]) => ({
      error_details: { type, message: example },
      count: number,
    })),
    start_time: result.startedAt,
    infernode: { load, target: result.target, build: result.build },
  };
}

/** numpy's standard deviation divides by n; of one value it is 0. */
function spread(unit: string, of: Distribution | null) {
  if (of === null) return undefined;
  const { mean: avg, p50, p90, p99, max, deviation, count } = of;
  return {
    unit,
    avg,
    p50,
    p90,
    p99,
    max,
    std: deviation === null ? 0 : deviation * Math.sqrt((count - 1) / count),
    ...{ count, sum: avg * count },
  };
}

function total(lengths: Distribution | null): number {
  return lengths === null ? 0 : Math.round(lengths.mean * lengths.count);
}
