// What a server offers: tokens per second that each user gets against tokens per second of each
// GPU. More users at once raise the one and lower the other. Pure.
import type { ModelDevice } from "../index.js";
import type { BenchmarkResult } from "./benchmark.js";
import type { Load } from "./load.js";

/** One load point. */
export interface Offer {
  readonly load: Load;
  /** Of half of the requests at least, after their first token: a mean would be that of answers that came in one piece. */
  readonly userTokensPerSecond: number;
  readonly gpuTokensPerSecond: number;
}

/** Devices that hold layers: GPUs, or one machine where there is none or none is known. */
export function deviceCount({ target, options }: Pick<BenchmarkResult, "target" | "options">): number {
  if (typeof options.gpus === "number") return options.gpus;
  const model = target.model as { readonly devices?: readonly ModelDevice[] } | string | undefined;
  if (typeof model !== "object") return 1;
  const computes = ({ layers, hasOutput }: ModelDevice) => layers.length > 0 || hasOutput;
  return Math.max(1, (model.devices ?? []).filter((each) => computes(each) && each.name !== "CPU").length);
}

/** Of each load point that has both figures, in the order in which they ran. */
export function offersOf(result: BenchmarkResult): readonly Offer[] {
  const devices = deviceCount(result);
  return result.points.flatMap(({ load, overall }) => {
    const total = overall.throughput?.outputTokensPerSecond.mean;
    const user = overall.latency.userTokensPerSecond?.p50;
    if (total === undefined || user === undefined) return [];
    return [{ load, userTokensPerSecond: user, gpuTokensPerSecond: total / devices }];
  });
}

/** The offers that no other one beats in both figures, from the fewest tokens per user to the most. */
export function frontierOf(offers: readonly Offer[]): readonly Offer[] {
  const beats = (other: Offer, one: Offer) =>
    other.userTokensPerSecond >= one.userTokensPerSecond &&
    other.gpuTokensPerSecond >= one.gpuTokensPerSecond &&
    (other.userTokensPerSecond > one.userTokensPerSecond ||
      other.gpuTokensPerSecond > one.gpuTokensPerSecond);
  return offers
    .filter((one) => !offers.some((other) => beats(other, one)))
    .sort((left, right) => left.userTokensPerSecond - right.userTokensPerSecond);
}

/**
 * The offer from which on more of the one costs much of the other: the frontier's point that lies
 * farthest above the straight line between its ends, both axes scaled to the frontier's extent.
 * @returns null of fewer than three points, or where none lies above that line
 */
export function kneeOf(frontier: readonly Offer[]): Offer | null {
  const [first, last] = [frontier[0], frontier.at(-1)];
  if (first === undefined || last === undefined) return null;
  const width = last.userTokensPerSecond - first.userTokensPerSecond;
  const height = first.gpuTokensPerSecond - last.gpuTokensPerSecond;
  let knee: Offer | null = null;
  let farthest = 1e-9; // rounding is no knee
  for (const offer of frontier.slice(1, -1)) {
    const x = (offer.userTokensPerSecond - first.userTokensPerSecond) / width;
    const y = (offer.gpuTokensPerSecond - last.gpuTokensPerSecond) / height;
    if (x + y - 1 <= farthest) continue;
    farthest = x + y - 1;
    knee = offer;
  }
  return knee;
}
