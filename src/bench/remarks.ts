// What a reader of a result must know besides its figures, as sentences; the table and the report
// print them. Pure: values in, text out.
import { achievedLine } from "./achieved.js";
import type { BenchmarkResult } from "./benchmark.js";
import type { Calibration } from "./calibration.js";
import { coldLines } from "./cold-lines.js";
import { costLines } from "./cost-lines.js";
import { digits, loadText } from "./load-text.js";
import { physicsLines } from "./physics-lines.js";
import type { PointResult } from "./point.js";

/** "3 http-503, 1 timeout"; "0" without errors. */
export function errorText({ repeats }: PointResult): string {
  const counts = new Map<string, number>();
  for (const { errors } of repeats) {
    for (const [name, { count }] of Object.entries(errors)) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return counts.size === 0 ? "0" : [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
}

/** All sentences, in the order in which they are printed. */
export function remarksOn(result: BenchmarkResult): readonly string[] {
  const { points, saturation, calibration, greedyDigest, ended } = result;
  return [
    ...coldLines(result),
    ...saturation.map(({ sentence }) => sentence),
    ...points.flatMap(achievedLine),
    ...costLines(result),
    ...physicsLines(result),
    ...new Set(points.flatMap(pointRemarks)),
    ...pollLines(result.target),
    ...(calibration ?? []).map(calibrationLine),
    ...points.flatMap(clientLine),
    ...(greedyDigest === null ? [] : [`Answers at temperature 0: sha256 ${greedyDigest.sha256}`]),
    ...nllLines(result),
    ...referenceLines(result),
    ...endLines(ended),
  ];
}

/** What a reader of the table must know. */
function pointRemarks({ overall, repeats, load }: PointResult): string[] {
  const all = perGpuLines(overall, load);
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

/** The table's rates are of all together. Files of earlier builds have no such figures. */
function perGpuLines({ gpus, perGpu }: PointResult["overall"], load: PointResult["load"]): string[] {
  if (!perGpu || gpus === 1) return [];
  const { outputTokensPerSecond: output, inputTokensPerSecond: input } = perGpu;
  return [
    `Of each of ${gpus} GPUs at ${loadText(load)}: ${digits(output.mean)} output and ${digits(input.mean)} input tokens/s.`,
  ];
}

/** What a poll cannot see. */
function pollLines({ api, pollMs }: BenchmarkResult["target"]): readonly string[] {
  if (typeof pollMs !== "number") return [];
  const interval = `The endpoint was polled every ${digits(pollMs)} ms`;
  return [
    api === "run-status"
      ? `${interval} for its jobs' status: all of an answer comes at its end, so that the time to the first token is the time to that.`
      : `${interval}: times to the first token and between tokens carry up to that, and the time of a poll.`,
  ];
}

function calibrationLine({ streams, ttftErrorMs, itlErrorMs, requestMs }: Calibration): string {
  const text = (name: "p50" | "p99") =>
    `${name} ${digits(ttftErrorMs?.[name])} ms to the first token, ${digits(itlErrorMs?.[name])} ms between tokens`;
  return `This client's own error at ${streams} ${streams === 1 ? "stream" : "streams"}: ${text("p50")}; ${text("p99")} (of it ${digits(requestMs?.p99)} ms until the other process had read the request).`;
}

function clientLine({ load, repeats }: PointResult): string[] {
  const late = Math.max(...repeats.map(({ client }) => client.eventLoopDelayMs.p99));
  const errors = repeats
    .map(({ client }) => client.firstTokenErrorMs?.p50)
    .filter((each) => each !== undefined);
  const own =
    errors.length === 0
      ? ""
      : `, first tokens seen ${digits(Math.max(...errors))} ms (p50) after the engine had them`;
  return [`Event loop at ${loadText(load)}: p99 ${digits(late)} ms late${own}.`];
}

/** Files of earlier builds have neither losses nor a reason. */
function nllLines({ nll, nllMissing }: BenchmarkResult): string[] {
  if (nll === null) return nllMissing === null ? [] : [`No losses: ${nllMissing}.`];
  const { texts, tokens, mean, answers } = nll;
  const own = answers && `; of its answers, ${answers.atOnce} at once: ${answers.mean.toFixed(4)}`;
  return [`Loss of ${texts} fixed texts (${tokens} tokens): ${mean.toFixed(4)} nats a token${own ?? ""}.`];
}

function referenceLines({ reference }: BenchmarkResult): string[] {
  if (reference === null || reference.isSame === null) return [];
  const { path, sha256, isSame, isSameNll, nllDifference } = reference;
  const verdict = isSame
    ? `The answers are those of ${path}.`
    : `The answers are not those of ${path} (sha256 ${sha256}): one of the two computes something else, and its speed means nothing.`;
  if (isSameNll === null) return [verdict];
  return [
    verdict,
    isSameNll ? "The losses are its, within rounding." : `The losses are not: ${nllDifference}.`,
  ];
}

function endLines({ reason, sentence }: BenchmarkResult["ended"]): string[] {
  if (reason === "interrupted") return ["Interrupted: these results are partial."];
  return reason === "failed" ? [`Failed, and these results are partial: ${sentence}`] : [];
}
