// The addon as TypeScript sees it: the types of every native name. Nothing here judges
// options: engine/ does that before it calls. The native side trusts what it is given
// except where a wrong value could corrupt memory or abort the process.

import type {
  CheckpointReport,
  NativeCheckpointOptions,
  NativePacker,
  NativeTensorInfo,
} from "./native-checkpoint.js";
import type { ModelDevice, NativeDeviceCalls, NativePlacement } from "./native-devices.js";
import type { NativeEventHandler, NativeState } from "./native-events.js";
import type { NativeBuild } from "./native-interface.js";
import type { NativePlanCalls } from "./native-plan.js";
import type { NativeQuantizer } from "./native-quantize.js";

/** A metadata value of a GGUF file; arrays longer than 64 items arrive as their length. */
export type NativeMetadataValue =
  | string
  | number
  | bigint
  | boolean
  | readonly (string | number | boolean)[]
  | { readonly arrayLength: number };

/** A model to be made of random weights. */
export interface NativeSyntheticShape {
  /** Absolute path of the GGUF file whose tokenizer it gets. */
  readonly tokenizer: string;
  readonly architecture: string;
  readonly type: string;
  readonly seed: number;
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** Of sliding layers; 0 where there are none. */
  readonly window: number;
  readonly experts: number;
  readonly expertsUsed: number;
  /** Per channel of recurrent layers; 0 where there are none. */
  readonly state: number;
  /** Of a rank head; 0: it has none. */
  readonly labels: number;
}

export interface NativeModelOptions {
  /** Absolute path of the GGUF file, or the reference of a synthetic model. */
  readonly path: string;
  /** Made instead of read; null: the path is a file's. */
  readonly synthetic: NativeSyntheticShape | null;
  /** A Hugging Face directory at the path; null: it is a GGUF file. */
  readonly checkpoint: NativeCheckpointOptions | null;
  readonly placement: NativePlacement;
  readonly memoryMap: boolean;
  /** Fraction 0..1, called on the JS thread, at most about 50 times. */
  readonly onProgress: ((fraction: number) => void) | null;
}

/** What a model keeps of a sequence. */
export type CacheKind = "full" | "window" | "recurrent" | "hybrid" | "own";

/** What a model is, read from its file and its loader. */
export interface NativeModelInfo {
  /** llama.cpp's name of the architecture, such as "qwen3". */
  readonly architecture: string;
  /** llama.cpp's short description: architecture, size and type. */
  readonly description: string;
  /** The name in the file; "" where it has none. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, NativeMetadataValue>>;
  /** Tokens of the vocabulary; ids are from 0 to one less. */
  readonly vocabularySize: number;
  /** Tokens that the model was trained for. */
  readonly contextLength: number;
  /** Numbers of an embedding. */
  readonly embeddingLength: number;
  /** Layers of the model; `gpuLayers` beyond them mean all. */
  readonly layerCount: number;
  /** Weights in all. */
  readonly parameterCount: number;
  /** Bytes of all tensors. */
  readonly sizeBytes: number;
  /** Begins a text; -1 where the model has none. */
  readonly bosToken: number;
  /** Ends a text; -1 where the model has none. */
  readonly eosToken: number;
  /** Whether the tokenizer puts bosToken before a text. */
  readonly addBos: boolean;
  /** The file's chat template, Jinja text; null where it has none. */
  readonly chatTemplate: string | null;
  /** What of it lies where: the devices that it was placed on in their order, then the host. */
  readonly devices: readonly ModelDevice[];
  /** Tells one model file from another; "" where it could not be read. */
  readonly fingerprint: string;
  /** Labels of its rank head over the last token, best first; none: it is no reranker. */
  readonly rankLabels: readonly string[];
  /**
   * What it keeps of a sequence: every position ("full"), in some layers the latest ones
   * ("window"), one state ("recurrent"), both kinds of layers ("hybrid"), or what
   * cannot be told ("own").
   */
  readonly cacheKind: CacheKind;
  /** Of a model loaded from safetensors; null: it is a GGUF file. */
  readonly checkpoint: CheckpointReport | null;
  /** Time that loading took. */
  readonly loadMilliseconds: number;
}

/** Number types of the KV cache. */
export type KvType = "f16" | "bf16" | "f32" | "q8_0" | "q4_0";

/** The shape of an engine. */
export interface NativeEngineOptions {
  /** Generations computed at once. */
  readonly slots: number;
  /** Tokens of prompt and answer of one generation. */
  readonly contextLength: number;
  /** Rows of one prefill call at most. */
  readonly prefillChunk: number;
  /** Of one pool for all slots; 0: a stream for each slot. */
  readonly kvCells: number;
  /** Threads of a CPU pass; 0 chooses from the cgroup quota. */
  readonly threads: number;
  /** Threads that sample; 0 chooses. */
  readonly samplerThreads: number;
  /** Living requests (waiting and running) at most. */
  readonly queueLimit: number;
  /** Milliseconds one step may take before prefill yields to running requests. */
  readonly interTokenLatencyMs: number;
  /** Number type of the KV cache. */
  readonly kvType: KvType;
  /** Whether keys and values lie on the device of their layer, or in the host's memory. */
  readonly kvOffload: boolean;
  /** Whether attention is fused. */
  readonly flashAttention: boolean;
  /** Whether prefixes are kept for requests that begin alike. */
  readonly promptCache: boolean;
  /** -1 chooses from the memory that is left and the model's size. */
  readonly hostCacheBytes: number;
  /** Whether texts are the same whoever computes beside them. */
  readonly deterministic: boolean;
  /** Whether the next tokens are guessed. */
  readonly speculation: boolean;
  /** Tokens a draft model guesses in each step whatever it costs; 0: as many as pay. */
  readonly draftTokens: number;
  /** LoRA adapters by their absolute paths. */
  readonly loras: readonly {
    /** By which requests choose it. */
    readonly name: string;
    /** Absolute path of its GGUF file. */
    readonly path: string;
    /** For requests that choose no adapters. */
    readonly scale: number;
  }[];
}

/** An engine as it is asked for: what it will say of itself, and who drafts for it. */
export interface NativeEngineRequest extends NativeEngineOptions {
  readonly draft: NativeModel | null;
}

/** A prompt written from a template; control tokens in the values are text. */
export interface NativePromptForm {
  readonly template: string;
  /** Texts by the marks that stand for them in the template. */
  readonly values: Readonly<Record<string, string>>;
}

export interface NativeRequest {
  /** Text to tokenize, the tokens themselves, or a form to fill in. */
  readonly prompt: string | Int32Array | NativePromptForm;
  readonly addSpecial: boolean;
  readonly parseSpecial: boolean;
  readonly maxTokens: number;
  readonly ignoreEos: boolean;
  readonly cache: boolean;
  readonly cacheSalt: string;
  /** A scale per loaded adapter; null: as the engine was made. */
  readonly loras: Float32Array | null;
  /** GBNF that the text must follow; "": anything. */
  readonly grammar: string;
  /** What of the grammar's text the prompt ends with already. */
  readonly grammarPrefix: string;
  /**
   * Words in the text from which on the grammar binds, a space in them for white space of any length, and the
   * beginning of the grammar's text that each stands for; none: at once.
   */
  readonly triggers: readonly { readonly word: string; readonly begins: string }[];
  /** What the prompt ends with, in which one may begin. */
  readonly textBefore: string;
  /** What begins a thought, in which no trigger counts; "": nothing does. */
  readonly thinkingStart: string;
  /** What ends one. */
  readonly thinkingEnds: readonly string[];
  /** The prompt ends inside a thought. */
  readonly thinking: boolean;
  /** Texts of control tokens that count as text. */
  readonly visible: readonly string[];
  /** End with the last token's embedding instead of generating. */
  readonly embeds: boolean;
  /** Of those that embed: end with the rank head's scores instead. */
  readonly ranks: boolean;
  /** End with the state of the prompt. */
  readonly saves: boolean;
  /** One of several samples of a prompt (n > 1): they share its KV cells even where the engine keeps no prefixes. */
  readonly parallelSamples: boolean;
  readonly stop: readonly string[];
  readonly stopTokens: readonly number[];
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repeatPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly penaltyWindow: number;
  readonly typicalP: number;
  readonly topNSigma: number;
  readonly xtcProbability: number;
  readonly xtcThreshold: number;
  readonly dynatempRange: number;
  readonly dynatempExponent: number;
  readonly mirostat: 0 | 2;
  readonly mirostatTau: number;
  readonly mirostatEta: number;
  readonly dryMultiplier: number;
  readonly dryBase: number;
  readonly dryAllowedLength: number;
  readonly dryWindow: number;
  readonly drySequenceBreakers: readonly string[];
  readonly minTokens: number;
  /** Likeliest tokens to tell of besides the chosen one; -1: nothing is told. */
  readonly logProbs: number;
  /** The same of each token of the prompt but the first; with promptTokens only. */
  readonly promptLogProbs: number;
  /** Tell the prompt's tokens. */
  readonly promptTokens: boolean;
  /** The stop string that ends the text is part of it. */
  readonly includeStop: boolean;
  /** Special tokens have texts. */
  readonly showSpecial: boolean;
  /** No others are chosen; none: any. */
  readonly allowedTokens: readonly number[];
  readonly badWords: readonly string[];
  /** Only so many of the prompt's last tokens count; 0: all. */
  readonly truncatePrompt: number;
  readonly seed: bigint;
  /** Pairs of token and bias, flat: [token, bias, token, bias, …]. */
  readonly logitBias: Float64Array;
}

export interface NativeEngineStats {
  readonly running: number;
  readonly waiting: number;
  readonly steps: number;
  readonly decodePasses: number;
  readonly prefillPasses: number;
  readonly decodeRows: number;
  readonly paddingRows: number;
  readonly promptTokensComputed: number;
  readonly promptTokensCached: number;
  readonly generatedTokens: number;
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  readonly modelDraftedTokens: number;
  readonly modelAcceptedTokens: number;
  readonly draftPasses: number;
  readonly draftFailures: number;
  readonly maskedRows: number;
  readonly preemptions: number;
  readonly sequenceMoves: number;
  readonly adapterSwitches: number;
  readonly failedPasses: number;
  readonly kvCellsUsed: number;
  readonly kvCellsCached: number;
  readonly prefixCopies: number;
  readonly prefixEvictions: number;
  readonly hostCacheRestores: number;
  readonly hostCacheBytes: number;
  readonly kvCellsTotal: number;
  readonly graphsReused: number;
  readonly wakeUps: number;
  /** Milliseconds summed over all steps. */
  readonly planMs: number;
  readonly decodeMs: number;
  readonly draftMs: number;
  readonly sampleMs: number;
  readonly emitMs: number;
  readonly prefillMs: number;
  readonly submitMs: number;
  readonly otherMs: number;
  readonly overlappedMs: number;
}

export interface NativeEngine {
  /** Chosen values after defaults: slots, contextLength, threads, prefillChunk… */
  readonly options: NativeEngineOptions & { readonly kvLayout: "unified" | "streams" };
  /** Never throws for a request's sake: refusals arrive as an end event. */
  submit(id: number, request: NativeRequest): void;
  /** A request that goes on where `source` is, with random numbers of its own. */
  fork(id: number, source: number, seed: bigint): void;
  cancel(id: number): void;
  /** Tells that `tokens` more tokens of a request were read by its consumer. */
  acknowledge(id: number, tokens: number): void;
  /** Puts a saved state into host memory, if it has room and the state a state's form. */
  importState(
    state: NativeState & Pick<NativeRequest, "cacheSalt" | "loras">,
  ): Promise<"kept" | "no-room" | "malformed">;
  /** True once the engine has stopped by itself: it refuses every request. */
  readonly broken: boolean;
  stats(): NativeEngineStats;
  /** Keeps (true) or lets go (false) the process alive for this engine. */
  ref(alive: boolean): void;
  /** Ends every living request as cancelled, joins the thread, frees the context. */
  close(): Promise<void>;
}

/** What of a model and an engine lies on one device, in bytes of its own memory. */
export interface NativeDeviceMemory {
  readonly name: string;
  readonly weightBytes: number;
  readonly kvBytes: number;
  readonly computeBytes: number;
}

export interface NativeModel {
  readonly info: NativeModelInfo;
  tensors(): NativeTensorInfo[];
  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array;
  detokenize(tokens: Int32Array, special: boolean): string;
  tokenBytes(token: number): Uint8Array;
  /** Bytes that an engine of this shape takes, by llama.cpp's own sizing. */
  memoryNeeded(options: NativeEngineRequest): {
    readonly kvBytes: number;
    readonly computeBytes: number;
    readonly vocabularyBytes: number;
    readonly weightBytes: number;
    readonly hostCacheBytes: number;
    readonly devices: readonly NativeDeviceMemory[];
  };
  /** Rejects with a NativeFailure-shaped error (code, message). */
  createEngine(options: NativeEngineRequest, onEvents: NativeEventHandler): Promise<NativeEngine>;
  /** Lets go of the weights; engines still open keep them until they close. */
  close(): void;
}

export interface NativeLoad {
  readonly promise: Promise<NativeModel>;
  cancel(): void;
}

export interface NativeAddon extends NativePacker, NativeQuantizer, NativePlanCalls, NativeDeviceCalls {
  readonly build: NativeBuild;
  loadModel(options: NativeModelOptions): NativeLoad;
  /** llama.cpp's log lines (level 1 debug … 4 error), or null to drop them. One sink per process. */
  setLogSink(sink: ((level: number, text: string) => void) | null): void;
}
