// The result of a benchmark that was interrupted before its model was opened: cold starts are all that it
// has. Pure but for the date.
import type { BenchmarkResult } from "./benchmark.js";
import type { ColdStart } from "./cold-start.js";
import { fieldFormulas } from "./fields.js";
import { buildIdentity, machineIdentity } from "./identity.js";
import type { JudgedBenchmark } from "./options.js";
import type { WorkloadFileIdentity } from "./workload-file.js";

/** @param workloadFile of --prompts or --trace */
export function interruptedAtColdStarts(
  { apiKey: _, ...options }: JudgedBenchmark,
  workloadFile: WorkloadFileIdentity | null,
  cold: ColdStart,
): BenchmarkResult {
  return {
    ...{ schema: "infernode-bench/1", ended: { reason: "interrupted", sentence: null } },
    ...{ startedAt: new Date().toISOString(), machine: machineIdentity(), build: buildIdentity() },
    target: { type: "engine", model: options.model ?? "the embedded story model" },
    ...{ options, workloadFile, openMs: null, cold, price: null, calibration: null, greedyDigest: null },
    ...{ nll: null, nllMissing: "not measured", reference: null, physics: null, points: [], saturation: [] },
    fields: fieldFormulas,
  };
}
