// Which load points run: those that were listed, and those of a sweep, which goes on until more
// load brings no more throughput. A sweep decides by what its points measured. Pure but for its state.
import type { Load } from "./load.js";
import { digits, loadText } from "./load-text.js";
import { type JudgedBenchmark, loadsOf } from "./options.js";
import type { MeasuredPoint } from "./point.js";
import { mean } from "./statistics.js";

/** What a sweep found. */
export interface Saturation {
  readonly sweep: "concurrency" | "rate";
  /** Whether a load was reached beyond which nothing is gained. */
  readonly isFound: boolean;
  /** The least load that has what can be had; of rates, the highest that was kept. Null: none was measured. */
  readonly load: Load | null;
  /** For people. */
  readonly sentence: string;
}

/** A doubling that brings less than this is none. */
const leastGain = 0.05;
/** llama.cpp changes its kernels with the width of a batch, so that one doubling may bring nothing and the next one much. */
const doublingsWithoutGain = 2;
/** No more streams than this client is calibrated for. */
const mostStreams = 1024;
/** Ends that are spread over more time than sends by this factor pile up. */
const mostStretch = 1.1;
const mostRates = 14;
const bisections = 2;

interface Sweep {
  /** @returns null where it has ended */
  next(points: readonly MeasuredPoint[]): Load | null;
  result(points: readonly MeasuredPoint[]): Saturation;
}

/** The load points of one benchmark, one after the other. */
export class LoadPlan {
  /** Load points, where all are known. */
  readonly total: number | null;
  readonly #listed: Load[];
  readonly #sweeps: readonly Sweep[];

  constructor(options: JudgedBenchmark) {
    const { concurrency, rate, arrivals: process, burstiness } = options;
    this.#listed = [...loadsOf(options)];
    this.#sweeps = [
      ...(concurrency === "sweep" ? [new ConcurrencySweep()] : []),
      ...(rate === "sweep"
        ? [new RateSweep((each) => ({ type: "rate", rate: each, process, burstiness }))]
        : []),
    ];
    this.total = this.#sweeps.length === 0 ? this.#listed.length : null;
  }

  /** @param points all that were measured so far @returns null: there is none left */
  next(points: readonly MeasuredPoint[]): Load | null {
    const listed = this.#listed.shift();
    if (listed !== undefined) return listed;
    for (const sweep of this.#sweeps) {
      const load = sweep.next(points);
      if (load !== null) return load;
    }
    return null;
  }

  /** Of each sweep. */
  saturations(points: readonly MeasuredPoint[]): readonly Saturation[] {
    return this.#sweeps.map((sweep) => sweep.result(points));
  }
}

/** Doubles the streams until two doublings in a row bring less than 5 % more tokens per second. */
class ConcurrencySweep implements Sweep {
  readonly #asked = new Set<number>();

  next(points: readonly MeasuredPoint[]): Load | null {
    const own = this.#own(points);
    const last = own.at(-1);
    if (isFlat(own) || (last !== undefined && mostlyFails(last.point))) return null;
    const concurrency = this.#asked.size === 0 ? 1 : 2 * Math.max(...this.#asked);
    if (concurrency > mostStreams) return null;
    this.#asked.add(concurrency);
    return { type: "concurrency", concurrency };
  }

  result(points: readonly MeasuredPoint[]): Saturation {
    const own = this.#own(points);
    const most = Math.max(...own.map(({ tokens }) => tokens));
    const enough = own.find(({ tokens }) => tokens >= most * (1 - leastGain));
    if (enough === undefined)
      return { ...none("concurrency"), sentence: "The sweep of concurrency measured nothing." };
    const { load } = enough.point;
    const last = own.at(-1) ?? enough;
    const isFound = isFlat(own) || mostlyFails(last.point);
    const at = `${digits(enough.tokens)} output tokens/s at ${loadText(load)}`;
    const sentence = isFound
      ? `Saturated: ${at}; up to ${loadText(last.point.load)} nothing is more than 5 % above it.`
      : `Not saturated up to ${loadText(last.point.load)}: ${at} are within 5 % of the most.`;
    return { sweep: "concurrency", isFound, load, sentence };
  }

  #own(points: readonly MeasuredPoint[]) {
    return points
      .filter(({ load }) => load.type === "concurrency" && this.#asked.has(load.concurrency))
      .map((point) => ({ point, tokens: point.overall.throughput?.outputTokensPerSecond.mean ?? 0 }));
  }
}

function isFlat(own: readonly { readonly tokens: number }[]): boolean {
  const before = own.slice(0, -doublingsWithoutGain).map(({ tokens }) => tokens);
  const last = own.slice(-doublingsWithoutGain);
  if (before.length === 0) return false;
  return last.every(({ tokens }) => tokens < Math.max(...before) * (1 + leastGain));
}

function mostlyFails({ overall, repeats }: MeasuredPoint): boolean {
  const finished = repeats.reduce((sum, { requests }) => sum + requests.finished, 0);
  return overall.failed > finished;
}

/**
 * Doubles the rate from that of one stream until requests pile up, or halves it until they do not,
 * and then halves the gap between the two twice.
 */
class RateSweep implements Sweep {
  readonly #loadOf: (rate: number) => Load;
  readonly #asked: number[] = [];
  #isProbing = false;

  constructor(loadOf: (rate: number) => Load) {
    this.#loadOf = loadOf;
  }

  next(points: readonly MeasuredPoint[]): Load | null {
    const { kept, lost } = this.#bounds(points);
    if (this.#asked.length === 0) {
      const alone = points.find(({ load }) => load.type === "concurrency" && load.concurrency === 1);
      const rate = alone?.overall.throughput?.requestsPerSecond.mean ?? 0;
      if (alone === undefined && !this.#isProbing) {
        this.#isProbing = true;
        return { type: "concurrency", concurrency: 1 };
      }
      return rate > 0 ? this.#ask(rate) : null;
    }
    if (this.#asked.length >= mostRates) return null;
    if (lost === undefined) return kept === undefined ? null : this.#ask(2 * kept);
    if (kept === undefined) return this.#ask(lost / 2);
    return lost / kept > 2 ** (1 / 2 ** bisections) * 1.01 ? this.#ask(Math.sqrt(kept * lost)) : null;
  }

  result(points: readonly MeasuredPoint[]): Saturation {
    const { kept, lost } = this.#bounds(points);
    if (kept === undefined)
      return { ...none("rate"), sentence: "The sweep of rates found none that is kept." };
    const load = this.#loadOf(kept);
    const sentence =
      lost === undefined
        ? `Not saturated up to ${loadText(load)}.`
        : `Saturated between ${loadText(load)}, which is kept, and ${loadText(this.#loadOf(lost))}, at which requests pile up.`;
    return { sweep: "rate", isFound: lost !== undefined, load, sentence };
  }

  #ask(exact: number): Load {
    const rate = Number(exact.toPrecision(3));
    this.#asked.push(rate);
    return this.#loadOf(rate);
  }

  /** The highest rate that was kept, below the least one that was not. */
  #bounds(points: readonly MeasuredPoint[]) {
    const own = points.flatMap((point) =>
      point.load.type === "rate" && this.#asked.includes(point.load.rate)
        ? [{ rate: point.load.rate, pilesUp: pilesUp(point) }]
        : [],
    );
    const lost = own.filter((each) => each.pilesUp).map(({ rate }) => rate);
    const least = lost.length === 0 ? undefined : Math.min(...lost);
    const kept = own.filter((each) => !each.pilesUp && each.rate < (least ?? Infinity));
    return { lost: least, kept: kept.length === 0 ? undefined : Math.max(...kept.map(({ rate }) => rate)) };
  }
}

function pilesUp(point: MeasuredPoint): boolean {
  const stretches = point.repeats.map(({ arrivals }) => arrivals.stretch).filter((each) => each !== null);
  return mostlyFails(point) || (stretches.length > 0 && mean(stretches) > mostStretch);
}

function none(sweep: Saturation["sweep"]) {
  return { sweep, isFound: false, load: null };
}
