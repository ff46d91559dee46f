// The way of an engine's requests to the addon: numbered, handed over at once or when
// their conversation has become a prompt, and cancelled by their signals. Owns the
// numbers and the list of requests that are still being rendered. Judges nothing.
import type { Conversation } from "../chat/messages.js";
import type { ChatRenderer } from "../chat/renderer.js";
import { toInferenceError } from "../errors.js";
import type { NativeEngine, NativeRequest } from "../native.js";
import { AbortListeners } from "./abort-listeners.js";
import type { Choice } from "./choice.js";
import type { EventRouter } from "./event-router.js";
import { type GenerationHost, GenerationRecord } from "./generation-record.js";
import { PromptTold } from "./prompt-told.js";
import { noLogProbs, untoldPrompt } from "./request.js";
import { writtenRequest } from "./written-request.js";

const seedBits = 64;

/** What submissions need of their engine. */
export interface SubmissionParts {
  readonly native: NativeEngine;
  readonly router: EventRouter;
  readonly chat: ChatRenderer;
  readonly host: GenerationHost;
}

/** A generation to submit, in judged form. */
export interface Submission {
  readonly native: NativeRequest;
  /** To be rendered first; undefined where there is a prompt. */
  readonly chat: Conversation | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Submits the requests of one engine. */
export class Submissions {
  readonly #parts: SubmissionParts;
  readonly #abortListeners = new AbortListeners();
  /** Generations the addon has not heard of yet, and when it will have. */
  readonly #rendering = new Map<GenerationRecord, Promise<void>>();
  /** Every generation of this engine that is still held by somebody. */
  readonly #own = new WeakSet<GenerationRecord>();
  #nextId = 1;

  constructor(parts: SubmissionParts) {
    this.#parts = parts;
  }

  /**
   * The record of a request that is to come, with numbers of its own.
   * @param bound what GenerationRecord is told of its answers' form
   */
  record(choices = 1, bound: Partial<Pick<GenerationRecord, "boundBy" | "output">> = {}): GenerationRecord {
    const ids = Array.from({ length: choices }, () => this.#nextId++);
    return new GenerationRecord(ids, this.#parts.host, bound.boundBy, bound.output);
  }

  /** Whether a generation is one of this engine's. */
  has(record: GenerationRecord): boolean {
    return this.#own.has(record);
  }

  /** Submits a generation. @throws InferenceError ENGINE_CLOSED */
  generate(record: GenerationRecord, { native, chat, signal }: Submission): void {
    const shared = this.#shared(native, record.choices.length, record.choices[0]?.id);
    if (signal?.aborted) record.finishAborted(signal);
    else if (chat === undefined) this.#start(record, shared, signal);
    else this.#postpone(record, this.#startLater(record, shared, chat), signal);
  }

  /** Submits a fork of a choice. @throws InferenceError ENGINE_CLOSED */
  fork(
    record: GenerationRecord,
    source: GenerationRecord,
    choice: Choice,
    seed: bigint,
    signal: AbortSignal | undefined,
  ): void {
    const submit = () => {
      record.readAnswers(source.reading);
      this.#submit(record, ({ id }) => this.#parts.native.fork(id, choice.id, seed));
    };
    const rendered = this.#rendering.get(source);
    if (signal?.aborted) record.finishAborted(signal);
    else if (rendered === undefined) {
      submit();
      if (signal !== undefined) this.#listen(record, signal);
    } else {
      this.#postpone(record, this.#afterwards(rendered, record, submit), signal);
    }
  }

  /** Submits a request whose events the caller never sees (embed, rerank, saveState). */
  run(request: NativeRequest, signal: AbortSignal | undefined): GenerationRecord {
    const record = this.record();
    if (signal?.aborted) record.finishAborted(signal);
    else this.#start(record, request, signal);
    return record;
  }

  /** Submits the requests of one call, whose prompts begin alike: what they share is computed once. */
  runAlike(
    request: NativeRequest,
    prompts: readonly NativeRequest["prompt"][],
    signal: AbortSignal | undefined,
  ): GenerationRecord[] {
    const shared = this.#shared(request, prompts.length, this.#nextId);
    return prompts.map((prompt) => this.run({ ...shared, prompt }, signal));
  }

  /** Requests that share their prompt, whatever is kept for others. */
  #shared(request: NativeRequest, count: number, firstId: number | undefined): NativeRequest {
    if (count < 2) return request;
    if (request.cache && this.#parts.native.options.promptCache) return request;
    return { ...request, cache: true, parallelSamples: true, cacheSalt: `\0${firstId}` };
  }

  /** Cancels what the addon has not heard of. */
  cancelRendering(): void {
    for (const record of this.#rendering.keys()) record.cancel();
  }

  #start(record: GenerationRecord, request: NativeRequest, signal: AbortSignal | undefined): void {
    if (request.promptTokens) record.tellPrompt(new PromptTold(request.promptLogProbs !== noLogProbs));
    this.#submit(record, ({ id, index }) => {
      const seed = BigInt.asUintN(seedBits, request.seed + BigInt(index));
      this.#parts.native.submit(id, { ...request, ...(index > 0 && untoldPrompt), seed });
    });
    if (signal !== undefined) this.#listen(record, signal);
  }

  #submit(record: GenerationRecord, submit: (choice: Choice) => void): void {
    this.#own.add(record);
    try {
      for (const choice of record.choices) {
        submit(choice);
        this.#parts.router.add(choice.id, choice);
      }
    } catch (thrown) {
      throw toInferenceError(thrown);
    }
  }

  #listen(record: GenerationRecord, signal: AbortSignal): void {
    record.atEnd(this.#abortListeners.listen(signal, () => record.abort(signal)));
  }

  /** The addon hears of the record when `start` has come so far. */
  #postpone(record: GenerationRecord, start: Promise<void>, signal: AbortSignal | undefined): void {
    record.postpone();
    this.#own.add(record);
    if (signal !== undefined) this.#listen(record, signal);
    const settled = start
      .catch((thrown: unknown) => record.fail(toInferenceError(thrown)))
      .finally(() => this.#rendering.delete(record));
    this.#rendering.set(record, settled);
  }

  /** Once the conversation is a prompt. */
  async #startLater(record: GenerationRecord, request: NativeRequest, chat: Conversation): Promise<void> {
    const renderer = this.#parts.chat;
    const written = await renderer.render(chat);
    if (record.end !== undefined) return;
    const { request: whole, format } = writtenRequest(request, chat, written);
    record.submit();
    record.readAnswers(format && { format, parse: (text, partial) => renderer.parse(format, text, partial) });
    this.#start(record, whole, undefined);
  }

  async #afterwards(rendered: Promise<void>, record: GenerationRecord, submit: () => void): Promise<void> {
    await rendered;
    if (record.end !== undefined) return;
    record.submit();
    submit();
  }
}
