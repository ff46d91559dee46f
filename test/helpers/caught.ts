// The InferenceError that a call throws or rejects with; anything else fails.
import { InferenceError } from "../../src/errors.js";

export async function caught(work: () => unknown): Promise<InferenceError> {
  let value: unknown;
  try {
    value = await work();
  } catch (thrown) {
    if (thrown instanceof InferenceError) return thrown;
    throw thrown;
  }
  throw new Error(`expected an InferenceError, got ${String(value)}`);
}
