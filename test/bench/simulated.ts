// Results of a simulated server whose times are known: what the figures are computed from is
// drawn, and the figures are computed by the code that computes them of real runs.
import type { BenchmarkResult } from "../../src/bench/benchmark.js";
import { repeatFigures } from "../../src/bench/figures.js";
import type { Load } from "../../src/bench/load.js";
import { judgeBenchmark } from "../../src/bench/options.js";
import { pointResult } from "../../src/bench/point.js";
import { Random } from "../../src/bench/random.js";
import type { RequestRecord } from "../../src/bench/record.js";

/** How the server answers. */
export interface Simulation {
  readonly seed: string;
  /** 1.05: everything takes 5 % longer. */
  readonly slowness?: number;
  /** Standard deviation of a repeat's speed, as a share: what differs between two repeats. */
  readonly repeatNoise?: number;
  readonly repeats?: number;
  readonly concurrency?: readonly number[];
}

/** What is watched beside a simulation. */
export const nothing = {
  before: null,
  after: null,
  kvUseMax: null,
  eventLoopDelayMs: { mean: 0, p50: 0, p99: 0, max: 0 },
  cpuShare: 0,
  physics: null,
  power: null,
};
const tokens = 24;
/** As infernode bench has by default, and one to warm up. */
const requestsOfAStream = (streams: number) => 1 + Math.max(16, 4 * streams) / streams;
/** Of a time to the first token and of a gap, as shares. */
const noise = 0.1;

/** Requests of some streams; each gap has a spread of its own, too. */
function records(random: Random, streams: number, slowness: number): RequestRecord[] {
  const all: RequestRecord[] = [];
  for (let stream = 0; stream < streams; stream += 1) {
    let now = stream;
    for (let turn = 0; turn < requestsOfAStream(streams); turn += 1) {
      const sentMs = now;
      const gap = () => 10 * slowness * Math.exp(noise * random.normal());
      const arrivalsMs = [sentMs + 50 * slowness * Math.exp(noise * random.normal())];
      while (arrivalsMs.length < tokens) arrivalsMs.push((arrivalsMs.at(-1) ?? 0) + gap());
      now = (arrivalsMs.at(-1) ?? 0) + 0.5;
      all.push({
        ...{
          turn: null,
          isWarmup: turn === 0,
          dueMs: sentMs,
          sentMs,
          endMs: now,
          arrivalsMs,
          clientTokens: tokens,
        },
        usage: { promptTokens: 60, cachedPromptTokens: 0, completionTokens: tokens },
        ...{ queueMs: null, engineFirstTokenMs: null, outcome: { type: "finished", finishReason: "length" } },
      });
    }
  }
  return all.sort((left, right) => left.endMs - right.endMs);
}

/** A request that had eight tokens at its end. */
export function recordOf(times: Pick<RequestRecord, "sentMs" | "endMs" | "isWarmup">): RequestRecord {
  return {
    ...times,
    ...{ turn: null, dueMs: times.sentMs, arrivalsMs: [times.endMs], clientTokens: 8 },
    usage: { promptTokens: 60, cachedPromptTokens: 0, completionTokens: 8 },
    ...{ queueMs: null, engineFirstTokenMs: null, outcome: { type: "finished", finishReason: "length" } },
  };
}

/** A whole result. */
export function simulated(simulation: Simulation): BenchmarkResult {
  const { seed, slowness = 1, repeatNoise = 0.01, repeats = 5, concurrency = [1, 4] } = simulation;
  const random = new Random(seed);
  const points = concurrency.map((streams) => {
    const load: Load = { type: "concurrency", concurrency: streams };
    const measured = Array.from({ length: repeats }, () => {
      const own = slowness * Math.exp(repeatNoise * random.normal());
      return repeatFigures(load, records(random, streams, own), { ttftMs: 500, itlMs: 50 }, nothing);
    });
    return { ...pointResult(load, measured, true), cost: null };
  });
  const { apiKey: _, ...options } = judgeBenchmark({ concurrency: [...concurrency], repeats });
  return {
    ...{ schema: "infernode-bench/1", ended: { reason: "finished", sentence: null } },
    startedAt: "2026-11-30T12:00:00.000Z",
    machine: {
      cpu: "simulated",
      cpus: 2,
      memoryBytes: 8e9,
      system: "Linux",
      architecture: "x64",
      node: "v20",
    },
    build: { infernode: "0.1.0", llamaCpp: "v0.5.0" },
    target: { type: "endpoint", url: "http://localhost:8000/v1", api: "chat", model: "fox", ignoreEos: true },
    ...{
      options,
      workloadFile: null,
      openMs: 100,
      cold: null,
      price: null,
      calibration: null,
      physics: null,
      points,
      saturation: [],
      fields: {},
    },
    greedyDigest: { sha256: "a".repeat(64), prompts: 4, outputTokens: 24 },
    nll: null,
    nllMissing: "simulated",
    reference: null,
  };
}
