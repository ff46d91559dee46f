// Results of several machines beside each other, one line each, and the table that guides have: which
// GPU for which size of model. Pure: results in, values out. What was not measured has no figure.

import { gpuNamed } from "../models/plan/gpu-names.js";
import { guideRows } from "../models/plan/gpus.js";
import type { BenchmarkResult } from "./benchmark.js";
import { deviceCount } from "./frontier.js";
import { loadText } from "./load-text.js";
import { type ModelFacts, modelText, sizeText } from "./model-text.js";
import type { PointResult } from "./point.js";

/** One machine at the load that it does best. */
export interface MachineRow {
  /** "2 x RTX 4090"; a processor; an endpoint's address. */
  readonly machine: string;
  readonly model: string;
  /** Weights in all; null: an endpoint does not tell. */
  readonly parameters: number | null;
  readonly load: string;
  /** Whether 99 % of its requests kept the limits of --slo-ttft and --slo-itl. */
  readonly keepsSlo: boolean;
  readonly outputTokensPerSecond: number;
  /** Of each GPU, or of the machine where there is none. */
  readonly gpuTokensPerSecond: number;
  readonly userTokensPerSecond: number | null;
  readonly ttftMsP50: number | null;
  readonly ttftMsP99: number | null;
  readonly itlMsP50: number | null;
  readonly itlMsP99: number | null;
  /** US dollars per million output tokens, and of all; null where no price is known. */
  readonly dollarsOutput: number | null;
  readonly dollarsBlended: number | null;
}

/** A line of the guides' table; row is null where no result is of it. */
export interface GuideLine {
  readonly models: string;
  readonly gpu: string;
  readonly row: MachineRow | null;
}

const goodEnough = 0.99;

/** @returns null where the result has no complete load point with a rate */
export function machineRow(result: BenchmarkResult): MachineRow | null {
  const best = bestPoint(result.points);
  const output = best?.overall.throughput?.outputTokensPerSecond.mean;
  if (best === undefined || output === undefined) return null;
  const { latency } = best.overall;
  return {
    ...{ machine: machineName(result), ...modelFacts(result), load: loadText(best.load) },
    keepsSlo: keepsSlo(best),
    outputTokensPerSecond: output,
    gpuTokensPerSecond: output / deviceCount(result),
    userTokensPerSecond: latency.userTokensPerSecond?.p50 ?? null,
    ...{ ttftMsP50: latency.ttftMs?.p50 ?? null, ttftMsP99: latency.ttftMs?.p99 ?? null },
    ...{ itlMsP50: latency.itlMs?.p50 ?? null, itlMsP99: latency.itlMs?.p99 ?? null },
    dollarsOutput: best.cost?.output?.mean ?? null,
    dollarsBlended: best.cost?.blended?.mean ?? null,
  };
}

/** The most output tokens among the points that keep the limits, or of all where none does. */
function bestPoint(points: readonly PointResult[]): PointResult | undefined {
  const measured = points.filter(({ isComplete, overall }) => isComplete && overall.throughput !== null);
  const good = measured.filter(keepsSlo);
  const rate = ({ overall }: PointResult) => overall.throughput?.outputTokensPerSecond.mean ?? 0;
  return [...(good.length > 0 ? good : measured)].sort((left, right) => rate(right) - rate(left))[0];
}

function keepsSlo({ overall }: PointResult): boolean {
  return (overall.goodShare ?? 0) >= goodEnough;
}

/** GPUs by the table's names, so that a driver's and a person's spelling are one. */
function machineName(result: BenchmarkResult): string {
  const { target, options, machine } = result;
  const told = Array.isArray(target.gpus) ? target.gpus.map(String) : [];
  const names = told.length > 0 ? told : typeof options.gpu === "string" ? [options.gpu] : [];
  if (names.length === 0) return target.type === "endpoint" ? String(target.url) : machine.cpu;
  const count = deviceCount(result);
  const known = [...new Set(names.map((name) => gpuNamed(name)?.name ?? name))].join(" + ");
  return count === 1 ? known : `${count} x ${known}`;
}

function modelFacts({ target }: BenchmarkResult): Pick<MachineRow, "model" | "parameters"> {
  const { model } = target;
  if (typeof model !== "object" || model === null) return { model: String(model), parameters: null };
  const { parameterCount } = model as ModelFacts;
  return {
    model: modelText(model),
    parameters: typeof parameterCount === "number" ? parameterCount : null,
  };
}

/** Models are named after rounded sizes: one of 8.03 billion weights is an 8B. */
const sizeTolerance = 0.1;

/** The guides' lines first, measured or not; then rows that are of none of them. */
export function guideLines(rows: readonly MachineRow[]): readonly GuideLine[] {
  const taken = new Set<MachineRow>();
  const lines = guideRows.flatMap(({ models, billions: [least, most], gpus }) =>
    gpus.flatMap((gpu): GuideLine[] => {
      const found = rows.filter(
        ({ machine, parameters }) =>
          machine === gpu &&
          parameters !== null &&
          parameters >= least * 1e9 * (1 - sizeTolerance) &&
          parameters <= most * 1e9 * (1 + sizeTolerance),
      );
      for (const row of found) taken.add(row);
      return found.length === 0 ? [{ models, gpu, row: null }] : found.map((row) => ({ models, gpu, row }));
    }),
  );
  const others = rows.filter((row) => !taken.has(row));
  const sizeOf = ({ parameters, model }: MachineRow) => (parameters === null ? model : sizeText(parameters));
  return [...lines, ...others.map((row) => ({ models: sizeOf(row), gpu: row.machine, row }))];
}
