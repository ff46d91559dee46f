// An engine: slots, a KV cache and the native thread that owns them, seen from
// JavaScript. Judges each request once, numbers it, and hands it on. Batching,
// caching and scheduling are the addon's.
import "./dispose.js";
import { randomBytes } from "node:crypto";
import type { Conversation } from "../chat/messages.js";
import type { ChatRenderer } from "../chat/renderer.js";
import { InferenceError, invalidOption, toInferenceError } from "../errors.js";
import type { NativeEngine, NativeRequest } from "../native.js";
import { AbortListeners } from "./abort-listeners.js";
import type { Choice } from "./choice.js";
import {
  type EmbedInput,
  type EmbedOptions,
  type EmbedResult,
  embedResult,
  inputFailure,
  judgeEmbed,
  refusePooling,
} from "./embed.js";
import type { EventRouter } from "./event-router.js";
import { Generation, recordOf, refused } from "./generation.js";
import { type GenerationHost, GenerationRecord } from "./generation-record.js";
import { cancelledByClosing, endsOf } from "./hidden-runs.js";
import { KeepAlive } from "./keep-alive.js";
import { judgePath } from "./options.js";
import {
  type ForkOptions,
  type GenerateRequest,
  judgeFork,
  judgeLoadState,
  judgeRequest,
  type LoadStateOptions,
  type RequestSchema,
  requestSchema,
  type VocabularyLimits,
} from "./request.js";
import {
  documentFailure,
  judgeRerank,
  type RankModel,
  type RerankRequest,
  type RerankResult,
  rankPrompts,
  rerankResult,
} from "./rerank.js";
import { type SavedState, StateFiles, savingRequest } from "./saved-state.js";
import { type EngineStats, engineStats } from "./stats.js";
import { writtenRequest } from "./written-request.js";

const seedBits = 64;
const stateFile = "a state file";

/** What an engine was made with, defaults and choices filled in. */
export type ChosenEngineOptions = NativeEngine["options"];

/** What an engine must know about its model. */
export interface EngineModel extends Omit<VocabularyLimits, "loras">, RankModel {
  readonly fingerprint: string;
  /** How the model's file says embeddings are taken; undefined where it says nothing. */
  readonly poolingType?: number | undefined;
}

/** Runs many generations of one model at once. Made by Model.createEngine(). */
export class Engine {
  readonly #native: NativeEngine;
  readonly #router: EventRouter;
  readonly #schema: RequestSchema;
  readonly #host: GenerationHost;
  readonly #abortListeners = new AbortListeners();
  readonly #chat: ChatRenderer;
  /** Generations the addon has not heard of yet, and when it will have. */
  readonly #rendering = new Map<GenerationRecord, Promise<void>>();
  /** Every generation of this engine that is still held by somebody. */
  readonly #own = new WeakSet<GenerationRecord>();
  readonly #model: EngineModel;
  readonly #states: StateFiles;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  /** Engines come from Model.createEngine(). */
  constructor(native: NativeEngine, router: EventRouter, model: EngineModel, chat: ChatRenderer) {
    this.#chat = chat;
    this.#native = native;
    this.#router = router;
    this.#schema = requestSchema({ ...model, loras: native.options.loras });
    this.#model = model;
    this.#states = new StateFiles(native, model);
    this.#host = { native, keepAlive: new KeepAlive(native) };
  }

  /** The options in use, with what was chosen for those left out. */
  get options(): ChosenEngineOptions {
    return this.#native.options;
  }

  /**
   * Starts a generation and returns at once; never throws. Every failure comes where the
   * generation is read, as an InferenceError: INVALID_OPTION naming the field,
   * ENGINE_CLOSED, QUEUE_FULL, CONTEXT_OVERFLOW, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED.
   *
   * A signal that is already aborted costs nothing: the engine never hears of
   * the request, and reading it tells that it was cancelled.
   */
  generate(request: GenerateRequest): Generation {
    return this.#orRefused("generate()", () => this.#generate(request));
  }

  #orRefused(call: string, start: () => Generation): Generation {
    try {
      this.#mustBeOpen(call);
      return start();
    } catch (thrown) {
      return refused(call, thrown, this.#nextId++, this.#host);
    }
  }

  #generate(request: GenerateRequest): Generation {
    const judged = judgeRequest(this.#schema, request, randomSeed);
    const { native, n, chat, boundBy, signal } = judged;
    this.#mustBeQueueable("generate()", "n", n);
    const ids = Array.from({ length: n }, () => this.#nextId++);
    const record = new GenerationRecord(ids, this.#host, boundBy);
    const shared = this.#shared(native, ids);
    if (signal?.aborted) record.finishAborted(signal);
    else if (chat === undefined) this.#start(record, shared, signal);
    else this.#postpone(record, this.#startLater(record, shared, chat), signal);
    return new Generation(record, native.seed);
  }

  /**
   * Goes on with a running generation a second time: the new one begins with
   * what the other has generated by then, and draws its own tokens from there.
   * What is computed is shared as far as the prompt cache goes.
   *
   * Never throws; fails as generate() does, with INVALID_OPTION where the generation is
   * another engine's, has no such choice, has ended or ends before the engine comes to it.
   */
  fork(generation: Generation, options: ForkOptions = {}): Generation {
    return this.#orRefused("fork()", () => this.#fork(generation, options));
  }

  #fork(generation: Generation, options: ForkOptions): Generation {
    const { seed, choiceIndex, signal } = judgeFork(options, randomSeed);
    const source = this.#forkable(generation);
    const choice = source.choices[choiceIndex];
    const refuse = (sentence: string) => new InferenceError("INVALID_OPTION", `fork(): ${sentence}`);
    if (choice === undefined)
      throw refuse(`choiceIndex must be below ${source.choices.length}, the generation's n`);
    if (choice.end !== undefined) throw refuse("the generation must be running, it has ended");
    const record = new GenerationRecord([this.#nextId++], this.#host, source.boundBy);
    const submit = () => {
      record.readAnswers(source.reading);
      this.#submit(record, ({ id }) => this.#native.fork(id, choice.id, seed));
    };
    const rendered = this.#rendering.get(source);
    if (signal?.aborted) record.finishAborted(signal);
    else if (rendered === undefined) {
      submit();
      if (signal !== undefined) this.#listen(record, signal);
    } else {
      this.#postpone(record, this.#afterwards(rendered, record, submit), signal);
    }
    return new Generation(record, seed);
  }

  #forkable(generation: Generation): GenerationRecord {
    const record = recordOf(generation);
    if (record !== undefined && this.#own.has(record)) return record;
    throw new InferenceError("INVALID_OPTION", "fork(): generation must be one that this engine made");
  }

  /** Choices share their prompt, whatever is kept for others. */
  #shared(request: NativeRequest, ids: readonly number[]): NativeRequest {
    const [first] = ids;
    if (ids.length < 2 || (request.cache && this.options.promptCache)) return request;
    return { ...request, cache: true, siblings: true, cacheSalt: `\0${first}` };
  }

  #start(record: GenerationRecord, request: NativeRequest, signal: AbortSignal | undefined): void {
    this.#submit(record, ({ id, index }) => {
      const seed = BigInt.asUintN(seedBits, request.seed + BigInt(index));
      this.#native.submit(id, { ...request, seed });
    });
    if (signal !== undefined) this.#listen(record, signal);
  }

  #submit(record: GenerationRecord, submit: (choice: Choice) => void): void {
    this.#own.add(record);
    try {
      for (const choice of record.choices) {
        submit(choice);
        this.#router.add(choice.id, choice);
      }
    } catch (thrown) {
      throw toInferenceError(thrown);
    }
  }

  #listen(record: GenerationRecord, signal: AbortSignal): void {
    record.attach(this.#abortListeners.listen(signal, () => record.abort(signal)));
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
    const written = await this.#chat.render(chat);
    if (record.end !== undefined) return;
    const { request: whole, format } = writtenRequest(request, chat, written);
    record.submit();
    record.readAnswers(
      format && { format, parse: (text, partial) => this.#chat.parse(format, text, partial) },
    );
    this.#start(record, whole, undefined);
  }

  async #afterwards(rendered: Promise<void>, record: GenerationRecord, submit: () => void): Promise<void> {
    await rendered;
    if (record.end !== undefined) return;
    record.submit();
    submit();
  }

  /**
   * Embeddings of texts, by the same passes and the same prompt cache as
   * generations: the hidden state of each text's last token, which is what models
   * that embed by their last token (Qwen3-Embedding and the like) are made for.
   *
   * @throws InferenceError (rejects) INVALID_OPTION, also where the model takes its
   *   embeddings in another way; CONTEXT_OVERFLOW naming the input; as reading a
   *   generation does
   */
  async embed(inputs: EmbedInput | readonly EmbedInput[], options: EmbedOptions = {}): Promise<EmbedResult> {
    this.#mustBeOpen("embed()");
    refusePooling(this.#model.poolingType);
    const { inputs: texts, place, normalize, signal, ...rest } = judgeEmbed(inputs, options);
    this.#mustBeQueueable("embed()", "inputs", texts.length);
    const named = (failure: unknown, index: number) => inputFailure(failure, place(index));
    const requests = texts.map((prompt, index) => {
      try {
        const asked = { prompt, ...rest, temperature: 0 };
        return judgeRequest(this.#schema, asked, randomSeed, "embed()").native;
      } catch (thrown) {
        throw named(thrown, index);
      }
    });
    const runs = requests.map((request) => this.#run({ ...request, embeds: true }, signal));
    return embedResult(await endsOf(runs, named), normalize);
  }

  /** A request that nobody follows. */
  #run(request: NativeRequest, signal: AbortSignal | undefined): GenerationRecord {
    const record = new GenerationRecord([this.#nextId++], this.#host);
    if (signal?.aborted) record.finishAborted(signal);
    else this.#start(record, request, signal);
    return record;
  }

  /**
   * Orders documents by how well they answer a query, by the same passes and the same
   * prompt cache as generations: what their prompts have in common, the query where the
   * template puts it first, is computed once. For models with a rank head over
   * their last token: Qwen3-Reranker and the like, converted by llama.cpp.
   *
   * @throws InferenceError (rejects) INVALID_OPTION, also where the model is no reranker;
   *   CONTEXT_OVERFLOW naming the document; as reading a generation does
   */
  async rerank(request: RerankRequest): Promise<RerankResult> {
    this.#mustBeOpen("rerank()");
    const judged = judgeRerank(request);
    this.#mustBeQueueable("rerank()", "documents", judged.documents.length);
    const prompts = rankPrompts(this.#model, judged);
    const { cache, cacheSalt, loras, signal } = judged;
    const asked = { prompt: [0], cache, cacheSalt, loras, temperature: 0 };
    const { native } = judgeRequest(this.#schema, asked, randomSeed, "rerank()");
    const ids = prompts.map((_, index) => this.#nextId + index);
    const shared = this.#shared({ ...native, embeds: true, ranks: true }, ids);
    const runs = prompts.map((prompt) => this.#run({ ...shared, prompt }, signal));
    return rerankResult(await endsOf(runs, documentFailure), judged);
  }

  /**
   * Saves what is computed of a prompt to a file, after computing what is not
   * there: a conversation that loadState() lets go on in another process. Whatever
   * the cache holds of it beyond the prompt is saved too.
   *
   * @param path of the file, which is replaced where it is there and which nobody
   *   but its owner may read; a path or a file: URL
   * @param request prompt or messages; cacheSalt, signal and the like as in
   *   generate(). What it says of the answer is judged and of no effect; `cache: false`
   *   is refused
   * @throws InferenceError (rejects) INVALID_OPTION; as reading a generation does;
   *   STATE_UNREADABLE where the file cannot be written; STATE_LOST where
   *   llama.cpp does not tell the state
   */
  async saveState(path: string | URL, request: GenerateRequest): Promise<SavedState> {
    const call = "saveState()";
    this.#mustBeOpen(call);
    const file = judgePath(call, path, stateFile);
    const refuse = (sentence: string) => new InferenceError("INVALID_OPTION", `${call}: ${sentence}`);
    if (!this.options.promptCache) throw refuse("the engine must have promptCache, it is false");
    const { native, chat, signal } = judgeRequest(this.#schema, request, randomSeed, call);
    if (!native.cache) throw refuse("cache must be true, got false");
    const written = chat && (await this.#chat.render(chat));
    if (this.#closing !== undefined) throw cancelledByClosing(call);
    const { request: prompt } = written ? writtenRequest(native, chat, written) : { request: native };
    const [end] = await endsOf([this.#run(savingRequest(prompt), signal)]);
    return this.#states.write(file, prompt.loras, end);
  }

  /**
   * Loads a saved state into host memory: a prompt that begins with its tokens
   * goes on from there instead of being computed. Load files of your own only: their
   * contents are checked, but a forged state is still a state.
   *
   * @param path of the file; a path or a file: URL
   * @throws InferenceError (rejects) INVALID_OPTION; STATE_UNREADABLE;
   *   STATE_INVALID where it is damaged or of another model, llama.cpp or kind of
   *   cache; OUT_OF_MEMORY where hostCacheBytes has no room for it
   */
  async loadState(path: string | URL, options: LoadStateOptions = {}): Promise<SavedState> {
    this.#mustBeOpen("loadState()");
    const file = judgePath("loadState()", path, stateFile);
    return this.#states.read(file, judgeLoadState(options, this.options.loras));
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
    for (const record of this.#rendering.keys()) record.cancel();
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

  /** Waiting would not help: they never fit in at once. */
  #mustBeQueueable(call: string, option: string, count: number): void {
    const { queueLimit } = this.options;
    if (count <= queueLimit) return;
    const limit = (name: (option: string) => string) => `the engine's ${name("queueLimit")}, ${queueLimit}`;
    throw invalidOption(call, [option], (name) => `must be at most ${limit(name)}, got ${count}`);
  }

  #mustBeOpen(call: string): void {
    if (this.#closing === undefined) return;
    throw new InferenceError("ENGINE_CLOSED", `${call}: the engine is closed; create another one`);
  }
}

function randomSeed(): bigint {
  return randomBytes(8).readBigUInt64LE();
}
