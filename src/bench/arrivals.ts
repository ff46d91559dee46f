// When requests arrive in a run of a given rate. The whole schedule is drawn before the run,
// so that a slow server cannot delay arrivals (coordinated omission).
import type { Random } from "./random.js";

/** Gaps of the exponential distribution, of the gamma distribution, or all alike. */
export type ArrivalProcess = "poisson" | "gamma" | "constant";

/** How requests are to arrive. */
export interface Arrivals {
  readonly process: ArrivalProcess;
  /** Requests per second. */
  readonly rate: number;
  /** Shape of the gamma distribution: below 1 more bursts than Poisson, above 1 fewer. */
  readonly burstiness: number;
}

/**
 * The arrivals' times in milliseconds after the run's begin, ascending. Gaps are drawn and
 * then scaled by one factor, so that the last arrival is at count / rate: otherwise a short run
 * would miss its rate by chance.
 */
export function arrivalTimes(
  { process, rate, burstiness }: Arrivals,
  count: number,
  random: Random,
): number[] {
  const shape = process === "poisson" ? 1 : burstiness;
  const gaps = Array.from({ length: count }, () => (process === "constant" ? 1 : random.gamma(shape)));
  const total = gaps.reduce((sum, gap) => sum + gap, 0);
  const scale = (count * 1000) / rate / total;
  let at = 0;
  return gaps.map((gap) => {
    at += gap * scale;
    return at;
  });
}
