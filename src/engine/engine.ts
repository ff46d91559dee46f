// An engine: slots, a KV cache and the native thread that owns them, seen from
// JavaScript. Judges each request once, numbers it, and hands it on. Batching,
// caching and scheduling are the addon's.
import "./dispose.js";
import { randomBytes } from "node:crypto";
import { InferenceError, toInferenceError } from "../errors.js";
import type { NativeEngine, NativeRequest } from "../native.js";
import { AbortListeners } from "./abort-listeners.js";
import type { EventRouter } from "./event-router.js";
import { endBeforeStart } from "./events.js";
import { Generation } from "./generation.js";
import { type GenerationHost, GenerationRecord } from "./generation-record.js";
import { KeepAlive } from "./keep-alive.js";
import {
  type GenerateRequest,
  judgeRequest,
  type RequestSchema,
  requestSchema,
  type VocabularyLimits,
} from "./request.js";
import { type EngineStats, engineStats } from "./stats.js";

/** What an engine was made with, defaults and choices filled in. */
export type ChosenEngineOptions = NativeEngine["options"];

/** Runs many generations of one model at once. Made by Model.createEngine(). */
export class Engine {
  readonly #native: NativeEngine;
  readonly #router: EventRouter;
  readonly #schema: RequestSchema;
  readonly #host: GenerationHost;
  readonly #abortListeners = new AbortListeners();
  #nextId = 1;
  #closing: Promise<void> | undefined;

  /** Engines come from Model.createEngine(). */
  constructor(native: NativeEngine, router: EventRouter, limits: VocabularyLimits) {
    this.#native = native;
    this.#router = router;
    this.#schema = requestSchema(limits);
    this.#host = { native, keepAlive: new KeepAlive(native) };
  }

  /** The options in use, with what was chosen for those left out. */
  get options(): ChosenEngineOptions {
    return this.#native.options;
  }

  /**
   * Starts a generation and returns at once. Refusals that depend on the engine
   * (QUEUE_FULL, CONTEXT_OVERFLOW) come where the generation is read.
   *
   * A signal that is already aborted costs nothing: the engine never hears of
   * the request, and reading it tells that it was cancelled.
   *
   * @throws InferenceError INVALID_OPTION naming the field; ENGINE_CLOSED
   */
  generate(request: GenerateRequest): Generation {
    this.#mustBeOpen("generate()");
    const { native, signal } = judgeRequest(this.#schema, request, randomSeed);
    const record = new GenerationRecord(this.#nextId++, this.#host);
    if (signal?.aborted) record.finishAborted(signal, endBeforeStart(record.id));
    else this.#start(record, native, signal);
    return new Generation(record, native.seed);
  }

  #start(record: GenerationRecord, request: NativeRequest, signal: AbortSignal | undefined): void {
    try {
      this.#native.submit(record.id, request);
    } catch (thrown) {
      throw toInferenceError(thrown);
    }
    this.#router.add(record.id, record);
    if (signal === undefined) return;
    record.attach(this.#abortListeners.listen(signal, () => record.abort(signal)));
  }

  /**
   * What the engine is doing and has done.
   * @throws InferenceError ENGINE_CLOSED
   */
  stats(): EngineStats {
    this.#mustBeOpen("stats()");
    return engineStats(this.#native.stats());
  }

  /**
   * Ends every living generation as cancelled, stops the native thread and
   * frees the cache. Further calls return the same promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#native.close().catch((thrown: unknown) => {
      throw toInferenceError(thrown);
    });
    return this.#closing;
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #mustBeOpen(call: string): void {
    if (this.#closing === undefined) return;
    throw new InferenceError("ENGINE_CLOSED", `${call}: the engine is closed; create another one`);
  }
}

function randomSeed(): bigint {
  return randomBytes(8).readBigUInt64LE();
}
