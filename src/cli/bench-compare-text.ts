// A comparison as the command line prints it. Pure: values in, text out.
import type { BenchmarkResult } from "../bench/benchmark.js";
import type { Difference } from "../bench/comparable.js";
import { type Change, type Comparison, falseAlarms } from "../bench/compare.js";
import { digits, loadText } from "../bench/load-text.js";
import { table } from "./format.js";

const heading = ["load", "figure", "before", "after", "change", "95 % interval", "p", "verdict"];

/** Shown whether they changed or not; others only where they did. */
const headline: ReadonlySet<string> = new Set([
  ...["out_tok_s", "req_s", "ttft_p50", "ttft_p99", "itl_p50", "itl_p99", "e2e_p50"],
]);

/** A whole comparison for a person to read. */
export function comparisonText(
  results: readonly [BenchmarkResult, BenchmarkResult],
  differences: readonly Difference[],
  { changes, skipped, leftOut }: Comparison,
): string {
  const shown = changes.filter(({ metric, verdict }) => headline.has(metric.name) || isChange(verdict));
  const lines = [
    table([heading, ...shown.map(cells)]),
    "",
    ...summary(changes),
    ...leftOut.map(
      ({ load, repeats: [first, second] }) =>
        `Left out at ${loadText(load)}: ${first} and ${second} repeats in which the machine was busier than in the others (client.eventLoopDelayMs).`,
    ),
    ...skipped.map(({ load, reason }) => `Not compared: ${loadText(load)}, ${reason}.`),
    ...failureLines(results),
    ...(differences.some(({ name }) => name === "greedyDigest")
      ? []
      : ["Answers at temperature 0: the same."]),
    ...lossLines(results, differences),
    ...differences.map(({ name, before, after }) => `Differs: ${name}, ${before} and ${after}.`),
  ];
  return lines.join("\n");
}

function lossLines(
  results: readonly BenchmarkResult[],
  differences: readonly Difference[],
): readonly string[] {
  const areMeasured = results.every(({ nll }) => nll !== null);
  return areMeasured && !differences.some(({ name }) => name === "nll")
    ? ["Losses of fixed texts and of batched answers: the same within rounding."]
    : [];
}

function isChange(verdict: Change["verdict"]): boolean {
  return verdict === "better" || verdict === "worse";
}

function cells({ load, metric, before, after, change, low, high, adjustedP, verdict }: Change): string[] {
  return [
    loadText(load),
    `${metric.name} ${metric.unit}`,
    digits(before),
    digits(after),
    percent(change),
    low === null ? "-" : `${percent(low)} to ${percent(high)}`,
    adjustedP === null ? "-" : adjustedP < 0.001 ? "<0.001" : adjustedP.toFixed(3),
    verdict,
  ];
}

function summary(changes: readonly Change[]): string[] {
  const count = (verdict: Change["verdict"]) => changes.filter((each) => each.verdict === verdict).length;
  const [better, worse] = [count("better"), count("worse")];
  const unknown = changes.filter(({ p }) => p === null).length;
  const disturbed = count("unknown") - unknown;
  const level = `Welch's test over repeats, adjusted for their number, p < ${falseAlarms}`;
  const lines = [`Of ${changes.length} figures ${better} are better and ${worse} are worse (${level}).`];
  if (unknown > 0)
    lines.push(
      `Of ${unknown} figures it is not known, since a side has one repeat: measure with --repeats 3 or more.`,
    );
  if (disturbed > 0)
    lines.push(
      `Of ${disturbed} figures it is not known, since the machine was busier in one of the runs (client.eventLoopDelayMs), which explains their change: measure both again while nothing else runs.`,
    );
  return lines;
}

/** A server that refuses requests is fast. */
function failureLines(results: readonly BenchmarkResult[]): string[] {
  const [before = 0, after = 0] = results.map(({ points }) =>
    points.reduce(
      (sum, { repeats }) => sum + repeats.reduce((all, { requests }) => all + requests.failed, 0),
      0,
    ),
  );
  return before + after === 0
    ? []
    : [`Failed requests: ${before} before, ${after} after; figures are of those that finished.`];
}

function percent(share: number | null): string {
  if (share === null) return "-";
  return `${share > 0 ? "+" : ""}${(share * 100).toFixed(1)} %`;
}
