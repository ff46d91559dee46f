// Energy of a repeat: the GPUs' own counters, or where one has none, its power over time by the
// trapezoidal rule. A figure that is not sound says why.
import { messageOfThrown } from "../thrown.js";

/** What NVML tells at one moment. */
export interface PowerReading {
  readonly problem: string;
  readonly gpus: readonly {
    readonly name: string;
    readonly bus: string;
    readonly watts: number | null;
    readonly joules: number | null;
  }[];
}

/** Of one repeat, all GPUs together. */
export interface EnergyFigures {
  /** Whether the figures hold. */
  readonly isValid: boolean;
  /** Why they do not; null where they do. */
  readonly reason: string | null;
  readonly gpus: number;
  readonly joules: number | null;
  readonly watts: number | null;
  readonly joulesPerOutputToken: number | null;
}

/** Where readings come from, and which GPUs count. */
export interface PowerSource {
  readonly read: () => Promise<PowerReading>;
  /** Each GPU that computes, by name; null: all of the machine's. */
  readonly names: readonly string[] | null;
}

interface Moment {
  readonly atMs: number;
  readonly reading: PowerReading;
}

/** Readings in the order of time. */
export type PowerMoments = readonly Moment[];

const everyMs = 100;
/** A longer gap between two readings hides what happened in it. */
const longestGapMs = 3000;

/** Reads from its creation until stop(). */
export class PowerWatch {
  readonly #source: PowerSource;
  readonly #moments: Moment[] = [];
  readonly #timer: NodeJS.Timeout;
  #reading: Promise<void> | null = null;

  private constructor(source: PowerSource) {
    this.#source = source;
    this.#timer = setInterval(() => void this.#read(), everyMs);
  }

  static async start(source: PowerSource): Promise<PowerWatch> {
    const watch = new PowerWatch(source);
    await watch.#read();
    return watch;
  }

  /** @returns what was read, the last reading made now */
  async stop(): Promise<readonly Moment[]> {
    clearInterval(this.#timer);
    await this.#reading;
    await this.#read();
    return this.#moments;
  }

  /** One at a time: a driver may answer late. */
  async #read(): Promise<void> {
    if (this.#reading !== null) return;
    this.#reading = readingOf(this.#source).then((reading) => {
      this.#moments.push({ atMs: performance.now(), reading });
      this.#reading = null;
    });
    await this.#reading;
  }
}

/** Never rejects: an endpoint is measured without native files, too, and has no energy then. */
async function readingOf(source: PowerSource): Promise<PowerReading> {
  try {
    return await source.read();
  } catch (thrown) {
    return { problem: messageOfThrown(thrown), gpus: [] };
  }
}

/**
 * @param outputTokens that came while it was read, those of the warm-up too
 * @returns null of an endpoint where NVML tells of no GPU: it may have none
 */
export function energyOf(
  moments: readonly Moment[],
  names: PowerSource["names"],
  outputTokens: number,
): EnergyFigures | null {
  const [first, last] = [moments[0], moments.at(-1)];
  const none = { gpus: 0, joules: null, watts: null, joulesPerOutputToken: null };
  if (first === undefined || last === undefined || last.atMs <= first.atMs)
    return { isValid: false, reason: "too few readings", ...none };
  const problem = moments.find(({ reading }) => reading.problem !== "")?.reading.problem;
  if (problem !== undefined && names === null) return null;
  if (problem !== undefined) return { isValid: false, reason: problem, ...none };
  const chosen = first.reading.gpus.filter(({ name }) => names === null || names.includes(name));
  if (chosen.length === 0)
    return { isValid: false, reason: "NVML names none of the GPUs that compute", ...none };
  const each = chosen.map(({ bus }) => joulesOf(moments, bus));
  const known = each.filter((joules) => joules !== null);
  const joules = known.length === each.length ? known.reduce((sum, one) => sum + one, 0) : null;
  const reason = reasonAgainst(moments, joules, names !== null && chosen.length !== names.length);
  return {
    ...{ isValid: reason === null, reason, gpus: chosen.length, joules },
    watts: joules === null ? null : joules / ((last.atMs - first.atMs) / 1000),
    joulesPerOutputToken: joules === null || outputTokens === 0 ? null : joules / outputTokens,
  };
}

function reasonAgainst(moments: readonly Moment[], joules: number | null, isOther: boolean): string | null {
  if (joules === null) return "a GPU tells neither its power nor its energy";
  if (isOther) return "the machine has other GPUs of that name, which are counted, too";
  const gaps = moments.slice(1).map(({ atMs }, at) => atMs - (moments[at]?.atMs ?? atMs));
  return Math.max(...gaps) > longestGapMs ? "readings were more than 3 s apart" : null;
}

function joulesOf(moments: readonly Moment[], bus: string): number | null {
  const own = moments.map(({ atMs, reading }) => ({
    atMs,
    gpu: reading.gpus.find((gpu) => gpu.bus === bus),
  }));
  const [first, last] = [own[0]?.gpu?.joules ?? null, own.at(-1)?.gpu?.joules ?? null];
  // A counter that did not move in this time is coarser than it, or stuck.
  if (first !== null && last !== null && last > first) return last - first;
  let sum = 0;
  for (const [at, { atMs, gpu }] of own.entries()) {
    if (gpu === undefined || gpu.watts === null) return null;
    const before = own[at - 1];
    if (before?.gpu?.watts == null) continue;
    sum += ((gpu.watts + before.gpu.watts) / 2) * ((atMs - before.atMs) / 1000);
  }
  return sum;
}
