// What a second of the benchmarked machine costs: the price that was given, or the table's of its
// GPUs. A price that is not known is none, never a guess.
import { gpuNamed } from "../models/plan/gpu-names.js";
import { priceSource } from "../models/plan/gpus.js";
import type { JudgedBenchmark } from "./options.js";
import type { Target } from "./target.js";

/** A known price. */
export interface Price {
  /** US dollars, of all GPUs together, or of the machine where there is none. */
  readonly dollarsPerSecond: number;
  /** As the table or the driver names them; null: not known. */
  readonly gpu: string | null;
  readonly gpus: number;
  /** Where the price is from. */
  readonly source: string;
}

/** What a price follows from; the names are the options'. */
export interface PriceFacts {
  /** Each GPU that computes, as its driver names it. */
  readonly names: readonly string[];
  readonly pricePerHour: number | undefined;
}

const secondsPerHour = 3600;

/** @returns the GPUs that a target computes with: those that were named, or those that it tells */
export function gpuNames(
  { gpu, gpus }: Pick<JudgedBenchmark, "gpu" | "gpus">,
  { identity }: Pick<Target, "identity">,
): readonly string[] {
  if (gpu !== undefined || gpus !== undefined) return Array.from({ length: gpus ?? 1 }, () => gpu ?? "GPU");
  return Array.isArray(identity.gpus) ? identity.gpus.map(String) : [];
}

/** @returns null where it is not known; a given price is of one GPU, or of a machine without one */
export function priceOf({ names, pricePerHour }: PriceFacts): Price | null {
  const gpu =
    names.length === 0 ? null : [...new Set(names.map((name) => gpuNamed(name)?.name ?? name))].join(" + ");
  const gpus = names.length;
  if (pricePerHour !== undefined) {
    const dollarsPerSecond = (pricePerHour / secondsPerHour) * Math.max(1, gpus);
    return { dollarsPerSecond, gpu, gpus, source: "--price-per-hour" };
  }
  const each = names
    .map((name) => gpuNamed(name)?.dollarsPerSecond ?? null)
    .filter((price) => price !== null);
  if (each.length === 0 || each.length < gpus) return null;
  return { dollarsPerSecond: each.reduce((sum, price) => sum + price, 0), gpu, gpus, source: priceSource };
}
