// The figures by which results are compared, exported and judged, each with a short name for the
// command line. Which field a name means, and which direction is better, stands here alone.
import type { LatencyFigures, RepeatFigures, Throughput } from "./figures.js";
import type { distributionFigures } from "./statistics.js";

/** A figure that every repeat of a load point has. */
export interface Metric {
  /** Such as "ttft_p99". */
  readonly name: string;
  readonly unit: "tokens/s" | "1/s" | "ms";
  readonly isHigherBetter: boolean;
  /** Of one repeat; null where it was not measured. */
  readonly of: (repeat: RepeatFigures) => number | null;
}

function rate(name: string, field: keyof Throughput, unit: "tokens/s" | "1/s"): Metric {
  return { name, unit, isHigherBetter: true, of: ({ throughput }) => throughput?.[field] ?? null };
}

function latency(
  prefix: string,
  field: keyof LatencyFigures,
  ...figures: readonly (typeof distributionFigures)[number][]
): Metric[] {
  return figures.map((figure) => ({
    name: `${prefix}_${figure}`,
    unit: "ms",
    isHigherBetter: false,
    of: (repeat) => repeat.latency[field]?.[figure] ?? null,
  }));
}

/** All of them, in the order in which they are shown. */
export const metrics: readonly Metric[] = [
  rate("out_tok_s", "outputTokensPerSecond", "tokens/s"),
  rate("in_tok_s", "inputTokensPerSecond", "tokens/s"),
  rate("req_s", "requestsPerSecond", "1/s"),
  rate("good_req_s", "goodRequestsPerSecond", "1/s"),
  {
    ...{ name: "tok_s_user", unit: "tokens/s", isHigherBetter: true },
    of: ({ latency: { userTokensPerSecond } }) => userTokensPerSecond?.p50 ?? null,
  },
  ...latency("ttft", "ttftMs", "p50", "p90", "p99"),
  ...latency("itl", "itlMs", "p50", "p90", "p99"),
  ...latency("tpot", "tpotMs", "p50", "p99"),
  ...latency("e2e", "endToEndMs", "p50", "p90", "p99"),
];

/** Their names, for sentences. */
export const metricNames: string = metrics.map(({ name }) => name).join(", ");
