// The figures of one repeat, out of its requests. Pure: records and counters in,
// values out. What each figure is stands in fields.ts, with its formula.
import { type EngineFigures, engineFigures } from "./engine-figures.js";
import type { Load } from "./load.js";
import { type Peak, peakOf } from "./peak.js";
import { type PhysicsFacts, type PhysicsFigures, physicsFigures } from "./physics.js";
import { type EnergyFigures, energyOf, type PowerMoments, type PowerSource } from "./power.js";
import { type Latencies, latencies, outputTokens, type RequestRecord } from "./record.js";
import { coefficientOfVariation, type Distribution, distribution, percentile } from "./statistics.js";
import { meanInFlight, steadyWindow, type Window } from "./steady.js";
import type { TargetCounters } from "./target.js";

/** Limits that a good request keeps. */
export interface Slo {
  readonly ttftMs: number;
  readonly itlMs: number;
}

/** How late the client's event loop was. */
export interface EventLoopDelay {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What was measured beside the requests. */
export interface Surroundings {
  /** The engine's counters before and after; null where the target tells none. */
  readonly before: TargetCounters | null;
  readonly after: TargetCounters | null;
  readonly kvUseMax: number | null;
  readonly eventLoopDelayMs: EventLoopDelay;
  readonly cpuShare: number;
  readonly physics: PhysicsFacts | null;
  /** Null: no GPU of this machine computes. */
  readonly power: { readonly moments: PowerMoments; readonly names: PowerSource["names"] } | null;
}

/** Rates inside the steady state. */
export interface Throughput {
  readonly outputTokensPerSecond: number;
  readonly inputTokensPerSecond: number;
  readonly requestsPerSecond: number;
  readonly goodRequestsPerSecond: number;
  readonly meanInFlight: number;
}

/** Latencies of the measured requests that finished. */
export interface LatencyFigures<Figure = Distribution> {
  readonly ttftMs: Figure | null;
  readonly arrivalTtftMs: Figure | null;
  readonly tpotMs: Figure | null;
  readonly itlMs: Figure | null;
  readonly endToEndMs: Figure | null;
  readonly lastTextMs: Figure | null;
  readonly queueMs: Figure | null;
  readonly userTokensPerSecond: Figure | null;
}

/** Raw values behind LatencyFigures, to be pooled over repeats. */
export type Samples = Readonly<Record<keyof LatencyFigures, readonly number[]>>;

/** One repeat. */
export interface RepeatFigures {
  readonly requests: {
    readonly warmup: number;
    readonly sent: number;
    readonly finished: number;
    readonly failed: number;
    readonly cancelled: number;
    readonly abandoned: number;
    readonly good: number;
    /** All of the repeat, warm-up included, for comparison with the other end's own counts. */
    readonly all: { readonly sent: number; readonly finished: number; readonly outputTokens: number };
  };
  readonly errors: Readonly<Record<string, { readonly count: number; readonly example: string }>>;
  readonly window: {
    readonly kind: "steady" | "whole";
    readonly durationMs: number;
    readonly isShort: boolean;
  } | null;
  /** When the first measured request was sent, UTC; null of none. */
  readonly startedAt: string | null;
  /** From the first measured request to the last end; null of none. */
  readonly wallMs: number | null;
  readonly throughput: Throughput | null;
  readonly peak: Peak | null;
  readonly latency: LatencyFigures;
  readonly tokens: {
    readonly promptTokens: Distribution | null;
    readonly outputTokens: Distribution | null;
    readonly serverOutputTokens: number | null;
    readonly clientOutputTokens: number;
    readonly requestsWithOtherCounts: number;
    readonly tokensPerEvent: number | null;
    readonly cachedPromptShare: number | null;
    /** Of requests that the client cancelled as its workload says, as the client counted them. */
    readonly abandonedOutputTokens: number;
  };
  /** Where finished requests stood in their conversations; null without conversations. */
  readonly turns: Distribution | null;
  readonly arrivals: {
    readonly ratePerSecond: number | null;
    readonly gapVariation: number | null;
    readonly sendDelayMs: Distribution | null;
    readonly stretch: number | null;
  };
  readonly engine: EngineFigures | null;
  readonly physics: PhysicsFigures | null;
  readonly energy: EnergyFigures | null;
  readonly client: {
    readonly eventLoopDelayMs: Surroundings["eventLoopDelayMs"];
    readonly cpuShare: number;
    readonly firstTokenErrorMs: Distribution | null;
  };
}

/** Below this a steady state says little. */
const shortWindowMs = 10_000;

/** @param records in the order in which they ended, those of the warm-up too */
export function repeatFigures(
  load: Load,
  records: readonly RequestRecord[],
  slo: Slo,
  surroundings: Surroundings,
): { readonly figures: RepeatFigures; readonly samples: Samples } {
  const measured = records.filter(({ isWarmup }) => !isWarmup);
  const finished = measured.filter(isFinished);
  const each = finished.map((record) => ({ record, latency: latencies(record) }));
  const good = new Set(each.filter(({ latency }) => isGood(latency, slo)).map(({ record }) => record));
  const samples = samplesOf(each);
  const steady = steadyWindow(load, records);
  const whole = wholeWindow(measured);
  const window = steady ?? whole;
  const requests = countsOf(records, measured, good.size);
  const tokens = tokenFigures(finished, measured);
  const engine = engineFigures(surroundings);
  const { physics, power } = surroundings;
  const durationMs = window === null ? 0 : window.endMs - window.startMs;
  const figures: RepeatFigures = {
    requests,
    errors: errorsOf(measured),
    window: window && {
      kind: steady === null ? "whole" : "steady",
      ...{ durationMs, isShort: durationMs < shortWindowMs },
    },
    startedAt: whole && new Date(performance.timeOrigin + whole.startMs).toISOString(),
    wallMs: whole && whole.endMs - whole.startMs,
    throughput: window && throughputOf(records, good, window),
    peak: peakOf(finished),
    latency: latencyFigures(samples),
    tokens,
    turns: distribution(finished.map(({ turn }) => turn).filter((turn) => turn !== null)),
    arrivals: arrivalFigures(measured),
    engine,
    physics: physics && physicsFigures(physics, engine, tokens),
    energy: power && energyOf(power.moments, power.names, requests.all.outputTokens),
    client: {
      eventLoopDelayMs: surroundings.eventLoopDelayMs,
      cpuShare: surroundings.cpuShare,
      firstTokenErrorMs: distribution(firstTokenErrors(finished)),
    },
  };
  return { figures, samples };
}

/** Distributions of samples, of one repeat or of several together. */
export function latencyFigures(samples: Samples): LatencyFigures {
  const { ttftMs, arrivalTtftMs, tpotMs, itlMs, endToEndMs, lastTextMs, queueMs, userTokensPerSecond } =
    samples;
  return {
    ttftMs: distribution(ttftMs),
    arrivalTtftMs: distribution(arrivalTtftMs),
    tpotMs: distribution(tpotMs),
    itlMs: distribution(itlMs),
    endToEndMs: distribution(endToEndMs),
    lastTextMs: distribution(lastTextMs),
    queueMs: distribution(queueMs),
    userTokensPerSecond: distribution(userTokensPerSecond),
  };
}

function isFinished({ outcome }: RequestRecord): boolean {
  return outcome.type === "finished";
}

/** Whether a request kept both limits: its first token, and 99 % of its gaps. */
function isGood({ ttftMs, gapsMs }: Latencies, slo: Slo): boolean {
  if (ttftMs === null || ttftMs > slo.ttftMs) return false;
  return gapsMs.length === 0 || (distribution(gapsMs)?.p99 ?? 0) <= slo.itlMs;
}

interface Measured {
  readonly record: RequestRecord;
  readonly latency: Latencies;
}

function samplesOf(each: readonly Measured[]): Samples {
  const known = (value: (one: Measured) => number | null) => each.map(value).filter((one) => one !== null);
  return {
    ttftMs: known(({ latency }) => latency.ttftMs),
    arrivalTtftMs: known(({ latency }) => latency.arrivalTtftMs),
    tpotMs: known(({ latency }) => latency.tpotMs),
    itlMs: each.flatMap(({ latency }) => latency.gapsMs),
    endToEndMs: each.map(({ latency }) => latency.endToEndMs),
    lastTextMs: known(({ latency }) => latency.lastTextMs),
    queueMs: known(({ record }) => record.queueMs),
    userTokensPerSecond: known(({ latency }) => latency.userTokensPerSecond),
  };
}

function countsOf(
  records: readonly RequestRecord[],
  measured: readonly RequestRecord[],
  good: number,
): RepeatFigures["requests"] {
  const count = (type: string) => measured.filter(({ outcome }) => outcome.type === type).length;
  const finished = records.filter(isFinished);
  return {
    warmup: records.length - measured.length,
    sent: measured.length,
    ...{ finished: count("finished"), failed: count("failed"), cancelled: count("cancelled") },
    ...{ abandoned: count("abandoned"), good },
    all: {
      sent: records.length,
      finished: finished.length,
      outputTokens: finished.reduce((sum, record) => sum + outputTokens(record), 0),
    },
  };
}

function errorsOf(measured: readonly RequestRecord[]): RepeatFigures["errors"] {
  const errors: Record<string, { count: number; example: string }> = {};
  for (const { outcome } of measured) {
    if (outcome.type !== "failed") continue;
    errors[outcome.errorClass] ??= { count: 0, example: outcome.sentence };
    const entry = errors[outcome.errorClass];
    if (entry !== undefined) entry.count += 1;
  }
  return errors;
}

/** From the first measured request to the last end. */
function wholeWindow(measured: readonly RequestRecord[]): Window | null {
  if (measured.length === 0) return null;
  let startMs = Infinity;
  let endMs = -Infinity;
  for (const record of measured) {
    startMs = Math.min(startMs, record.sentMs);
    endMs = Math.max(endMs, record.endMs);
  }
  return endMs > startMs ? { startMs, endMs } : null;
}

function throughputOf(
  records: readonly RequestRecord[],
  good: ReadonlySet<RequestRecord>,
  window: Window,
): Throughput {
  const isInside = (atMs: number) => atMs >= window.startMs && atMs <= window.endMs;
  const seconds = (window.endMs - window.startMs) / 1000;
  const finished = records.filter(isFinished);
  const ended = finished.filter(({ endMs }) => isInside(endMs));
  let output = 0;
  let input = 0;
  for (const record of finished) {
    const { arrivalsMs } = record;
    const inside = arrivalsMs.filter(isInside).length;
    if (inside > 0) output += (outputTokens(record) * inside) / arrivalsMs.length;
    if (isInside(arrivalsMs[0] ?? -Infinity)) input += record.usage?.promptTokens ?? 0;
  }
  return {
    outputTokensPerSecond: output / seconds,
    inputTokensPerSecond: input / seconds,
    requestsPerSecond: ended.length / seconds,
    goodRequestsPerSecond: ended.filter((record) => good.has(record)).length / seconds,
    meanInFlight: meanInFlight(records, window),
  };
}

function tokenFigures(
  finished: readonly RequestRecord[],
  measured: readonly RequestRecord[],
): RepeatFigures["tokens"] {
  const abandoned = measured.filter(({ outcome }) => outcome.type === "abandoned");
  const told = finished.filter(({ usage }) => usage !== null);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const prompt = told.map(({ usage }) => usage?.promptTokens ?? 0);
  const cached = told.map(({ usage }) => usage?.cachedPromptTokens ?? null);
  const isCacheTold = cached.length > 0 && !cached.includes(null);
  const events = sum(finished.map(({ arrivalsMs }) => arrivalsMs.length));
  return {
    promptTokens: distribution(prompt),
    outputTokens: distribution(finished.map(outputTokens)),
    serverOutputTokens: told.length === 0 ? null : sum(told.map(outputTokens)),
    clientOutputTokens: sum(finished.map(({ clientTokens }) => clientTokens)),
    requestsWithOtherCounts: told.filter((record) => outputTokens(record) !== record.clientTokens).length,
    tokensPerEvent: events === 0 ? null : sum(finished.map(outputTokens)) / events,
    cachedPromptShare: isCacheTold ? sum(cached.map((count) => count ?? 0)) / Math.max(sum(prompt), 1) : null,
    abandonedOutputTokens: sum(abandoned.map(({ clientTokens }) => clientTokens)),
  };
}

function arrivalFigures(measured: readonly RequestRecord[]): RepeatFigures["arrivals"] {
  const sent = measured.map(({ sentMs }) => sentMs).sort((left, right) => left - right);
  const gaps = sent.slice(1).map((at, index) => at - (sent[index] ?? at));
  const spanMs = (sent.at(-1) ?? 0) - (sent[0] ?? 0);
  return {
    ratePerSecond: spanMs > 0 ? (gaps.length * 1000) / spanMs : null,
    gapVariation: coefficientOfVariation(gaps),
    sendDelayMs: distribution(measured.map(({ sentMs, dueMs }) => sentMs - dueMs)),
    stretch: stretchOf(measured),
  };
}

/** Of their middle 80 %, so that one late request says little. */
function stretchOf(measured: readonly RequestRecord[]): number | null {
  const finished = measured.filter(isFinished);
  if (finished.length < 2) return null;
  const spread = (of: (record: RequestRecord) => number) => {
    const sorted = Float64Array.from(finished, of).sort();
    return percentile(sorted, 90) - percentile(sorted, 10);
  };
  const sent = spread(({ sentMs }) => sentMs);
  return sent > 0 ? spread(({ endMs }) => endMs) / sent : null;
}

function firstTokenErrors(finished: readonly RequestRecord[]): number[] {
  return finished.flatMap((record) => {
    const { ttftMs } = latencies(record);
    const { engineFirstTokenMs } = record;
    return ttftMs === null || engineFirstTokenMs === null ? [] : [ttftMs - engineFirstTokenMs];
  });
}
