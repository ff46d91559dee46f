// A benchmark's result as the command line prints it. Pure: values in, text out.
import type { BenchmarkResult } from "../bench/benchmark.js";
import type { Calibration } from "../bench/calibration.js";
import type { Load } from "../bench/load.js";
import type { PointResult, PooledDistribution } from "../bench/point.js";
import type { Interval } from "../bench/statistics.js";
import { table } from "./format.js";

const heading = [
  ...["load", "out tok/s", "in tok/s", "req/s", "tok/s/user", "TTFT ms p50", "p99", "ITL ms p50", "p99"],
  ...["TPOT ms p50", "end ms p50", "p99", "good", "good/s", "errors"],
];

/** A whole result for a person to read. */
export function benchmarkText(result: BenchmarkResult): string {
  const { points, ended, greedyDigest, calibration } = result;
  const lines = [
    table([heading, ...points.map(cells)]),
    "",
    ...new Set(points.flatMap(remarks)),
    ...(calibration ?? []).map(calibrationLine),
    ...points.flatMap(clientLine),
    ...(greedyDigest === null ? [] : [`Answers at temperature 0: sha256 ${greedyDigest.sha256}`]),
    ...endLines(ended),
  ];
  return lines.join("\n");
}

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

/** A load point's name. */
export function loadText(load: Load): string {
  if (load.type === "concurrency") return `concurrency ${load.concurrency}`;
  return `${number(load.rate)}/s ${load.process}${load.process === "gamma" ? ` ${load.burstiness}` : ""}`;
}

function cells(point: PointResult): string[] {
  const { throughput, latency, goodShare } = point.overall;
  return [
    `${loadText(point.load)}${point.isComplete ? "" : " (partial)"}`,
    withInterval(throughput?.outputTokensPerSecond),
    withInterval(throughput?.inputTokensPerSecond),
    withInterval(throughput?.requestsPerSecond),
    percentile(latency.userTokensPerSecond, "mean"),
    ...(["p50", "p99"] as const).map((name) => percentile(latency.ttftMs, name)),
    ...(["p50", "p99"] as const).map((name) => percentile(latency.itlMs, name)),
    percentile(latency.tpotMs, "p50"),
    ...(["p50", "p99"] as const).map((name) => percentile(latency.endToEndMs, name)),
    goodShare === null ? "-" : `${(goodShare * 100).toFixed(0)} %`,
    withInterval(throughput?.goodRequestsPerSecond),
    errorText(point),
  ];
}

function errorText({ repeats }: PointResult): string {
  const counts = new Map<string, number>();
  for (const { errors } of repeats) {
    for (const [name, { count }] of Object.entries(errors)) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return counts.size === 0 ? "0" : [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
}

/** What a reader of the table must know. */
function remarks({ overall, repeats, load }: PointResult): string[] {
  const all: string[] = [];
  if (overall.repeats < 3)
    all.push(`Fewer than three repeats (${loadText(load)}): how far its figures are chance is not known.`);
  if (repeats.some(({ window }) => window?.kind === "whole"))
    all.push(
      `No steady state (${loadText(load)}): its rates include beginning and end; use more --requests.`,
    );
  else if (repeats.some(({ window }) => window?.isShort))
    all.push("Steady states shorter than 10 s: use --duration or more --requests for figures to publish.");
  const differing = repeats.reduce((sum, { tokens }) => sum + tokens.requestsWithOtherCounts, 0);
  if (differing > 0)
    all.push(
      `Events and tokens differ in number in ${differing} requests (${loadText(load)}); the other end's counts are used.`,
    );
  if (repeats.some(({ tokens, requests }) => tokens.serverOutputTokens === null && requests.finished > 0))
    all.push("The endpoint tells no token counts: events are counted as tokens, and prompts not at all.");
  return all;
}

function calibrationLine({ streams, ttftErrorMs, itlErrorMs }: Calibration): string {
  const text = (name: "p50" | "p99") =>
    `${name} ${number(ttftErrorMs?.[name])} ms to the first token, ${number(itlErrorMs?.[name])} ms between tokens`;
  return `This client's own error at ${streams} ${streams === 1 ? "stream" : "streams"}: ${text("p50")}; ${text("p99")}.`;
}

function clientLine({ load, repeats }: PointResult): string[] {
  const late = Math.max(...repeats.map(({ client }) => client.eventLoopDelayMs.p99));
  const errors = repeats
    .map(({ client }) => client.firstTokenErrorMs?.p50)
    .filter((each) => each !== undefined);
  const own =
    errors.length === 0
      ? ""
      : `, first tokens seen ${number(Math.max(...errors))} ms (p50) after the engine had them`;
  return [`Event loop at ${loadText(load)}: p99 ${number(late)} ms late${own}.`];
}

function endLines({ reason, sentence }: BenchmarkResult["ended"]): string[] {
  if (reason === "interrupted") return ["Interrupted: these results are partial."];
  return reason === "failed" ? [`Failed, and these results are partial: ${sentence}`] : [];
}

function withInterval(value: Interval | undefined): string {
  if (value === undefined) return "-";
  return value.high === null
    ? number(value.mean)
    : `${number(value.mean)} ± ${number(value.high - value.mean)}`;
}

function percentile(value: PooledDistribution | null, name: "mean" | "p50" | "p99"): string {
  return number(value?.[name]);
}

/** Three digits that count. */
export function number(value: number | undefined): string {
  if (value === undefined) return "-";
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
