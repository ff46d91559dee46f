// What a handler sees and what it may be: the job as the platform sent it, the
// context beside it, and the options of serverless.start() in both spellings.
// Judges the options once; knows nothing of the wire.
import { z } from "zod";
import { callback, flag, judge } from "../engine/judge.js";
import { InferenceError } from "../errors.js";
import { isStandardSchema } from "../standard-schema.js";
import type { InputSchema } from "./input-schema.js";

/** A job exactly as the platform sent it; fields unknown to us pass through. */
export interface Job<Input = unknown> {
  /** The job's id. */
  readonly id: string;
  /** What the caller sent; with `StartOptions.input`, what the schema made of it. */
  readonly input: Input;
  /** Where the platform reports the job's end. */
  readonly webhook?: string;
  /** Storage that the caller offers for results. */
  readonly s3Config?: Readonly<Record<string, unknown>>;
  /** The batch that the job is part of. */
  readonly batchId?: string;
  readonly [field: string]: unknown;
}

/** Writes log lines that carry the job's id. */
export interface JobLog {
  /** At level DEBUG. */
  debug(message: string): void;
  /** At level INFO. */
  info(message: string): void;
  /** At level WARN. */
  warn(message: string): void;
  /** At level ERROR. */
  error(message: string): void;
}

/** Numbers a handler may tell of its job; they end in the job's figures line. */
export interface JobFigures {
  /** Tokens of the prompt. */
  readonly promptTokens?: number;
  /** Tokens generated. */
  readonly completionTokens?: number;
  /** Prompt tokens that were not computed again. */
  readonly cachedTokens?: number;
  /** Milliseconds a generation waited for its turn. */
  readonly queueMs?: number;
  /** Milliseconds from the handler's start to its first token. */
  readonly timeToFirstTokenMs?: number;
  /** Tokens generated per second, after the first. */
  readonly tokensPerSecond?: number;
}

/** What a handler gets beside the job. */
export interface JobContext {
  /** Aborts when the platform stops the job or the worker is told to leave at once. */
  readonly signal: AbortSignal;
  /** The worker's id on the platform, RUNPOD_POD_ID. */
  readonly workerId: string;
  /** Log lines of this job. */
  readonly log: JobLog;
  /** Shows a value as the job's output while it runs; the latest wins, never after the result. */
  progress(value: unknown): void;
  /** Adds numbers to the job's figures line. */
  figures(figures: JobFigures): void;
}

/**
 * Does one job. What it returns, or resolves with, is the job's output; a
 * generator's or an async iterable's items are streamed. Throwing fails the job.
 *
 * Values become JSON as a whole: typed arrays are lists of numbers, Uint8Array and
 * ArrayBuffer base64 text, Map and Set their contents, an Error its message. What has no
 * JSON, such as a promise or a Response, fails the job with an error that names its path.
 */
export type Handler<Input = unknown> = (
  job: Job<Input>,
  context: JobContext,
) => unknown | Promise<unknown> | Iterable<unknown> | AsyncIterable<unknown>;

/** Jobs to run at once from now on, from the number so far. */
export type ConcurrencyModifier = (current: number) => number | Promise<number>;

/** A check or a preparation; throwing means that this worker cannot work. */
export type Check = (log: JobLog) => void | Promise<void>;

/** What makes a worker ready for its first job. */
export type Prepare = (log: JobLog, signal: AbortSignal) => void | Promise<void>;

/** The options of serverless.start(); snake_case is Python's spelling of the same. */
// biome-ignore lint/suspicious/noExplicitAny: a handler names its own input's type
export interface StartOptions<Input = any> {
  /** Does one job. */
  readonly handler: Handler<Input>;
  /**
   * What a job's input must be: a zod object or any other standard schema. The
   * handler gets what the schema makes of it; an input it refuses fails the job
   * with a sentence that names the fields. Default: any input.
   */
  readonly input?: InputSchema<Input> | undefined;
  /** Asked before each take, and every second while all slots are busy. Default: 1 job at once. */
  readonly concurrencyModifier?: ConcurrencyModifier | undefined;
  /** Python's spelling of concurrencyModifier. */
  readonly concurrency_modifier?: ConcurrencyModifier | undefined;
  /** Give a generator's items as the final output too. Default false. */
  readonly returnAggregateStream?: boolean | undefined;
  /** Python's spelling of returnAggregateStream. */
  readonly return_aggregate_stream?: boolean | undefined;
  /** Leave after the first job, so that the platform starts a fresh worker. Default false. */
  readonly refreshWorker?: boolean | undefined;
  /** Python's spelling of refreshWorker. */
  readonly refresh_worker?: boolean | undefined;
  /**
   * Awaited before the first take, with pings already sent: download, load and warm everything
   * here. Its signal aborts when the worker is told to leave, which then waits half a second
   * for it at most.
   */
  readonly prepare?: Prepare | undefined;
}

/** Judged options. */
export interface WorkerOptions {
  readonly handler: Handler;
  readonly input: InputSchema | undefined;
  readonly concurrencyModifier: ConcurrencyModifier | undefined;
  readonly returnAggregateStream: boolean;
  readonly refreshWorker: boolean;
  readonly prepare: Prepare | undefined;
}

const shape = {
  handler: callback<Handler>(),
  input: z.custom<InputSchema>(isStandardSchema, "a schema, such as z.object({...})").optional(),
  concurrencyModifier: callback<ConcurrencyModifier>().optional(),
  concurrency_modifier: callback<ConcurrencyModifier>().optional(),
  returnAggregateStream: flag().optional(),
  return_aggregate_stream: flag().optional(),
  refreshWorker: flag().optional(),
  refresh_worker: flag().optional(),
  prepare: callback<Prepare>().optional(),
};

export const schema = z.strictObject(shape, "an object such as { handler }");

/** @throws InferenceError INVALID_OPTION */
export function judgeStartOptions(given: unknown): WorkerOptions {
  const options = judge("serverless.start()", schema, given);
  return Object.freeze({
    handler: options.handler,
    input: options.input,
    concurrencyModifier: oneOf(options, "concurrencyModifier", "concurrency_modifier"),
    returnAggregateStream: oneOf(options, "returnAggregateStream", "return_aggregate_stream") ?? false,
    refreshWorker: oneOf(options, "refreshWorker", "refresh_worker") ?? false,
    prepare: options.prepare,
  });
}

function oneOf<Options, First extends keyof Options, Second extends keyof Options>(
  options: Options,
  first: First,
  second: Second,
): Options[First] | Options[Second] {
  if (options[first] !== undefined && options[second] !== undefined) {
    throw new InferenceError(
      "INVALID_OPTION",
      `serverless.start(): ${String(first)} and ${String(second)} are the same option; give one of them`,
    );
  }
  return options[first] ?? options[second];
}
