// What the client's machine did to the repeats of two results: how late this client's event loop was,
// which no server decides. Repeats that others disturbed are left out of a comparison where enough
// remain, and what the rest explains of a change is told. Pure.
import type { RepeatFigures } from "./figures.js";
import type { Metric } from "./metrics.js";
import { mean } from "./statistics.js";

/** The repeats of one load point in two results. */
export type Sides = readonly [readonly RepeatFigures[], readonly RepeatFigures[]];

/** Repeats that a side must keep. */
const leastRepeats = 3;
/** A repeat is disturbed where the event loop was later than the best one's, so many times and milliseconds. */
const disturbed = { times: 2, ms: 0.5 };
/**
 * Wake-ups that a token waits for where both ends share a machine: the request is sent and received,
 * and so is the answer.
 */
const wakeUps = 4;

/** What is compared, and whether the machine was another one on one side alone. */
export interface Undisturbed {
  readonly sides: Sides;
  readonly isOneSided: boolean;
}

/**
 * Leaves out disturbed repeats. Where too few would remain on a side, all are compared; where that is
 * so on one side alone, the machine explains whatever differs. Of endpoints alone: an engine in this
 * process may itself hold the event loop up, which a comparison must see.
 */
export function undisturbed(all: Sides): Undisturbed {
  const best = Math.min(...all.flat().map(latenessOf));
  const isQuiet = (each: RepeatFigures) => latenessOf(each) <= disturbed.times * best + disturbed.ms;
  const sides: Sides = [all[0].filter(isQuiet), all[1].filter(isQuiet)];
  const lacking = sides.filter(
    (kept, at) => kept.length < Math.min(leastRepeats, all[at]?.length ?? 0),
  ).length;
  return { sides: lacking === 0 ? sides : all, isOneSided: lacking === 1 };
}

/** Results of earlier builds have no mean. */
function latenessOf({ client: { eventLoopDelayMs } }: RepeatFigures): number {
  const { p50, mean: all = p50 } = eventLoopDelayMs as { readonly p50: number; readonly mean?: number };
  return all;
}

/**
 * How much of a change the machine explains, in the figure's unit: how much later it was on one side, at
 * each wake-up, and of endpoints once what it was late at all, which the other end may have been more or less.
 * Whether a request is good is decided by its longest gaps, each of which the machine may have made.
 * @param most the greater of the figure's two means
 */
export function explainedOf(
  { name, unit }: Metric,
  most: number,
  sides: Sides,
  areEndpoints: boolean,
): number {
  const isGood = name === "good_req_s";
  const isTail = isGood || /_p9\d$/.test(name);
  const [first = 0, second = 0] = sides.map((repeats) =>
    mean(repeats.map((each) => (isTail ? each.client.eventLoopDelayMs.p99 : latenessOf(each)))),
  );
  const latestMs = areEndpoints ? Math.max(first, second) : 0;
  const ms = wakeUps * (isGood ? latestMs : Math.abs(second - first)) + latestMs;
  if (unit === "ms") return ms;
  const requests = sides[0]
    .map(({ latency }) => latency.endToEndMs?.mean)
    .filter((each) => each !== undefined);
  return requests.length === 0 ? 0 : (most * ms) / mean(requests);
}
