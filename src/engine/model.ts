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
  opensAnswer,
  type RenderedChat,
} from "../chat/messages.js";
import { ChatRenderer } from "../chat/renderer.js";
import { judgeTools } from "../chat/tools.js";
import { cancelledBy, InferenceError, toInferenceError } from "../errors.js";
import type { ConvertedCheckpoint } from "../models/checkpoint-cache.js";
import type { NativeEngineRequest, NativeLoad, NativeModel, NativeModelInfo } from "../native.js";
import { chatProgram, native } from "../native-addon.js";
import type { CheckpointReport } from "../native-checkpoint.js";
import { cachedCheckpoint, packingFor, tellCheckpoint } from "./cached-checkpoint.js";
import { Engine } from "./engine.js";
import { makeFitting } from "./engine-room.js";
import { EventRouter } from "./event-router.js";
import { flag, judge } from "./judge.js";
import { LoadProgressCall } from "./load-progress.js";
import { fetchLoras, findLoras } from "./lora-files.js";
import { jsonMetadata, type Metadata } from "./metadata.js";
import { checkpointAt, locateModel } from "./model-location.js";
import { modelFailure } from "./model-path.js";
import {
  type EngineOptions,
  type JudgedLoad,
  judgeEngineOptions,
  judgeModelOptions,
  type ModelOptions,
} from "./options.js";
import { placementFor } from "./placement.js";
import { judgeTokens } from "./request.js";
import { show } from "./shown.js";

/** What a model is, read from its file and its loader. Tokens are -1 where it has none. */
export interface ModelInfo extends Omit<NativeModelInfo, "metadata" | "checkpoint"> {
  /** Of a model loaded from a Hugging Face directory; null: it is a GGUF file. */
  readonly checkpoint: LoadedCheckpoint | null;
}

/** What a load from a Hugging Face directory tells. */
export interface LoadedCheckpoint extends CheckpointReport {
  /** Absolute path of the GGUF file in the cache that was loaded; null: the directory was packed as it was read. */
  readonly file: string | null;
}

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

const tokenizeSchema = z.strictObject({
  addSpecial: flag().default(true),
  parseSpecial: flag().default(false),
});
const detokenizeSchema = z.strictObject({ special: flag().default(false) });

/** What of a model and an engine lies on one device, in bytes of the device's own memory. */
export interface DeviceMemory {
  /** The device, as devices() names it. */
  readonly name: string;
  /** Weights, of a draft model and of LoRA adapters too. */
  readonly weightBytes: number;
  /** Keys, values and recurrent states. */
  readonly kvBytes: number;
  /** Buffers of a pass. */
  readonly computeBytes: number;
}

/** Memory that an engine takes, in bytes: what llama.cpp allocates, and what the engine keeps. */
export interface MemoryNeeded {
  /** Weights, of a draft model and of LoRA adapters too. */
  readonly weightBytes: number;
  /** Keys, values and recurrent states. */
  readonly kvBytes: number;
  /** Buffers of a pass, and logits. */
  readonly computeBytes: number;
  /** Tables of the vocabulary's tokens and merges, in the host's memory; of a draft model too. */
  readonly vocabularyBytes: number;
  /** Evicted prefixes in host memory, at most; by default it follows the memory that is left now. */
  readonly hostCacheBytes: number;
  /**
   * What of the bytes above lies on which device: those the model was loaded on, in their order.
   * The rest lies in the host's memory; all of it where this is empty.
   */
  readonly devices: readonly DeviceMemory[];
}

/** A loaded model. Made by loadModel(). */
export class Model {
  readonly #native: NativeModel;
  readonly #chat: ChatRenderer;
  #closed = false;

  /** The GGUF file's metadata by key, frozen. */
  readonly metadata: Metadata;
  /**
   * What was loaded: the absolute path of the GGUF file (of a split model its first part) or of
   * the checkpoint's folder; of a synthetic model its reference.
   */
  readonly path: string;
  /** What the model is: architecture, sizes, special tokens, chat template, devices. */
  readonly info: ModelInfo;

  /** @internal Models come from loadModel(). */
  constructor({ model, path, converted }: Loaded, chatTemplate: string | undefined) {
    this.#native = model;
    this.path = path;
    const { metadata, checkpoint, ...rest } = model.info;
    this.metadata = jsonMetadata(metadata);
    const cached = converted && { ...converted.report, file: converted.path };
    const info: ModelInfo = { ...rest, checkpoint: cached ?? (checkpoint && { ...checkpoint, file: null }) };
    this.info = Object.freeze(info);
    const special = (token: number) => (token < 0 ? "" : this.detokenize([token], { special: true }));
    this.#chat = new ChatRenderer(chatProgram(), {
      template: chatTemplate ?? info.chatTemplate ?? undefined,
      isGiven: chatTemplate !== undefined,
      bos: special(info.bosToken),
      eos: special(info.eosToken),
      addBos: info.addBos,
    });
  }

  /**
   * Creates an engine: allocates its KV cache and starts its thread. LoRA adapters that a
   * reference names are downloaded first.
   * @throws InferenceError (rejects) INVALID_OPTION, OUT_OF_MEMORY, MODEL_CLOSED; of adapters
   *   the MODEL_ codes, and those of loadModel()'s download
   */
  async createEngine(options: EngineOptions = {}): Promise<Engine> {
    this.#mustBeOpen("createEngine()");
    const fetched = fetchLoras("createEngine()", options);
    const given = fetched instanceof Promise ? await fetched : fetched;
    const { slots, contextLength } = this.#judgeEngine("createEngine()", given);
    return await makeFitting(given, { slots, contextLength }, (fitting) => this.#makeEngine(fitting));
  }

  async #makeEngine(options: EngineOptions): Promise<Engine> {
    const request = this.#judgeEngine("createEngine()", options);
    this.#mustBeOpen("createEngine()");
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
    const { addSpecial, parseSpecial } = judge("tokenize()", tokenizeSchema, options);
    return this.#call(() => Array.from(this.#native.tokenize(text, addSpecial, parseSpecial)));
  }

  /**
   * The text of token ids; bytes that form no whole character become U+FFFD.
   * @throws InferenceError INVALID_OPTION, MODEL_CLOSED
   */
  detokenize(tokens: readonly number[] | Int32Array, options: DetokenizeOptions = {}): string {
    this.#mustBeOpen("detokenize()");
    const ids = judgeTokens("detokenize()", tokens, this.info.vocabularySize);
    const { special } = judge("detokenize()", detokenizeSchema, options);
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
    const { continueFinalMessage: continuesFinal, variables, toolForm } = judged;
    const addGenerationPrompt = opensAnswer("renderChat()", conversation.messages, judged);
    const tools = judgeTools("renderChat()", judged);
    const { prompt, stop } = await this.#chat.render({
      messages: conversation.messages,
      addGenerationPrompt,
      continuesFinal,
      variables,
      tools,
      toolForm,
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
    const request = this.#judgeEngine("memoryNeeded()", findLoras("memoryNeeded()", options));
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

/** What a load has brought. */
interface Loaded {
  readonly model: NativeModel;
  readonly path: string;
  /** The file in the cache that a checkpoint was loaded from. */
  readonly converted: ConvertedCheckpoint | undefined;
}

function isModel(value: unknown): boolean {
  return value instanceof Model;
}

/**
 * Loads a model without blocking the event loop, and downloads it first where that is needed.
 *
 * A model is named by the path of a GGUF file (of a split model its first part), by a folder
 * with GGUF files or with a Hugging Face checkpoint, by a file: URL, by a repository of the
 * hub, `hf:owner/name[:file-or-quantization][@revision]`, or by the `https://…gguf` address
 * of a file (`#sha256=` and 64 hexadecimal digits has it verified). Of several GGUF files the
 * best type is taken: Q4_K_M, Q5_K_M, Q6_K, Q8_0, Q4_0, IQ4_XS, F16, BF16, in this order;
 * `model.path` tells which. A repository that is in the cache is not asked for again.
 *
 * `synthetic:<architecture>?<option>=<number>&…` is a model of random weights instead, the
 * same for the same reference: for tests and benchmarks. Architectures: llama, qwen2, qwen3,
 * gemma3 (sliding window), qwen3moe, mamba (recurrent), jamba (hybrid). Options and defaults:
 * layers (4), dim (256), heads (dim / 64), kvHeads (heads / 2), feedForward (3 x dim), vocab
 * (1280 tokens), context (4096 tokens), type (q8_0; f32, f16, q4_0, q4_1), seed (1); of
 * gemma3 window (256 positions); of qwen3 labels (a rank head's, none); of qwen3moe experts (8), expertsUsed (2); of mamba and
 * jamba state (16).
 *
 * @param path names the model
 * @throws InferenceError (rejects) INVALID_OPTION; MODEL_NOT_FOUND,
 *   MODEL_UNREADABLE, MODEL_NOT_GGUF, MODEL_VERSION_UNSUPPORTED,
 *   MODEL_TRUNCATED, MODEL_CORRUPT, MODEL_ARCHITECTURE_UNSUPPORTED, MODEL_FORMAT_UNSUPPORTED,
 *   MODEL_LOAD_FAILED, OUT_OF_MEMORY, DEVICE_UNAVAILABLE; of a download MODEL_ACCESS_DENIED, DOWNLOAD_FAILED,
 *   DISK_FULL; of a checkpoint that llama.cpp's quantizer is to write DISK_FULL,
 *   FILE_NOT_WRITABLE; CANCELLED; NATIVE_MISSING
 */
export async function loadModel(path: string | URL, options: ModelOptions = {}): Promise<Model> {
  const judged = judgeModelOptions(path, options);
  const { signal } = judged;
  if (signal?.aborted) throw cancelledBy(signal, "loading the model");
  const progress = new LoadProgressCall(judged.onProgress);
  const cancelling = new AbortController();
  const cancel = () => cancelling.abort(signal?.reason);
  progress.onThrow = cancel;
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await load(path, judged, progress, cancelling.signal);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** Whatever stopped the load is what the caller hears, even if the weights came first. */
async function load(
  given: string | URL,
  judged: JudgedLoad,
  progress: LoadProgressCall,
  cancelling: AbortSignal,
): Promise<Model> {
  const { signal, chatTemplate } = judged;
  let loaded: Loaded | undefined;
  let failure: InferenceError | undefined;
  try {
    loaded = await locateAndLoad(judged, progress, cancelling);
    progress.complete();
  } catch (thrown) {
    failure = modelFailure(thrown, given);
  }
  progress.silence();
  if (loaded !== undefined && !progress.threw && !signal?.aborted) {
    const model = new Model(loaded, chatTemplate);
    tellCheckpoint(model.path, model.info.checkpoint);
    return model;
  }
  loaded?.model.close();
  if (progress.threw) throw progress.thrown;
  if (signal?.aborted) throw cancelledBy(signal, "loading the model");
  throw failure ?? new InferenceError("CANCELLED", "loading the model was cancelled");
}

async function locateAndLoad(
  { reference, placement: placing, memoryMap, checkpoint: packing, checkpointCache, download }: JudgedLoad,
  progress: LoadProgressCall,
  signal: AbortSignal,
): Promise<Loaded> {
  const placement = placementFor("loadModel()", placing); // before anything is downloaded
  const fetching = { signal, download, onProgress: progress.downloading };
  const { path, synthetic } = await locateModel("loadModel()", reference, fetching);
  if (signal.aborted) throw cancelledBy(signal, "loading the model");
  const checkpoint = checkpointAt({ path, synthetic }, packing);
  const calls = { signal, onProgress: progress.converting };
  const converted =
    checkpoint && (await cachedCheckpoint(path, packingFor(checkpoint, placement), checkpointCache, calls));
  if (signal.aborted) throw cancelledBy(signal, "loading the model");
  const loading: NativeLoad = native().loadModel({
    placement,
    memoryMap,
    ...(converted
      ? { path: converted.path, synthetic: null, checkpoint: null }
      : { path, synthetic, checkpoint }),
    onProgress: progress.loading,
  });
  const cancel = () => loading.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return { model: await loading.promise, path, converted: converted ?? undefined };
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}
