// The file that a workload is read from, if it is: prompts or a trace. Read once, before anything is
// loaded or asked.
import { readInput } from "./input-file.js";
import type { JudgedBenchmark } from "./options.js";
import { type FilePrompt, promptsIn } from "./prompt-file.js";
import { type TraceRequest, traceIn } from "./trace-file.js";

/** Of a result: two files of one name may differ. */
export interface WorkloadFileIdentity {
  readonly sha256: string;
  readonly requests: number;
}

/** What the options name. */
export interface WorkloadFile {
  readonly prompts: readonly FilePrompt[] | undefined;
  readonly trace: readonly TraceRequest[] | undefined;
  /** Null: prompts are drawn. */
  readonly identity: WorkloadFileIdentity | null;
}

/** @throws InferenceError INVALID_OPTION naming the file, and the line where there is one */
export function readWorkloadFile({ prompts: promptPath, trace: tracePath }: JudgedBenchmark): WorkloadFile {
  if (promptPath !== undefined) {
    const file = readInput("--prompts", promptPath);
    const prompts = promptsIn(file);
    return { prompts, trace: undefined, identity: { sha256: file.sha256, requests: prompts.length } };
  }
  if (tracePath === undefined) return { prompts: undefined, trace: undefined, identity: null };
  const file = readInput("--trace", tracePath);
  const trace = traceIn(file);
  return { prompts: undefined, trace, identity: { sha256: file.sha256, requests: trace.length } };
}

/** Tokens of a trace's longest request, prompt and answer; undefined without a trace. */
export function longestRequest({ trace }: WorkloadFile): number | undefined {
  return trace?.reduce(
    (most, { promptTokens, outputTokens }) => Math.max(most, promptTokens + Math.max(1, outputTokens)),
    0,
  );
}
