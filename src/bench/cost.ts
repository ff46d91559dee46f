// What tokens cost at a load point: of a machine that is always at that load, and of one serverless
// worker that sleeps between requests. Pure arithmetic over what was measured.
import type { MeasuredPoint } from "./point.js";
import type { Price } from "./price.js";
import { type Interval, interval, mean } from "./statistics.js";

/** US dollars per million tokens. Each of the three divides the whole price. */
export interface PointCost {
  readonly output: Interval | null;
  readonly input: Interval | null;
  /** Prompt and output tokens together. */
  readonly blended: Interval | null;
  /** Null where the traffic or the cold start is not known, or one worker is too slow for it. */
  readonly serverless: ServerlessCost | null;
}

/** One worker that starts for a request and stops after some time without one. */
export interface ServerlessCost {
  readonly requestsPerSecond: number;
  readonly coldStartSeconds: number;
  readonly idleTimeoutSeconds: number;
  /** Of requests that find no worker. */
  readonly coldShare: number;
  /** Of the time, cold starts included. */
  readonly billedShare: number;
  /** US dollars per million output tokens, and per million of all. */
  readonly output: number;
  /** Null where the other end tells no prompt's length. */
  readonly blended: number | null;
  /** The same traffic on a worker of this price that never stops. */
  readonly alwaysOnOutput: number;
}

/** What serverless billing depends on beside the load point. */
export interface ServerlessFacts {
  /** Undefined: the load's own rate, where it has one. */
  readonly requestsPerHour: number | undefined;
  /** Null: not known. */
  readonly coldStartSeconds: number | null;
  readonly idleTimeoutSeconds: number;
}

const million = 1e6;
const secondsPerHour = 3600;
/** A point that finishes less of what arrives is overloaded. */
const sustainedShare = 0.95;

/** @returns null without a price */
export function costOf(point: MeasuredPoint, price: Price | null, facts: ServerlessFacts): PointCost | null {
  if (price === null) return null;
  const perMillion = (tokensPerSecond: (rates: { output: number; input: number }) => number) => {
    const values = point.repeats
      .map(({ throughput }) => throughput)
      .filter((each) => each !== null)
      .map((each) =>
        tokensPerSecond({ output: each.outputTokensPerSecond, input: each.inputTokensPerSecond }),
      )
      .filter((rate) => rate > 0)
      .map((rate) => (price.dollarsPerSecond / rate) * million);
    return values.length === 0 ? null : interval(values);
  };
  return {
    output: perMillion(({ output }) => output),
    input: perMillion(({ input }) => input),
    // Where the other end tells no prompt's length, all tokens are not known.
    blended: perMillion(({ output, input }) => (input === 0 ? 0 : output + input)),
    serverless: serverlessCost(point, price.dollarsPerSecond, facts),
  };
}

/**
 * Requests arrive at random (Poisson), each takes as long as it took at this load point, and the
 * worker computes all at once: a queue of unlimited servers (M/G/∞), whose busy times have a known
 * mean. After its last request the worker waits for the idle timeout and stops.
 */
function serverlessCost(
  point: MeasuredPoint,
  dollarsPerSecond: number,
  { requestsPerHour, coldStartSeconds: cold, idleTimeoutSeconds: idle }: ServerlessFacts,
): ServerlessCost | null {
  const { throughput, latency } = point.overall;
  const rate = requestsPerHour === undefined ? ownRate(point) : requestsPerHour / secondsPerHour;
  const [prompt, output] = [meanTokens(point, "promptTokens"), meanTokens(point, "outputTokens")];
  if (rate === null || cold === null || output === null || throughput === null || latency.endToEndMs === null)
    return null;
  if (rate * sustainedShare > throughput.requestsPerSecond.mean) return null;
  const inFlight = (rate * latency.endToEndMs.mean) / 1000;
  const isIdle = Math.exp(-inFlight); // as a share of requests: those that find no other one
  const isCold = Math.exp(-rate * idle); // of these: those that come after the timeout
  // Of one request on average, in seconds.
  const busy = (1 - isIdle) / rate;
  const waiting = (isIdle * (1 - isCold)) / rate;
  const starting = isIdle * isCold * cold;
  const billed = busy + waiting + starting;
  const perMillion = (tokens: number) => ((dollarsPerSecond * billed) / tokens) * million;
  return {
    ...{ requestsPerSecond: rate, coldStartSeconds: cold, idleTimeoutSeconds: idle },
    coldShare: isIdle * isCold,
    billedShare: billed / (1 / rate + starting),
    output: perMillion(output),
    blended: prompt === null ? null : perMillion(output + prompt),
    alwaysOnOutput: (dollarsPerSecond / (rate * output)) * million,
  };
}

/** A closed loop has no rate but the one that it reaches, and no pauses. */
function ownRate({ load, repeats }: MeasuredPoint): number | null {
  if (load.type === "concurrency") return null;
  const rates = repeats.map(({ arrivals }) => arrivals.ratePerSecond).filter((each) => each !== null);
  return rates.length === 0 ? null : mean(rates);
}

function meanTokens({ repeats }: MeasuredPoint, name: "outputTokens" | "promptTokens"): number | null {
  const means = repeats.map(({ tokens }) => tokens[name]?.mean).filter((each) => each !== undefined);
  return means.length === 0 ? null : mean(means);
}
