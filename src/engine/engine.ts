// An engine: slots, a KV cache and the native thread that owns them, seen from
// JavaScript. Judges each request once, numbers it, and hands it on. Batching,
// caching and scheduling are the addon's.
import "./dispose.js";
import type { ChatRenderer } from "../chat/renderer.js";
import type { SchemaOption } from "../constraints/output-schema.js";
import { InferenceError, invalidOption, toInferenceError } from "../errors.js";
import type { NativeEngine, NativeEngineOptions } from "../native.js";
import type { ModelDevice } from "../native-devices.js";
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
import type { GenerateResult, ResultOf } from "./events.js";
import type { ForkOptions, GenerateRequest, LoadStateOptions } from "./generate-request.js";
import { Generation, recordOf } from "./generation.js";
import type { GenerationRecord } from "./generation-record.js";
import { cancelledByClosing, endsOf, noneRefused } from "./hidden-runs.js";
import { asRefusal } from "./judge.js";
import { KeepAlive } from "./keep-alive.js";
import type { KvLayout } from "./kv-layout.js";
import { deviceOfFixedLoras } from "./loras.js";
import { judgePath } from "./model-path.js";
import {
  judgeFork,
  judgeLoadState,
  judgeRequest,
  type RequestSchema,
  requestSchema,
  type VocabularyLimits,
} from "./request.js";
import { type DrainOptions, judgeDrain, type OpenCall, RequestBook } from "./request-book.js";
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
import { randomSeed } from "./seed.js";
import { type EngineStats, engineStats } from "./stats.js";
import { Submissions } from "./submissions.js";
import { writtenRequest } from "./written-request.js";

const stateFile = "a state file";

/** What an engine was made with, defaults and choices filled in. */
export interface ChosenEngineOptions extends NativeEngineOptions {
  /** A stream of cells for each slot, or one pool of them. */
  readonly kvLayout: KvLayout;
}

/** What an engine must know about its model. */
export interface EngineModel extends Omit<VocabularyLimits, "loras" | "fixedLorasOn">, RankModel {
  readonly fingerprint: string;
  /** How the model's file says embeddings are taken; undefined where it says nothing. */
  readonly poolingType?: number | undefined;
  readonly devices?: readonly ModelDevice[] | undefined;
}

/** A generation that has begun, or has ended as refused. */
interface Started {
  readonly record: GenerationRecord;
  readonly seed: bigint;
}

/** Runs many generations of one model at once. Made by Model.createEngine(). */
export class Engine {
  readonly #native: NativeEngine;
  readonly #options: ChosenEngineOptions;
  readonly #schema: RequestSchema;
  readonly #chat: ChatRenderer;
  readonly #keepAlive: KeepAlive;
  readonly #submissions: Submissions;
  readonly #book = new RequestBook();
  readonly #model: EngineModel;
  readonly #states: StateFiles;
  #draining = false;
  #closing: Promise<void> | undefined;

  /** @internal Engines come from Model.createEngine(). */
  constructor(native: NativeEngine, router: EventRouter, model: EngineModel, chat: ChatRenderer) {
    this.#native = native;
    this.#chat = chat;
    this.#options = Object.freeze(native.options); // each look makes a new object
    const { loras } = this.#options;
    this.#schema = requestSchema({ ...model, loras, fixedLorasOn: deviceOfFixedLoras(model.devices) });
    this.#model = model;
    this.#states = new StateFiles(native, model);
    this.#keepAlive = new KeepAlive(native);
    this.#submissions = new Submissions({
      native,
      router,
      chat,
      host: { native, keepAlive: this.#keepAlive },
    });
  }

  /** The options in use, with what was chosen for those left out. */
  get options(): ChosenEngineOptions {
    return this.#options;
  }

  /**
   * Starts a generation and returns at once; never throws. Every failure comes where the
   * generation is read, as an InferenceError: INVALID_OPTION naming the field,
   * ENGINE_CLOSED, QUEUE_FULL, CONTEXT_OVERFLOW, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED;
   * where it is awaited, OUTPUT_INVALID.
   *
   * With a `jsonSchema` the result has an `object`: what a library's schema makes of the
   * answer, typed and validated; with a plain JSON schema the parsed JSON, unknown.
   *
   * A signal that is already aborted costs nothing: the engine never hears of
   * the request, and reading it tells that it was cancelled.
   */
  generate<Schema extends SchemaOption | undefined = undefined>(
    request: GenerateRequest<Schema>,
  ): Generation<ResultOf<Schema>> {
    return this.#orRefused("generate()", () => this.#generate(request));
  }

  #orRefused<Result extends GenerateResult>(call: string, start: () => Started): Generation<Result> {
    const close = this.#book.open();
    const { record, seed } = this.#started(call, start);
    record.atEnd(close);
    return new Generation(record, seed);
  }

  #started(call: string, start: () => Started): Started {
    try {
      this.#mustBeOpen(call);
      return start();
    } catch (thrown) {
      const record = this.#submissions.record();
      record.fail(asRefusal(call, thrown));
      return { record, seed: 0n };
    }
  }

  #generate(request: GenerateRequest): Started {
    const judged = judgeRequest(this.#schema, request, randomSeed);
    const { native, n, chat, signal } = judged;
    this.#mustBeQueueable("generate()", "n", n);
    const record = this.#submissions.record(n, judged);
    this.#submissions.generate(record, { native, chat, signal });
    return { record, seed: native.seed };
  }

  /**
   * Goes on with a running generation a second time: the new one begins with
   * what the other has generated by then, and draws its own tokens from there.
   * What is computed is shared as far as the prompt cache goes.
   *
   * Never throws; fails as generate() does, with INVALID_OPTION where the generation is
   * another engine's, has no such choice, has ended or ends before the engine comes to it.
   */
  fork<Result extends GenerateResult>(
    generation: Generation<Result>,
    options: ForkOptions = {},
  ): Generation<Result> {
    return this.#orRefused("fork()", () => this.#fork(generation, options));
  }

  #fork(generation: Generation, options: ForkOptions): Started {
    const { seed, choiceIndex, signal } = judgeFork(options, randomSeed);
    const source = this.#forkable(generation);
    const choice = source.choices[choiceIndex];
    if (choice === undefined) {
      const problem = `must be below ${source.choices.length}, the generation's n, got ${choiceIndex}`;
      throw invalidOption("fork()", ["choiceIndex"], problem);
    }
    if (choice.end !== undefined) {
      throw invalidOption("fork()", [], "the generation must be running, it has ended");
    }
    const record = this.#submissions.record(1, source);
    this.#submissions.fork(record, source, choice, seed, signal);
    return { record, seed };
  }

  #forkable(generation: Generation): GenerationRecord {
    const record = recordOf(generation);
    if (record !== undefined && this.#submissions.has(record)) return record;
    throw new InferenceError("INVALID_OPTION", "fork(): generation must be one that this engine made");
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
  embed(inputs: EmbedInput | readonly EmbedInput[], options: EmbedOptions = {}): Promise<EmbedResult> {
    return this.#book.counted((call) => this.#embed(inputs, options, call));
  }

  async #embed(
    inputs: EmbedInput | readonly EmbedInput[],
    options: EmbedOptions,
    call: OpenCall,
  ): Promise<EmbedResult> {
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
    const runs = requests.map((request) => this.#submissions.run({ ...request, embeds: true }, signal));
    call.isAccepted = () => noneRefused(runs);
    return embedResult(await endsOf(runs, named), normalize);
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
  rerank(request: RerankRequest): Promise<RerankResult> {
    return this.#book.counted((call) => this.#rerank(request, call));
  }

  async #rerank(request: RerankRequest, call: OpenCall): Promise<RerankResult> {
    this.#mustBeOpen("rerank()");
    const judged = judgeRerank(request);
    this.#mustBeQueueable("rerank()", "documents", judged.documents.length);
    const prompts = rankPrompts(this.#model, judged);
    const { cache, cacheSalt, loras, signal } = judged;
    const asked = { prompt: [0], cache, cacheSalt, loras, temperature: 0 };
    const { native } = judgeRequest(this.#schema, asked, randomSeed, "rerank()");
    const runs = this.#submissions.runAlike({ ...native, embeds: true, ranks: true }, prompts, signal);
    call.isAccepted = () => noneRefused(runs);
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
  saveState(path: string | URL, request: GenerateRequest): Promise<SavedState> {
    return this.#book.counted((call) => this.#saveState(path, request, call));
  }

  async #saveState(path: string | URL, request: GenerateRequest, call: OpenCall): Promise<SavedState> {
    const name = "saveState()";
    this.#mustBeOpen(name);
    const file = judgePath(name, path, stateFile);
    if (!this.options.promptCache) {
      throw invalidOption(name, [], "the engine must have promptCache, it is false");
    }
    if (request === undefined) {
      const problem = "must say which conversation is saved: saveState(path, { messages })";
      throw invalidOption(name, ["request"], problem);
    }
    const { native, chat, signal } = judgeRequest(this.#schema, request, randomSeed, name);
    if (!native.cache) throw invalidOption(name, ["cache"], "must be true, got false");
    const written = chat && (await this.#chat.render(chat));
    if (this.#closing !== undefined) throw cancelledByClosing(name);
    const { request: prompt } = written ? writtenRequest(native, chat, written) : { request: native };
    const run = this.#submissions.run(savingRequest(prompt), signal);
    call.isAccepted = () => noneRefused([run]);
    const [end] = await endsOf([run]);
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
  loadState(path: string | URL, options: LoadStateOptions = {}): Promise<SavedState> {
    return this.#book.counted((call) => this.#loadState(path, options, call));
  }

  async #loadState(path: string | URL, options: LoadStateOptions, call: OpenCall): Promise<SavedState> {
    this.#mustBeOpen("loadState()");
    const file = judgePath("loadState()", path, stateFile);
    const key = judgeLoadState(options, this.options.loras);
    call.isAccepted = () => true;
    return this.#states.read(file, key);
  }

  /**
   * What the engine is doing and has done.
   * @throws InferenceError ENGINE_CLOSED
   */
  stats(): EngineStats {
    this.#mustNotBeClosed("stats()");
    return engineStats(this.#native.stats(), this.#book.counts);
  }

  /** Whether the engine takes requests: false once it is draining, closed or broken (ENGINE_BROKEN, DEVICE_FAILED, OUT_OF_MEMORY). */
  get healthy(): boolean {
    return !this.#draining && this.#closing === undefined && !this.#native.broken;
  }

  /**
   * Refuses new requests from now on with ENGINE_CLOSED, and waits until every living
   * request has ended: what a service does before it closes its engine. Living are
   * generations that wait for a slot or for the chat template, embeddings, rerankings,
   * states that are saved or loaded, and generations that nobody reads, which end only when
   * they are read or cancelled: give a signal as the limit. close() ends them all, and the
   * waiting with them. It may be called several times.
   *
   * @throws InferenceError (rejects) INVALID_OPTION; CANCELLED where the signal aborts first:
   *   the engine goes on draining
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    const { signal } = judgeDrain(options);
    this.#draining = true;
    this.#keepAlive.hold();
    try {
      await this.#book.untilIdle(signal);
    } finally {
      this.#keepAlive.release();
    }
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
    this.#submissions.cancelRendering();
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
    this.#mustNotBeClosed(call);
    if (!this.#draining) return;
    const sentence = "the engine is draining and takes no new requests; send it to another one";
    throw new InferenceError("ENGINE_CLOSED", `${call}: ${sentence}`);
  }

  #mustNotBeClosed(call: string): void {
    if (this.#closing === undefined) return;
    throw new InferenceError("ENGINE_CLOSED", `${call}: the engine is closed; create another one`);
  }
}
