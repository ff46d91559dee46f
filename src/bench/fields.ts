// Every field of a result with its unit and its formula: part of each result's file, and the
// table of docs/guides/benchmarking.md. test/bench/fields.test.ts refuses a result that has a
// field which is not here, and an entry here that no result has.

import { coldRows, physicsRows } from "./physics-fields.js";
import { latencyRows, repeatRows, throughputRows } from "./repeat-fields.js";

/** What a field is. */
export interface FieldFormula {
  /** What its values are; a "distribution", an "interval" or "pooled" is an object of them. */
  readonly type: "value" | "distribution" | "interval" | "pooled" | "object";
  readonly unit: string;
  readonly formula: string;
}

/** The fields of a distribution, an interval and a pooled distribution. */
export const shapeFormulas = {
  distribution: {
    count: "number of values",
    mean: "sum / count",
    deviation: "the sample's standard deviation, with count - 1; null of one value",
    min: "least value",
    p1: "as p50",
    p5: "as p50",
    p10: "as p50",
    p25: "as p50",
    p50: "percentile, linear between the two values beside it (numpy's default); p1 to p99 and p999 (99.9 %) likewise",
    p75: "as p50",
    p90: "as p50",
    p95: "as p50",
    p99: "as p50",
    p999: "as p50",
    max: "greatest value",
  },
  interval: {
    mean: "mean of the repeats' values",
    low: "mean - t(0.975, repeats - 1) · s / √repeats: lower end of the 95 % confidence interval; null with one repeat",
    high: "the upper end",
  },
} as const;

/** A line of the table. */
export type FieldRow = readonly [path: string, type: FieldFormula["type"], unit: string, formula: string];

const repeat = "points[].repeats[]";

const costRows: readonly FieldRow[] = [
  [
    "output",
    "interval",
    "US dollars per million tokens",
    "price.dollarsPerSecond / throughput.outputTokensPerSecond x 1,000,000, of the repeats' values; the whole price, although prompts were computed for it, too",
  ],
  [
    "input",
    "interval",
    "US dollars per million tokens",
    "likewise of inputTokensPerSecond, cached ones included",
  ],
  ["blended", "interval", "US dollars per million tokens", "likewise of both rates added up"],
  [
    "serverless.requestsPerSecond",
    "value",
    "1/s",
    "r: --traffic / 3600, or the load's own rate; serverless is null without one, without a cold start's time, and where 0.95 r is more than the load point finished",
  ],
  [
    "serverless.coldStartSeconds",
    "value",
    "s",
    "c: --cold-start; of a model in this process else the mean of --cold without the first token, or openMs, which is the least",
  ],
  ["serverless.idleTimeoutSeconds", "value", "s", "i: --idle-timeout"],
  [
    "serverless.coldShare",
    "value",
    "share",
    "of requests that find no worker: exp(-r e) exp(-r i), with e the mean of endToEndMs in seconds: arrivals are random (Poisson), and requests in flight do not delay each other (M/G/infinity)",
  ],
  [
    "serverless.billedShare",
    "value",
    "share",
    "b / (1 / r + coldShare c), with b = (1 - exp(-r e)) / r + exp(-r e) (1 - exp(-r i)) / r + coldShare c: the seconds billed for one request on average, which are busy, idle and starting",
  ],
  [
    "serverless.output",
    "value",
    "US dollars per million tokens",
    "price.dollarsPerSecond b / mean output tokens of a request x 1,000,000",
  ],
  ["serverless.blended", "value", "US dollars per million tokens", "likewise of prompt and output tokens"],
  [
    "serverless.alwaysOnOutput",
    "value",
    "US dollars per million tokens",
    "price.dollarsPerSecond / r / mean output tokens of a request x 1,000,000",
  ],
];

const rows: readonly FieldRow[] = [
  ["schema", "value", "", "name and number of this form of file"],
  [
    "ended.reason",
    "value",
    "",
    "finished; interrupted: Ctrl-C, so results are partial; failed: the other end was lost, so results are partial; running: the process was killed while it measured",
  ],
  ["ended.sentence", "value", "", "why it failed; else null"],
  ["startedAt", "value", "", "date and time, UTC"],
  [
    "machine",
    "object",
    "",
    "processor, CPUs this process may use, memory in bytes, system, architecture, Node of the client",
  ],
  ["build", "object", "", "versions of infernode and of its llama.cpp"],
  [
    "target",
    "object",
    "",
    "engine: model (file, sizes, fingerprint) and engine options in use; endpoint: address, API, model's name, whether ignore_eos is taken",
  ],
  ["options", "object", "", "the command's options with defaults; no key"],
  [
    "openMs",
    "value",
    "ms",
    "loading the model and making its engine; of an endpoint, the first questions; null where cold starts were interrupted",
  ],
  ...coldRows,
  [
    "price.dollarsPerSecond",
    "value",
    "US dollars/s",
    "--price-per-hour / 3600 x GPUs, or the table's prices of the GPUs added up; price is null where one is not known",
  ],
  ["price.gpu", "value", "", "the GPUs' names; null where none is named"],
  ["price.gpus", "value", "", "GPUs of that price; 0: a machine without one, or not known"],
  ["price.source", "value", "", "where the price is from, with its date"],
  [
    "workloadFile.sha256",
    "value",
    "",
    "of the bytes of --prompts or --trace; workloadFile is null where prompts are drawn",
  ],
  ["workloadFile.requests", "value", "requests", "in that file"],
  [
    "calibration[].streams",
    "value",
    "",
    "streams at once against a process that answers at known times; null for engines in this process",
  ],
  ["calibration[].told.ttftMs", "value", "ms", "time to the first token that the process was told"],
  ["calibration[].told.itlMs", "value", "ms", "time between tokens that it was told"],
  [
    "calibration[].ttftErrorMs",
    "distribution",
    "ms",
    "measured time to the first token - that process's own",
  ],
  ["calibration[].itlErrorMs", "distribution", "ms", "|measured gap - that process's own|"],
  [
    "calibration[].requestMs",
    "distribution",
    "ms",
    "when that process had read the request - when this client sent it; a part of ttftErrorMs",
  ],
  [
    "calibration[].mockLateMs",
    "distribution",
    "ms",
    "that process's own time to the first token - what it was told; in no error",
  ],
  ["calibration[].ttftMs", "distribution", "ms", "measured time to the first token"],
  ["calibration[].itlMs", "distribution", "ms", "measured gaps"],
  [
    "greedyDigest.sha256",
    "value",
    "",
    "SHA-256 of the JSON array of the answers' texts at temperature 0, one after the other; judged by infernode bench compare",
  ],
  ["greedyDigest.prompts", "value", "requests", "answers in the digest"],
  ["greedyDigest.outputTokens", "value", "tokens", "tokens of each"],
  [
    "nll.texts",
    "value",
    "texts",
    "fixed texts that were asked for at once; nll is null where nllMissing says why",
  ],
  ["nll.tokens", "value", "tokens", "tokens of them, without the first of each"],
  ["nll.mean", "value", "nats", "mean of -ln(probability of a token by those before it)"],
  [
    "nll.logProbs",
    "object",
    "nats",
    "ln(probability) of each of these tokens; judged by infernode bench compare and --reference: the mean of the absolute differences is at most 0.02",
  ],
  ["nll.answers.atOnce", "value", "requests", "answers at temperature 0 to the texts, generated at once"],
  ["nll.answers.tokens", "value", "tokens", "tokens of these answers"],
  [
    "nll.answers.mean",
    "value",
    "nats",
    "mean loss of these answers' tokens, judged as prompts; means of two results differ by at most 0.25",
  ],
  ["nllMissing", "value", "", "why nll is null, such as an endpoint without echo and logprobs"],
  [
    "reference",
    "object",
    "",
    "of --reference: that file's path and greedyDigest.sha256, and whether this run's is the same (isSame), whether the losses are (isSameNll) and what differs (nllDifference); null without it",
  ],
  [
    "points[].load",
    "object",
    "",
    "type concurrency: streams, each sends when its last answer has ended; type rate: requests per second, process and burstiness of the arrivals; type trace: its own times, divided by speed",
  ],
  ...costRows.map(([path, ...rest]): FieldRow => [`points[].cost.${path}`, ...rest]),
  ["points[].isComplete", "value", "", "whether all its repeats ran to their end"],
  ["points[].overall.repeats", "value", "", "repeats that were measured, partial ones included"],
  ["points[].overall.goodShare", "value", "share", "good / (finished + failed), over all repeats"],
  ["points[].overall.failed", "value", "requests", "failed measured requests of all repeats"],
  ...throughputRows.map(
    ([path, , unit]): FieldRow => [
      `points[].overall.throughput.${path}`,
      "interval",
      unit,
      "of the repeats' values",
    ],
  ),
  [
    "points[].overall.gpus",
    "value",
    "GPUs",
    "devices that hold layers and are no CPU, or --gpus; 1 where there is none",
  ],
  ...["outputTokensPerSecond", "inputTokensPerSecond"].map(
    (path): FieldRow => [
      `points[].overall.perGpu.${path}`,
      "interval",
      "tokens/s per GPU",
      `throughput.${path} / gpus`,
    ],
  ),
  ...latencyRows.map(
    ([path, , unit]): FieldRow => [
      `points[].overall.latency.${path}`,
      "pooled",
      unit,
      "distribution of all repeats' values together; overRepeats: an interval of the repeats' own figures",
    ],
  ),
  ...repeatRows.map(([path, ...rest]): FieldRow => [`${repeat}.${path}`, ...rest]),
  ["saturation[].sweep", "value", "", "concurrency or rate; the list is empty where no sweep was asked for"],
  [
    "saturation[].isFound",
    "value",
    "",
    "concurrency: two doublings in a row brought less than 5 % more outputTokensPerSecond than any load before them; rate: the mean of arrivals.stretch was above 1.1 at a higher rate; or more requests failed than finished",
  ],
  [
    "saturation[].load",
    "object",
    "",
    "concurrency: the least whose outputTokensPerSecond is within 5 % of the most; rate: the highest that was kept",
  ],
  ["saturation[].sentence", "value", "", "the same for people"],
  ...physicsRows,
  ["fields", "object", "", "this table"],
];

/** By path; items of lists are []. */
export const fieldFormulas: Readonly<Record<string, FieldFormula>> = Object.fromEntries(
  rows.map(([path, type, unit, formula]) => [path, { type, unit, formula }]),
);
