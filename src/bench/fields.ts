// Every field of a result with its unit and its formula: part of each result's file, and the
// table of docs/guides/benchmarking.md. test/bench/fields.test.ts refuses a result that has a
// field which is not here, and an entry here that no result has.

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
    p50: "percentile, linear between the two values beside it (numpy's default); p90, p99 and p999 (99.9 %) likewise",
    p90: "as p50",
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

const repeat = "points[].repeats[]";

type Row = readonly [path: string, type: FieldFormula["type"], unit: string, formula: string];

const latencyRows: readonly Row[] = [
  ["ttftMs", "distribution", "ms", "first event with text - request sent"],
  [
    "arrivalTtftMs",
    "distribution",
    "ms",
    "first event with text - time at which the request was due; differs from ttftMs where this client sent late",
  ],
  [
    "tpotMs",
    "distribution",
    "ms",
    "(last event with text - first one) / (output tokens - 1), per request; requests of one token have none",
  ],
  [
    "itlMs",
    "distribution",
    "ms",
    "gaps between events with text, of all requests together; an event may carry several tokens (tokensPerEvent)",
  ],
  ["endToEndMs", "distribution", "ms", "answer's end - request sent"],
  [
    "queueMs",
    "distribution",
    "ms",
    "accepted until first scheduled, by the engine's clock; null for endpoints",
  ],
  [
    "userTokensPerSecond",
    "distribution",
    "tokens/s",
    "(output tokens - 1) / (last event with text - first one), per request: 1000 / tpotMs",
  ],
];

const throughputRows: readonly Row[] = [
  [
    "outputTokensPerSecond",
    "value",
    "tokens/s",
    "output tokens that came inside the window / its seconds; of finished requests, whose tokens are divided evenly among their events",
  ],
  [
    "inputTokensPerSecond",
    "value",
    "tokens/s",
    "prompt tokens of finished requests whose first event came inside the window / its seconds; cached ones count",
  ],
  ["requestsPerSecond", "value", "1/s", "requests that finished inside the window / its seconds"],
  [
    "goodRequestsPerSecond",
    "value",
    "1/s",
    "measured requests that finished inside the window and were good / its seconds",
  ],
  [
    "meanInFlight",
    "value",
    "requests",
    "time that requests were in flight inside the window, summed / the window",
  ],
];

const engineRows: readonly Row[] = [
  ...[
    ...["steps", "decodePasses", "prefillPasses", "decodeRows", "promptTokensComputed", "promptTokensCached"],
    ...["generatedTokens", "draftedTokens", "acceptedTokens", "preemptions", "graphsReused", "finished"],
    ...["failed", "refused", "cancelled"],
  ].map(
    (name): Row => [
      name,
      "value",
      "count",
      `engine.stats().${name} after the repeat - before it, warm-up included`,
    ],
  ),
  ...["planMs", "prefillMs", "decodeMs", "sampleMs", "emitMs"].map(
    (name): Row => [
      name,
      "value",
      "ms",
      `engine.stats().${name} after the repeat - before it, warm-up included`,
    ],
  ),
  ["prefixHitShare", "value", "share", "promptTokensCached / (promptTokensCached + promptTokensComputed)"],
  ["rowsPerStep", "value", "rows", "decodeRows / steps"],
  ["graphReuseShare", "value", "share", "graphsReused / (decodePasses + prefillPasses)"],
  ["draftAcceptance", "value", "share", "acceptedTokens / draftedTokens; null without speculation"],
  ["kvUseMax", "value", "share", "greatest kvCellsUsed / kvCellsTotal, looked at every 50 ms"],
];

const repeatRows: readonly Row[] = [
  [
    "requests.warmup",
    "value",
    "requests",
    "sent before the measured ones; in no other figure but requests.all, the window and meanInFlight",
  ],
  ["requests.sent", "value", "requests", "measured requests"],
  ["requests.finished", "value", "requests", "measured requests whose answer came whole"],
  ["requests.failed", "value", "requests", "measured requests that failed, by class in errors"],
  ["requests.cancelled", "value", "requests", "measured requests that Ctrl-C or a lost endpoint ended"],
  [
    "requests.abandoned",
    "value",
    "requests",
    "measured requests that the client cancelled because --cancel-rate says so; in no latency and no rate",
  ],
  [
    "requests.good",
    "value",
    "requests",
    "finished with ttftMs <= --slo-ttft and the 99th percentile of their own gaps <= --slo-itl",
  ],
  ["requests.all.sent", "value", "requests", "warm-up + measured"],
  ["requests.all.finished", "value", "requests", "as requests.finished, warm-up included"],
  ["requests.all.outputTokens", "value", "tokens", "output tokens of requests.all.finished"],
  [
    "errors",
    "object",
    "requests",
    "failed requests by class: connect, closed, network, http-STATUS, stream-error, cut-short, timeout, or the engine's error code; with the first one's sentence",
  ],
  [
    "window.kind",
    "value",
    "",
    "steady: concurrency: from the warm-up's end to the last moment with 95 % of the streams busy; rate: from the first measured arrival to the last. whole: no such time, so first request sent to last end",
  ],
  ["window.durationMs", "value", "ms", "the window's end - its start"],
  ["wallMs", "value", "ms", "last measured request's end - first one sent, whatever the window"],
  ["window.isShort", "value", "", "durationMs < 10,000"],
  ...throughputRows.map(([path, ...rest]): Row => [`throughput.${path}`, ...rest]),
  ...latencyRows.map(([path, ...rest]): Row => [`latency.${path}`, ...rest]),
  ["tokens.promptTokens", "distribution", "tokens", "achieved prompt lengths, as the other end counts them"],
  [
    "tokens.outputTokens",
    "distribution",
    "tokens",
    "achieved answer lengths: the other end's count, else the client's",
  ],
  [
    "tokens.serverOutputTokens",
    "value",
    "tokens",
    "sum of the other end's counts over finished requests; null where it tells none",
  ],
  [
    "tokens.clientOutputTokens",
    "value",
    "tokens",
    "sum of the client's counts: tokens of each event where it tells them, else one an event",
  ],
  ["tokens.requestsWithOtherCounts", "value", "requests", "finished requests whose two counts differ"],
  ["tokens.tokensPerEvent", "value", "tokens", "output tokens / events with text"],
  [
    "tokens.cachedPromptShare",
    "value",
    "share",
    "prompt tokens that the other end took from a cache / prompt tokens; null where it does not tell",
  ],
  [
    "tokens.abandonedOutputTokens",
    "value",
    "tokens",
    "the client's counts of requests.abandoned until they were cancelled; in no other figure",
  ],
  [
    "turns",
    "distribution",
    "requests",
    "which request of its conversation each finished one was, from 1; null without --turns",
  ],
  [
    "arrivals.ratePerSecond",
    "value",
    "1/s",
    "(measured requests - 1) / (last one sent - first one sent): achieved, not asked",
  ],
  [
    "arrivals.gapVariation",
    "value",
    "",
    "standard deviation / mean of the gaps between sent requests: 1 for Poisson, 0 for constant",
  ],
  ["arrivals.sendDelayMs", "distribution", "ms", "request sent - request due"],
  ...engineRows.map(([path, ...rest]): Row => [`engine.${path}`, ...rest]),
  [
    "client.eventLoopDelayMs.p50",
    "value",
    "ms",
    "how late a 5 ms timer of this process fired; p99 and max likewise",
  ],
  ["client.eventLoopDelayMs.p99", "value", "ms", "as p50"],
  ["client.eventLoopDelayMs.max", "value", "ms", "as p50"],
  [
    "client.cpuShare",
    "value",
    "CPUs",
    "CPU time of this process / time of the repeat; an engine in this process counts",
  ],
  [
    "client.firstTokenErrorMs",
    "distribution",
    "ms",
    "ttftMs - the engine's own time from acceptance to the first token; null for endpoints (see calibration)",
  ],
];

const costRows: readonly Row[] = [
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
    "c: --cold-start; of a model in this process else openMs, which is the least",
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

const rows: readonly Row[] = [
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
  ["openMs", "value", "ms", "loading the model and making its engine; of an endpoint, the first questions"],
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
    "points[].load",
    "object",
    "",
    "type concurrency: streams, each sends when its last answer has ended; type rate: requests per second, process and burstiness of the arrivals; type trace: its own times, divided by speed",
  ],
  ...costRows.map(([path, ...rest]): Row => [`points[].cost.${path}`, ...rest]),
  ["points[].isComplete", "value", "", "whether all its repeats ran to their end"],
  ["points[].overall.repeats", "value", "", "repeats that were measured, partial ones included"],
  ["points[].overall.goodShare", "value", "share", "good / (finished + failed), over all repeats"],
  ["points[].overall.failed", "value", "requests", "failed measured requests of all repeats"],
  ...throughputRows.map(
    ([path, , unit]): Row => [
      `points[].overall.throughput.${path}`,
      "interval",
      unit,
      "of the repeats' values",
    ],
  ),
  ...latencyRows.map(
    ([path, , unit]): Row => [
      `points[].overall.latency.${path}`,
      "pooled",
      unit,
      "distribution of all repeats' values together; overRepeats: an interval of the repeats' own figures",
    ],
  ),
  ...repeatRows.map(([path, ...rest]): Row => [`${repeat}.${path}`, ...rest]),
  ["fields", "object", "", "this table"],
];

/** By path; items of lists are []. */
export const fieldFormulas: Readonly<Record<string, FieldFormula>> = Object.fromEntries(
  rows.map(([path, type, unit, formula]) => [path, { type, unit, formula }]),
);
