// Native work that writes a model file, followed and ended by its caller: progress, an
// AbortSignal, errors of this package. Where it rejects, its file is not on the disk, whenever the
// listener threw or the signal came.
import { rm } from "node:fs/promises";
import { InferenceError, toInferenceError } from "../errors.js";

/** How a caller follows and ends the work. */
export interface FileWorkCalls {
  /** Called with the fraction done, 0 to 1, at most about 50 times. What it throws ends the work. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /** Ends the work; nothing stays on the disk. */
  readonly signal?: AbortSignal;
}

/** The work as the addon runs it. */
interface RunningWork<T> {
  readonly promise: Promise<T>;
  cancel(): void;
}

/** One piece of work. */
export interface FileWork<T> {
  /** Such as "packing the model". */
  readonly name: string;
  /** Absolute path of the file it writes, whole or not at all. */
  readonly target: string;
  /** Starts it; `report` hears the fractions. */
  readonly start: (report: (fraction: number) => void) => RunningWork<T>;
}

/**
 * Does the work.
 * @throws what the listener threw, InferenceError CANCELLED, and the work's own errors (rejects)
 */
export async function doFileWork<T>(
  { name, target, start }: FileWork<T>,
  { onProgress, signal }: FileWorkCalls,
): Promise<T> {
  const cancelled = () => new InferenceError("CANCELLED", `${name} was cancelled`, { cause: signal?.reason });
  if (signal?.aborted) throw cancelled();
  let running: RunningWork<T> | undefined;
  const cancel = () => running?.cancel();
  let thrownByListener: { readonly value: unknown } | undefined;
  const report = (fraction: number) => {
    if (thrownByListener !== undefined || signal?.aborted) return;
    try {
      onProgress?.(fraction);
    } catch (value) {
      thrownByListener = { value };
      cancel();
    }
  };
  signal?.addEventListener("abort", cancel, { once: true });
  let written: T;
  try {
    running = start(report);
    written = await running.promise;
  } catch (thrown) {
    if (thrownByListener !== undefined) throw thrownByListener.value;
    if (signal?.aborted) throw cancelled();
    throw toInferenceError(thrown);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
  if (thrownByListener === undefined && !signal?.aborted) return written;
  await rm(target, { force: true }); // it was whole before the cancellation reached it
  throw thrownByListener === undefined ? cancelled() : thrownByListener.value;
}
