// A model's weights and vocabulary, loaded once and shared by its engines.
// loadModel() is the package's front door. Weights and tokenizing are the
// addon's; this file judges, converts and closes.
import "./dispose.js";
import { z } from "zod";
import {
  type ChatMessage,
  type ChatOptions,
  chatOptionsSchema,
  messagesSchema,
  type RenderedChat,
} from "../chat/messages.js";
import { ChatRenderer } from "../chat/renderer.js";
import { judgeTools } from "../chat/tools.js";
import { cancelledBy, InferenceError, toInferenceError } from "../errors.js";
import {
  chatProgram,
  type NativeEngineRequest,
  type NativeLoad,
  type NativeMetadataValue,
  type NativeModel,
  type NativeModelInfo,
  type NativeTensorInfo,
  native,
} from "../native.js";
import { Engine } from "./engine.js";
import { EventRouter } from "./event-router.js";
import { judge, show } from "./judge.js";
import {
  type EngineOptions,
  type JudgedLoad,
  judgeEngineOptions,
  judgeModelOptions,
  type ModelOptions,
} from "./options.js";
import { judgeTokens } from "./request.js";

/** A value of a GGUF file's metadata; arrays of more than 64 items come as their length. */
export type MetadataValue = NativeMetadataValue;

/** A tensor of a GGUF file. */
export type TensorInfo = NativeTensorInfo;

/** What a model is, read from its file and its loader. Tokens are -1 where it has none. */
export type ModelInfo = Omit<NativeModelInfo, "metadata">;

/** How text becomes tokens. */
export interface TokenizeOptions {
  /** Add what the model puts around a text, such as its begin token. Default true. */
  readonly addSpecial?: boolean | undefined;
  /** Read special tokens written in the text as tokens. Default false. */
  readonly parseSpecial?: boolean | undefined;
}

/** How tokens become text. */
export interface DetokenizeOptions {
  /** Write special tokens out instead of leaving them away. Default false. */
  readonly special?: boolean | undefined;
}

/** Memory that an engine takes, in bytes: what llama.cpp allocates, and what the engine keeps. */
export interface MemoryNeeded {
  /** Weights, of a draft model and of LoRA adapters too. */
  readonly weightBytes: number;
  /** Keys, values and recurrent states. */
  readonly kvBytes: number;
  /** Buffers of a pass, and logits. */
  readonly computeBytes: number;
  /** Evicted prefixes in host memory, at most; by default it follows the memory that is left now. */
  readonly hostCacheBytes: number;
}

/** A loaded model. Made by loadModel(). */
export class Model {
  readonly #native: NativeModel;
  readonly #chat: ChatRenderer;
  #closed = false;

  /** The GGUF file's metadata by key, frozen. */
  readonly metadata: Readonly<Record<string, MetadataValue>>;
  /** What the model is: architecture, sizes, special tokens, chat template, devices. */
  readonly info: ModelInfo;

  /** Models come from loadModel(). */
  constructor(model: NativeModel, chatTemplate: string | undefined) {
    this.#native = model;
    const { metadata, ...info } = model.info;
    this.metadata = Object.freeze(metadata);
    this.info = Object.freeze(info);
    const special = (token: number) => (token < 0 ? "" : this.detokenize([token], { special: true }));
    this.#chat = new ChatRenderer(chatProgram(), {
      template: chatTemplate ?? info.chatTemplate ?? undefined,
      bos: special(info.bosToken),
      eos: special(info.eosToken),
      addBos: info.addBos,
    });
  }

  /**
   * Creates an engine: allocates its KV cache and starts its thread.
   * @throws InferenceError (rejects) INVALID_OPTION, OUT_OF_MEMORY, MODEL_CLOSED
   */
  async createEngine(options: EngineOptions = {}): Promise<Engine> {
    this.#mustBeOpen("createEngine()");
    const request = this.#judgeEngine("createEngine()", options);
    const router = new EventRouter();
    try {
      const engine = await this.#native.createEngine(request, router.dispatch);
      const pooling = this.metadata[`${this.info.architecture}.pooling_type`];
      const poolingType = typeof pooling === "number" ? pooling : undefined;
      const template = this.metadata["tokenizer.chat_template.rerank"];
      const rankTemplate = typeof template === "string" ? template : undefined;
      return new Engine(engine, router, { ...this.info, poolingType, rankTemplate }, this.#chat.retain());
    } catch (thrown) {
      throw toInferenceError(thrown);
    }
  }

  /**
   * Token ids of a text, as generate() would make them from a prompt.
   * @throws InferenceError INVALID_OPTION, MODEL_CLOSED
   */
  tokenize(text: string, options: TokenizeOptions = {}): number[] {
    this.#mustBeOpen("tokenize()");
    if (typeof text !== "string") {
      throw new InferenceError("INVALID_OPTION", `tokenize(): text must be a string, got ${show(text)}`);
    }
    const { addSpecial = true, parseSpecial = false } = options;
    return this.#call(() => Array.from(this.#native.tokenize(text, addSpecial, parseSpecial)));
  }

  /**
   * The text of token ids; bytes that form no whole character become U+FFFD.
   * @throws InferenceError INVALID_OPTION, MODEL_CLOSED
   */
  detokenize(tokens: readonly number[] | Int32Array, options: DetokenizeOptions = {}): string {
    this.#mustBeOpen("detokenize()");
    const ids = judgeTokens("detokenize()", tokens, this.info.vocabularySize);
    const { special = false } = options;
    return this.#call(() => this.#native.detokenize(ids, special));
  }

  /**
   * The bytes of one token as they stand inside a text: with its leading space, perhaps a
   * part of a character. A control token such as <|im_end|> has the bytes of its text.
   * @throws InferenceError INVALID_OPTION, MODEL_CLOSED
   */
  tokenBytes(token: number): Uint8Array {
    this.#mustBeOpen("tokenBytes()");
    judgeTokens("tokenBytes()", [token], this.info.vocabularySize);
    return this.#call(() => this.#native.tokenBytes(token));
  }

  /**
   * A conversation as the prompt that generate() would make of it, tools included.
   * @throws InferenceError (rejects) INVALID_OPTION, CHAT_TEMPLATE_MISSING,
   *   CHAT_TEMPLATE_FAILED, MODEL_CLOSED
   */
  async renderChat(messages: readonly ChatMessage[], options: ChatOptions = {}): Promise<RenderedChat> {
    this.#mustBeOpen("renderChat()");
    const judged = judge("renderChat()", chatOptionsSchema, options);
    const conversation = judge("renderChat()", z.strictObject({ messages: messagesSchema }), { messages });
    const { addGenerationPrompt, variables } = judged;
    const tools = judgeTools("renderChat()", judged);
    const { prompt, stop } = await this.#chat.render({
      messages: conversation.messages,
      addGenerationPrompt,
      variables,
      tools,
      splitReasoning: true,
    });
    return { prompt, stop };
  }

  /**
   * Memory that an engine of this shape would take, a draft model and adapters included,
   * by llama.cpp's own sizing; that takes some milliseconds.
   * @throws InferenceError INVALID_OPTION, MODEL_CLOSED
   */
  memoryNeeded(options: EngineOptions = {}): MemoryNeeded {
    this.#mustBeOpen("memoryNeeded()");
    const request = this.#judgeEngine("memoryNeeded()", options);
    return this.#call(() => this.#native.memoryNeeded(request));
  }

  /**
   * Lets go of the weights; engines still open keep them until they close.
   * Further calls do nothing.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#chat.release();
    this.#call(() => this.#native.close());
  }

  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #judgeEngine(call: string, options: EngineOptions): NativeEngineRequest {
    const { contextLength, cacheKind } = this.info;
    const limits = { contextLength, cacheKind, isModel };
    const { draftModel, ...judged } = judgeEngineOptions(call, options, limits);
    if (draftModel === undefined) return { ...judged, draft: null };
    if (draftModel.#closed) {
      throw new InferenceError(
        "MODEL_CLOSED",
        `${call}: speculation.draftModel must be an open model, it is closed; load it again`,
      );
    }
    return { ...judged, draft: draftModel.#native };
  }

  #call<Value>(work: () => Value): Value {
    try {
      return work();
    } catch (thrown) {
      throw toInferenceError(thrown);
    }
  }

  #mustBeOpen(call: string): void {
    if (!this.#closed) return;
    throw new InferenceError("MODEL_CLOSED", `${call}: the model is closed; load it again`);
  }
}

function isModel(value: unknown): boolean {
  return value instanceof Model;
}

/**
 * Loads a GGUF model without blocking the event loop.
 *
 * `synthetic:<architecture>?<option>=<number>&…` is a model of random weights instead, the
 * same for the same reference: for tests and benchmarks. Architectures: llama, qwen2, qwen3,
 * gemma3 (sliding window), qwen3moe, mamba (recurrent), jamba (hybrid). Options and defaults:
 * layers (4), dim (256), heads (dim / 64), kvHeads (heads / 2), feedForward (3 x dim), vocab
 * (1280 tokens), context (4096 tokens), type (q8_0; f32, f16, q4_0, q4_1), seed (1); of
 * gemma3 window (256 positions); of qwen3 labels (a rank head's, none); of qwen3moe experts (8), expertsUsed (2); of mamba and
 * jamba state (16).
 *
 * @param path of the GGUF file (the first one of a split model), a file: URL, or a
 *   synthetic: reference
 * @throws InferenceError (rejects) INVALID_OPTION; MODEL_NOT_FOUND,
 *   MODEL_UNREADABLE, MODEL_NOT_GGUF, MODEL_VERSION_UNSUPPORTED,
 *   MODEL_TRUNCATED, MODEL_CORRUPT, MODEL_ARCHITECTURE_UNSUPPORTED,
 *   MODEL_LOAD_FAILED, OUT_OF_MEMORY; CANCELLED; NATIVE_MISSING
 */
export async function loadModel(path: string | URL, options: ModelOptions = {}): Promise<Model> {
  const judged = judgeModelOptions(path, options);
  const { signal } = judged;
  if (signal?.aborted) throw cancelledBy(signal, "loading the model");
  const progress = new ProgressCall(judged.onProgress);
  const load = native().loadModel({ ...judged.native, onProgress: progress.forward });
  const cancel = () => load.cancel();
  progress.onThrow = cancel;
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await settle(load, judged, progress);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** Whatever stopped the load is what the caller hears, even if the weights came first. */
async function settle(load: NativeLoad, judged: JudgedLoad, progress: ProgressCall): Promise<Model> {
  const { signal, chatTemplate } = judged;
  let loaded: NativeModel | undefined;
  let failure: InferenceError | undefined;
  try {
    loaded = await load.promise;
    progress.complete();
  } catch (thrown) {
    failure = toInferenceError(thrown);
  }
  progress.silence();
  if (loaded !== undefined && !progress.threw && !signal?.aborted) return new Model(loaded, chatTemplate);
  loaded?.close();
  if (progress.threw) throw progress.thrown;
  if (signal?.aborted) throw cancelledBy(signal, "loading the model");
  throw failure ?? new InferenceError("CANCELLED", "loading the model was cancelled");
}

/**
 * Calls the user's onProgress until it throws or the load has settled; nothing
 * crosses the addon, whose own calls may arrive late.
 */
class ProgressCall {
  readonly forward: ((fraction: number) => void) | null;
  threw = false;
  thrown: unknown;
  onThrow: (() => void) | undefined;
  #silent = false;
  #last = 0;

  constructor(callback: ((fraction: number) => void) | undefined) {
    this.forward = callback === undefined ? null : (fraction) => this.#guarded(callback, fraction);
  }

  /** Says 1 if the addon has not yet. */
  complete(): void {
    if (this.#last < 1) this.forward?.(1);
  }

  silence(): void {
    this.#silent = true;
  }

  #guarded(callback: (fraction: number) => void, fraction: number): void {
    if (this.threw || this.#silent) return;
    this.#last = fraction;
    try {
      callback(fraction);
    } catch (thrown) {
      this.threw = true;
      this.thrown = thrown;
      this.onThrow?.();
    }
  }
}
