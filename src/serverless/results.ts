// What a handler returned, yielded or threw, as the bodies of job-done. The
// shapes are the Python worker's, except that `error` is always a string.
import { kindOfThrown, messageOfThrown, stackOfThrown } from "../thrown.js";
import type { WorkerConfig } from "./config.js";
import { shorten } from "./logger.js";
import { hasFields, toWireJson } from "./wire-json.js";

/** Of an error's text: a result that is too large would be refused, and its reason lost. */
const errorCharacters = 100_000;

/** The last word on a job. */
export interface DoneBody {
  readonly output?: unknown;
  readonly error?: string;
  readonly stopPod?: true;
}

/** The body for what a plain handler returned. */
export function bodyOfResult(result: unknown): DoneBody {
  if (!hasFields(result)) return { output: result ?? null };
  const { error, refresh_worker, refreshWorker, ...rest } = result;
  const stopPod = refresh_worker || refreshWorker ? { stopPod: true as const } : {};
  const output = Object.keys(rest).length > 0 ? { output: rest } : {};
  return error ? { ...output, error: errorText(error), ...stopPod } : { ...output, ...stopPod };
}

/** The body for what a plain handler threw: six keys as a JSON text within the JSON. */
export function bodyOfThrown(thrown: unknown, config: WorkerConfig): DoneBody {
  const error = toWireJson({
    error_type: `<class '${kindOfThrown(thrown)}'>`,
    error_message: shorten(messageOfThrown(thrown), errorCharacters),
    error_traceback: shorten(stackOfThrown(thrown), errorCharacters),
    hostname: config.hostname,
    worker_id: config.podId ?? "unknown",
    runpod_version: config.protocolVersion,
  });
  return { error };
}

/** The body for what a generator threw. */
export function bodyOfBrokenStream(thrown: unknown): DoneBody {
  const message = shorten(messageOfThrown(thrown), errorCharacters);
  return { error: `handler: ${message} \ntraceback: ${shorten(stackOfThrown(thrown), errorCharacters)}` };
}

/** The error within a streamed item, which ends the stream; undefined where there is none. */
export function errorOfItem(item: unknown): string | undefined {
  return hasFields(item) && item.error ? errorText(item.error) : undefined;
}

/** OpenAI's error object for a job's error, which may be such an object as JSON, or of the forms above. */
export function errorObjectOf(error: string): Readonly<Record<string, unknown>> {
  const parsed = parsedFields(error);
  if (typeof parsed?.message === "string") return parsed;
  const thrown = typeof parsed?.error_message === "string" ? parsed.error_message : undefined;
  const message = thrown ?? brokenStream.exec(error)?.[1] ?? error;
  return { message, type: "server_error", param: null, code: null };
}

const brokenStream = /^handler: (.*?) \ntraceback: /s;

function parsedFields(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return hasFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A handler's `error` as the string the platform expects. */
function errorText(error: unknown): string {
  return shorten(wholeErrorText(error), errorCharacters);
}

function wholeErrorText(error: unknown): string {
  if (typeof error === "string") return error;
  if (error instanceof Error) return stackOfThrown(error);
  try {
    return toWireJson(error);
  } catch (thrown) {
    return messageOfThrown(thrown);
  }
}
