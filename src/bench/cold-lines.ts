// Cold starts as sentences below a result's table. Pure.
import type { BenchmarkResult } from "./benchmark.js";
import { coldPhases } from "./cold-start.js";
import { digits } from "./load-text.js";

const names: Readonly<Record<(typeof coldPhases)[number], string>> = {
  processMs: "process",
  libraryMs: "library",
  weightsMs: "weights",
  contextMs: "context",
  warmupMs: "warm-up",
  firstTokenMs: "first token",
};

/** Nothing where none was measured. */
export function coldLines({ cold }: Pick<BenchmarkResult, "cold">): readonly string[] {
  if (cold === null) return [];
  const parts = coldPhases.map((name) => `${names[name]} ${digits(cold.phases[name].mean)}`);
  const { mean, high } = cold.phases.totalMs;
  const spread = high === null ? "" : ` ± ${digits(high - mean)}`;
  const starts = `${cold.runs.length} cold ${cold.runs.length === 1 ? "start" : "starts"}`;
  return [`${starts}: ${digits(mean)}${spread} ms until the first token (${parts.join(", ")}).`];
}
