// One job from its start to its single end: runs the handler, streams what it
// yields, and makes the body of the result. It ends once: by the handler, by a
// stop of the platform (nothing is posted then), or by a failure from outside.
import { messageOfThrown } from "../thrown.js";
import type { WorkerConfig } from "./config.js";
import type { Job, JobContext, JobFigures, WorkerOptions } from "./contract.js";
import type { Receipt } from "./delivery.js";
import { asksForEvents, failureEvents, isEvents } from "./event-text.js";
import { judgeInput } from "./input-schema.js";
import { JobSignal } from "./job-signal.js";
import type { Logger } from "./logger.js";
import { tooLargeBody } from "./outbox.js";
import type { Outlet } from "./outlet.js";
import { handOut, reachable } from "./progress.js";
import { bodyOfBrokenStream, bodyOfResult, bodyOfThrown, type DoneBody, errorOfItem } from "./results.js";
import { toWireJson } from "./wire-json.js";

/** How a job ended, and the result's way to the platform. */
export interface JobEnd {
  readonly type: "done" | "stopped";
  readonly failed: boolean;
  /** From its start. */
  readonly seconds: number;
  /** Bytes of the result's body. */
  readonly bytes: number;
  readonly receipt: Promise<Receipt>;
}

export interface RunningJobOptions {
  readonly job: Job;
  readonly outbox: Outlet;
  readonly options: WorkerOptions;
  readonly config: WorkerConfig;
  readonly logger: Logger;
}

export class RunningJob {
  readonly #given: RunningJobOptions;
  readonly #signal: JobSignal;
  readonly #started = performance.now();
  #end: ((end: JobEnd) => void) | undefined;
  #items = 0;
  #lastItem: unknown;
  /** Judged before a handler can write into the input. */
  readonly #asksForEvents: boolean;
  #firstItemMs: number | undefined;
  #figures: JobFigures = {};
  /** Resolves at the job's end, when its slot is free. */
  readonly ended: Promise<JobEnd>;

  constructor(given: RunningJobOptions) {
    this.#given = given;
    this.#signal = new JobSignal(given.job);
    this.#asksForEvents = asksForEvents(given.job.input);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  start(): void {
    const { logger, job } = this.#given;
    const unreach = reachable(job.id, (value) => this.#progress(value));
    void this.ended.then(unreach);
    logger.within(job, () => void this.#run());
  }

  /** The platform wants no more of it: aborts, and nothing is posted any more. */
  stop(): void {
    const end = this.#takeEnd();
    if (end === undefined) return;
    this.#given.outbox.discard();
    this.#signal.abort("the platform stopped this job");
    this.#given.logger.within(this.#given.job, () => this.#given.logger.info("Stopped."));
    end({
      type: "stopped",
      failed: false,
      seconds: this.#seconds,
      bytes: 0,
      receipt: Promise.resolve({ type: "aborted" }),
    });
  }

  /** Ends it with an error, whatever the handler does, and though what it streamed hangs. */
  fail(reason: string): void {
    this.#given.outbox.hurry();
    this.#settle({ error: reason });
    this.#signal.abort(reason);
  }

  async #run(): Promise<void> {
    const { logger, options, job } = this.#given;
    logger.info("Started.");
    try {
      const judged = options.input === undefined ? undefined : await judgeInput(options.input, job.input);
      if (judged?.type === "invalid") return this.#settle({ error: judged.error });
      if (this.#end === undefined) return; // stopped meanwhile
      // A copy: whatever a handler writes into it, the job is known by the id that was taken.
      const given = { ...job, input: judged === undefined ? job.input : judged.input };
      handOut(given, (value) => this.#progress(value));
      const pending = options.handler(given, this.#context());
      const returned = isStream(pending) ? pending : await pending;
      // What was returned may throw when it is looked at, too.
      if (isStream(returned)) await this.#stream(returned);
      else this.#settle(bodyOfResult(returned));
    } catch (thrown) {
      logger.error("Captured Handler Exception");
      this.#settle(bodyOfThrown(thrown, this.#given.config));
    }
  }

  async #stream(stream: Stream): Promise<void> {
    const { outbox, options, logger } = this.#given;
    outbox.isStream = true;
    try {
      // `for` closes the iterator when it is left early.
      for await (const made of iterable(stream)) {
        const item = await made; // a next() alone may give promises
        if (this.#end === undefined) return;
        const error = errorOfItem(item);
        if (error !== undefined) return this.#settle({ error });
        this.#items += 1;
        this.#firstItemMs ??= performance.now() - this.#started;
        await outbox.item(item);
        this.#lastItem = item;
      }
      await outbox.flush();
    } catch (thrown) {
      logger.error("Captured Handler Exception");
      return this.#settle(bodyOfBrokenStream(thrown));
    }
    if (options.returnAggregateStream) return this.#settle({}, `[${outbox.posted.join(",")}]`);
    // Nobody may take a stream with a gap for the whole.
    if (outbox.lost !== undefined) this.#settle({ error: outbox.lost });
    else this.#settle({}, "[]");
  }

  /** @param outputJson the output's JSON text, where it is not in `body` */
  #settle(body: DoneBody, outputJson?: string): void {
    const end = this.#takeEnd();
    if (end === undefined) return;
    const { outbox, config, logger, options } = this.#given;
    const last = options.refreshWorker ? { ...body, stopPod: true as const } : body;
    let { json, failed } = bodyJson(last, outputJson, config);
    const bytes = Buffer.byteLength(json);
    if (bytes > config.outputLimitBytes) {
      logger.tip("The result is too large; store it elsewhere, such as in a bucket, and return its address.");
      json = tooLargeBody(bytes, last.stopPod);
      failed = true;
    }
    this.#logEnd(failed, Buffer.byteLength(json));
    end({
      type: "done",
      failed,
      seconds: this.#seconds,
      bytes: Buffer.byteLength(json),
      receipt: outbox.finish(json, failed ? this.#lastEvents(json) : undefined),
    });
  }

  /** What the reader of its events is to hear of its failure; undefined where there is none. */
  #lastEvents(body: string): string | undefined {
    const last = this.#lastItem;
    if (last !== undefined && typeof last !== "string") return undefined;
    if (!this.#asksForEvents && !isEvents(last)) return undefined;
    const { error } = JSON.parse(body) as DoneBody;
    return error === undefined ? undefined : failureEvents(error, last);
  }

  get #seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  #takeEnd(): ((end: JobEnd) => void) | undefined {
    const end = this.#end;
    this.#end = undefined;
    return end;
  }

  #logEnd(failed: boolean, bytes: number): void {
    const { logger, job } = this.#given;
    logger.within(job, () => {
      if (this.#given.outbox.isStream) logger.info("Finished running generator.");
      const figures = {
        status: failed ? "failed" : "ok",
        runMs: Math.round(performance.now() - this.#started),
        ...(this.#firstItemMs === undefined ? {} : { firstItemMs: Math.round(this.#firstItemMs) }),
        ...(this.#items === 0 ? {} : { items: this.#items }),
        resultBytes: bytes,
        ...this.#figures,
      };
      const words = Object.entries(figures).map(([name, value]) => `${name}=${value}`);
      logger.info(`Finished. ${words.join(" ")}`);
    });
  }

  #progress(value: unknown): void {
    try {
      this.#given.outbox.progress(value);
    } catch (thrown) {
      // Never fails its job.
      this.#given.logger.warn(`A progress value is no JSON and was dropped: ${messageOfThrown(thrown)}`);
    }
  }

  #context(): JobContext {
    const { config, logger, job } = this.#given;
    return {
      signal: this.#signal.signal,
      workerId: config.workerId,
      log: logger.forJob(job),
      progress: (value) => this.#progress(value),
      figures: (figures) => {
        const numbers = Object.entries(figures ?? {}).filter(([, value]) => Number.isFinite(value));
        this.#figures = { ...this.#figures, ...Object.fromEntries(numbers) };
      },
    };
  }
}

function bodyJson(
  body: DoneBody,
  outputJson: string | undefined,
  config: WorkerConfig,
): { json: string; failed: boolean } {
  try {
    const json = toWireJson(body);
    const failed = body.error !== undefined;
    if (outputJson === undefined) return { json, failed };
    return { json: `{"output":${outputJson}${json === "{}" ? "}" : `,${json.slice(1)}`}`, failed };
  } catch (thrown) {
    const stopPod = body.stopPod ? { stopPod: body.stopPod } : {};
    return { json: toWireJson({ ...bodyOfThrown(thrown, config), ...stopPod }), failed: true };
  }
}

type Steps = Iterator<unknown> | AsyncIterator<unknown>;
type Stream = AsyncIterable<unknown> | Iterable<unknown> | Steps;

/** A generator or an async iterable; never text, a list, bytes or a plain iterable. */
function isStream(value: unknown): value is Stream {
  if (typeof value !== "object" || value === null) return false;
  const candidate = value as { [Symbol.asyncIterator]?: unknown; next?: unknown };
  return typeof candidate[Symbol.asyncIterator] === "function" || typeof candidate.next === "function";
}

function iterable(stream: Stream): AsyncIterable<unknown> | Iterable<unknown> {
  if (Symbol.asyncIterator in stream || Symbol.iterator in stream) return stream;
  return { [Symbol.asyncIterator]: () => stream as AsyncIterator<unknown> };
}
