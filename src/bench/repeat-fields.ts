// The fields of one repeat with their formulas; fields.ts puts them into the whole table.
import type { FieldRow } from "./fields.js";

/** Of latencies, below `latency.` of a repeat and of all of them. */
export const latencyRows: readonly FieldRow[] = [
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
    "(last event with text - first one) / (output tokens - 1), per request: vLLM's TPOT, AIPerf's inter_token_latency; requests of one token have none",
  ],
  [
    "itlMs",
    "distribution",
    "ms",
    "gaps between events with text, of all requests together: vLLM's ITL, AIPerf's inter_chunk_latency; an event may carry several tokens (tokensPerEvent)",
  ],
  ["endToEndMs", "distribution", "ms", "answer closed - request sent"],
  [
    "lastTextMs",
    "distribution",
    "ms",
    "last event with text - request sent, without the event of usage: vLLM's e2el, AIPerf's request_latency",
  ],
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

/** Of rates, likewise below `throughput.`. */
export const throughputRows: readonly FieldRow[] = [
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

const scraped = "of an endpoint from /metrics, null where that does not tell it";

const engineRows: readonly FieldRow[] = [
  ...[
    ...["steps", "decodePasses", "prefillPasses", "decodeRows", "promptTokensComputed", "promptTokensCached"],
    ...["generatedTokens", "draftedTokens", "acceptedTokens", "preemptions", "graphsReused", "finished"],
    ...["failed", "refused", "cancelled"],
  ].map(
    (name): FieldRow => [
      name,
      "value",
      "count",
      `engine.stats().${name} after the repeat - before it, warm-up included; ${scraped}`,
    ],
  ),
  ...["planMs", "prefillMs", "decodeMs", "sampleMs", "emitMs"].map(
    (name): FieldRow => [
      name,
      "value",
      "ms",
      `engine.stats().${name} after the repeat - before it, warm-up included; ${scraped}`,
    ],
  ),
  ["prefixHitShare", "value", "share", "promptTokensCached / (promptTokensCached + promptTokensComputed)"],
  ["rowsPerStep", "value", "rows", "decodeRows / steps"],
  ["graphReuseShare", "value", "share", "graphsReused / (decodePasses + prefillPasses)"],
  ["draftAcceptance", "value", "share", "acceptedTokens / draftedTokens; null without speculation"],
  [
    "queueMsMean",
    "value",
    "ms",
    "of an endpoint: time that requests waited until they were first scheduled / their number, from /metrics; null in this process (latency.queueMs)",
  ],
  [
    "kvUseMax",
    "value",
    "share",
    "greatest kvCellsUsed / kvCellsTotal, looked at every 50 ms; of an endpoint /metrics' share, every 500 ms",
  ],
];

/** Of a repeat. */
export const repeatRows: readonly FieldRow[] = [
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
    "finished with ttftMs <= --slo-ttft and the 99th percentile of their own gaps <= --slo-itl; vLLM and AIPerf judge the mean of the gaps (TPOT)",
  ],
  ["requests.all.sent", "value", "requests", "warm-up + measured"],
  ["requests.all.finished", "value", "requests", "as requests.finished, warm-up included"],
  ["requests.all.outputTokens", "value", "tokens", "output tokens of requests.all.finished"],
  [
    "errors",
    "object",
    "requests",
    "failed requests by class: connect, closed, network, http-STATUS, stream-error, cut-short, job-STATUS, timeout, or the engine's error code; with the first one's sentence",
  ],
  [
    "window.kind",
    "value",
    "",
    "steady: concurrency: from the warm-up's end to the last moment with 95 % of the streams busy; rate: from the first measured arrival to the last. whole: no such time, so first request sent to last end",
  ],
  ["window.durationMs", "value", "ms", "the window's end - its start"],
  ["startedAt", "value", "", "date and time at which the first measured request was sent, UTC"],
  ["wallMs", "value", "ms", "last measured request's end - first one sent, whatever the window"],
  ["window.isShort", "value", "", "durationMs < 10,000"],
  [
    "peak.eventsPerSecond",
    "value",
    "events",
    "events with text of the busiest whole second after the first finished request was sent: vLLM's max_output_tokens_per_s",
  ],
  [
    "peak.inFlight",
    "value",
    "requests",
    "finished requests that were between sending and last text at once, at most: vLLM's max_concurrent_requests (up to 0.32 all that were so within one second)",
  ],
  ...throughputRows.map(([path, ...rest]): FieldRow => [`throughput.${path}`, ...rest]),
  ...latencyRows.map(([path, ...rest]): FieldRow => [`latency.${path}`, ...rest]),
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
  [
    "arrivals.stretch",
    "value",
    "",
    "time from the 10th to the 90th percentile of the finished requests' ends / of their sends: above 1 they pile up",
  ],
  ...engineRows.map(([path, ...rest]): FieldRow => [`engine.${path}`, ...rest]),
  [
    "client.eventLoopDelayMs.p50",
    "value",
    "ms",
    "how late a 5 ms timer of this process fired; mean, p99 and max likewise",
  ],
  ["client.eventLoopDelayMs.mean", "value", "ms", "as p50"],
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
