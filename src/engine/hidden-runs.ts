// Requests that end with what the model holds of them, embeddings, scores and
// states: all of a call's together, or its first failure and none of them.
import { InferenceError } from "../errors.js";
import type { NativeEnd } from "../native-events.js";
import { Generation } from "./generation.js";
import type { GenerationRecord } from "./generation-record.js";

/**
 * The ends of all, in order.
 * @param named gives the failure of the run with this index the name its caller knows
 * @throws (rejects) the first failure, once every run has ended
 */
export async function endsOf(
  runs: readonly GenerationRecord[],
  named: (failure: unknown, index: number) => unknown = (failure) => failure,
): Promise<readonly (NativeEnd | undefined)[]> {
  const endOf = async (record: GenerationRecord, index: number) => {
    try {
      await new Generation(record, 0n);
    } catch (failure) {
      throw named(failure, index);
    }
    return record.end;
  };
  try {
    return await Promise.all(runs.map(endOf));
  } catch (thrown) {
    for (const record of runs) record.cancel();
    await Promise.all(runs.map((record) => record.end ?? record.ending()));
    throw thrown;
  }
}

/** Whether the engine has accepted a call's requests: it has refused none of them. */
export function noneRefused(runs: readonly GenerationRecord[]): boolean {
  return runs.every((run) => run.outcome !== "refused");
}

/** The error of a call that was at work when its engine was closed. */
export function cancelledByClosing(call: string): InferenceError {
  return new InferenceError("CANCELLED", `${call}: it was cancelled, by a closing engine`);
}
