// An engine: slots, a KV cache and the native thread that owns them, seen from
// JavaScript. Judges each request once, numbers it, and hands it on. Batching,
// caching and scheduling are the addon's.
import "./dispose.js";
import { randomBytes } from "node:crypto";
import type { ChatRenderer } from "../chat/renderer.js";
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
  type JudgedChat,
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
  readonly #chat: ChatRenderer;
  /** Generations whose conversations are being rendered. */
  readonly #rendering = new Set<GenerationRecord>();
  #nextId = 1;
  #closing: Promise<void> | undefined;

  /** Engines come from Model.createEngine(). */
  constructor(native: NativeEngine, router: EventRouter, limits: VocabularyLimits, chat: ChatRenderer) {
    this.#chat = chat;
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
   * or the chat template (QUEUE_FULL, CONTEXT_OVERFLOW, CHAT_TEMPLATE_MISSING,
   * CHAT_TEMPLATE_FAILED) come where the generation is read.
   *
   * A signal that is already aborted costs nothing: the engine never hears of
   * the request, and reading it tells that it was cancelled.
   *
   * @throws InferenceError INVALID_OPTION naming the field; ENGINE_CLOSED
   */
  generate(request: GenerateRequest): Generation {
    this.#mustBeOpen("generate()");
    const { native, chat, signal } = judgeRequest(this.#schema, request, randomSeed);
    const record = new GenerationRecord(this.#nextId++, this.#host);
    if (signal?.aborted) record.finishAborted(signal, endBeforeStart(record.id));
    else if (chat === undefined) this.#start(record, native, signal);
    else void this.#startChat(record, native, chat, signal);
    return new Generation(record, native.seed);
  }

  #start(record: GenerationRecord, request: NativeRequest, signal: AbortSignal | undefined): void {
    try {
      this.#native.submit(record.id, request);
    } catch (thrown) {
      throw toInferenceError(thrown);
    }
    this.#router.add(record.id, record);
    if (signal !== undefined) this.#listen(record, signal);
  }

  #listen(record: GenerationRecord, signal: AbortSignal): void {
    record.attach(this.#abortListeners.listen(signal, () => record.abort(signal)));
  }

  async #startChat(
    record: GenerationRecord,
    request: NativeRequest,
    { messages, variables }: JudgedChat,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    record.postpone();
    this.#rendering.add(record);
    if (signal !== undefined) this.#listen(record, signal);
    try {
      const { prompt, stop } = await this.#chat.render(messages, true, variables);
      if (record.end !== undefined) return;
      const stops = [...new Set([...request.stop, ...stop])];
      record.submit();
      this.#start(record, { ...request, prompt, stop: stops, parseSpecial: true }, undefined);
    } catch (thrown) {
      const { code, message } = toInferenceError(thrown);
      if (record.end === undefined) record.finish(endBeforeStart(record.id, { code, message }));
    } finally {
      this.#rendering.delete(record);
    }
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
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    for (const record of this.#rendering) record.cancel();
    this.#chat.release();
    try {
      await this.#native.close();
    } catch (thrown) {
      throw toInferenceError(thrown);
    }
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
