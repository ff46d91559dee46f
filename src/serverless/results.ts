// What a handler returned, yielded or threw, as the bodies of job-done. The
// shapes are the Python worker's, except that `error` is always a string.
import type { WorkerConfig } from "./config.js";
import { toWireJson } from "./wire-json.js";

/** The last word on a job. */
export interface DoneBody {
  readonly output?: unknown;
  readonly error?: string;
  readonly stopPod?: true;
}

/** The body for what a plain handler returned. */
export function bodyOfResult(result: unknown): DoneBody {
  if (!isRecord(result)) return { output: result ?? null };
  const { error, refresh_worker, refreshWorker, ...rest } = result;
  const stopPod = refresh_worker || refreshWorker ? { stopPod: true as const } : {};
  const output = Object.keys(rest).length > 0 ? { output: rest } : {};
  return error ? { ...output, error: errorText(error), ...stopPod } : { ...output, ...stopPod };
}

/** The body for what a plain handler threw: six keys as a JSON text within the JSON. */
export function bodyOfThrown(thrown: unknown, config: WorkerConfig): DoneBody {
  const { name, message, stack } = describeThrown(thrown);
  const error = toWireJson({
    error_type: `<class '${name}'>`,
    error_message: message,
    error_traceback: stack,
    hostname: config.hostname,
    worker_id: config.podId ?? "unknown",
    runpod_version: config.protocolVersion,
  });
  return { error };
}

/** The body for what a generator threw. */
export function bodyOfBrokenStream(thrown: unknown): DoneBody {
  const { message, stack } = describeThrown(thrown);
  return { error: `handler: ${message} \ntraceback: ${stack}` };
}

/** The error within a streamed item, which ends the stream; undefined where there is none. */
export function errorOfItem(item: unknown): string | undefined {
  return isRecord(item) && item.error ? errorText(item.error) : undefined;
}

/** A handler's `error` as the string the platform expects. */
export function errorText(error: unknown): string {
  if (typeof error === "string") return error;
  if (error instanceof Error) return error.stack ?? String(error);
  try {
    return toWireJson(error);
  } catch {
    return String(error);
  }
}

function describeThrown(thrown: unknown): { name: string; message: string; stack: string } {
  if (thrown instanceof Error) {
    const name = thrown.constructor?.name || thrown.name;
    return { name, message: thrown.message, stack: thrown.stack ?? String(thrown) };
  }
  const message = typeof thrown === "string" ? thrown : errorText(thrown ?? null);
  return { name: typeof thrown, message, stack: message };
}

/** An object that is not an array, bytes, a date or the like. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  if (ArrayBuffer.isView(value) || value instanceof Date) return false;
  return typeof (value as { toJSON?: unknown }).toJSON !== "function";
}
