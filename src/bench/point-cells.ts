// A load point as a line of a table and as a sentence. Pure: values in, text out.

import { digits, loadText } from "./load-text.js";
import type { PointResult, PooledDistribution } from "./point.js";
import { errorText } from "./remarks.js";
import type { Interval } from "./statistics.js";

/** The table's heading: what each cell is where it stands alone, and the shorter text beside its neighbour. */
const headings: readonly (readonly [whole: string, short?: string])[] = [
  ...([["load"], ["out tok/s"], ["in tok/s"], ["req/s"], ["tok/s/user"]] as const),
  ...([["TTFT ms p50"], ["TTFT ms p99", "p99"], ["ITL ms p50"], ["ITL ms p99", "p99"]] as const),
  ...([["TPOT ms p50"], ["end ms p50"], ["end ms p99", "p99"], ["good"], ["good/s"], ["errors"]] as const),
  ...([["$/Mtok out"], ["$/Mtok in", "in"], ["$/Mtok blended", "blended"]] as const),
];

/** Of a terminal's table, which is read as a whole. */
export const pointHeading: readonly string[] = headings.map(([whole, short]) => short ?? whole);

/** Of a table that is scrolled. */
export const wholeHeading: readonly string[] = headings.map(([whole]) => whole);

/** One load point in one line, while others still run. */
export function pointLine(point: PointResult): string {
  const { overall, load } = point;
  const { throughput, latency } = overall;
  const parts = [
    `${withInterval(throughput?.outputTokensPerSecond)} output tokens/s`,
    `${withInterval(throughput?.requestsPerSecond)} requests/s`,
    `first token p50 ${percentile(latency.ttftMs, "p50")} ms, p99 ${percentile(latency.ttftMs, "p99")} ms`,
    `between tokens p50 ${percentile(latency.itlMs, "p50")} ms, p99 ${percentile(latency.itlMs, "p99")} ms`,
    overall.failed === 0 ? "no errors" : `${overall.failed} errors (${errorText(point)})`,
  ];
  return `${loadText(load)}${point.isComplete ? "" : " (partial)"}: ${parts.join(", ")}`;
}

/** The cells below it. */
export function pointCells(point: PointResult): string[] {
  const { throughput, latency, goodShare } = point.overall;
  return [
    `${loadText(point.load)}${point.isComplete ? "" : " (partial)"}`,
    withInterval(throughput?.outputTokensPerSecond),
    withInterval(throughput?.inputTokensPerSecond),
    withInterval(throughput?.requestsPerSecond),
    percentile(latency.userTokensPerSecond, "p50"),
    ...(["p50", "p99"] as const).map((name) => percentile(latency.ttftMs, name)),
    ...(["p50", "p99"] as const).map((name) => percentile(latency.itlMs, name)),
    percentile(latency.tpotMs, "p50"),
    ...(["p50", "p99"] as const).map((name) => percentile(latency.endToEndMs, name)),
    goodShare === null ? "-" : `${(goodShare * 100).toFixed(0)} %`,
    withInterval(throughput?.goodRequestsPerSecond),
    errorText(point),
    ...[point.cost?.output, point.cost?.input, point.cost?.blended].map((cost) => withInterval(cost)),
  ];
}

function withInterval(value: Interval | null | undefined): string {
  if (value === undefined || value === null) return "-";
  return value.high === null
    ? digits(value.mean)
    : `${digits(value.mean)} ± ${digits(value.high - value.mean)}`;
}

function percentile(value: PooledDistribution | null, name: "p50" | "p99"): string {
  return digits(value?.[name]);
}
