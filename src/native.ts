// The addon as TypeScript sees it: the types of every native name, and the
// one place that loads the .node file. Nothing here judges options: engine/
// does that before it calls. The native side trusts what it is given except
// where a wrong value could corrupt memory or abort the process.
import { createRequire } from "node:module";
import { join } from "node:path";
import { addonFile, nativeFolder } from "./native-folder.js";
import { nativeUnloadable } from "./native-missing.js";

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
  /** Layers to place on the GPU; -1 means all. */
  readonly gpuLayers: number;
  readonly memoryMap: boolean;
  /** Fraction 0..1, called on the JS thread, at most about 50 times. */
  readonly onProgress: ((fraction: number) => void) | null;
}

export interface NativeTensorInfo {
  readonly name: string;
  /** ggml type name, e.g. "q8_0". */
  readonly type: string;
  /** ggml order: the first number is the row length. */
  readonly shape: readonly number[];
  readonly bytes: number;
}

export type CacheKind = "full" | "window" | "recurrent" | "hybrid" | "own";

export interface NativeModelInfo {
  readonly architecture: string;
  readonly description: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, NativeMetadataValue>>;
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly embeddingLength: number;
  readonly layerCount: number;
  readonly parameterCount: number;
  readonly sizeBytes: number;
  /** Special tokens; -1 where the model has none. */
  readonly bosToken: number;
  readonly eosToken: number;
  readonly addBos: boolean;
  readonly chatTemplate: string | null;
  /** Device names the weights are on, e.g. ["CPU"]. */
  readonly devices: readonly string[];
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
  readonly loadMilliseconds: number;
}

export interface NativeEngineOptions {
  readonly slots: number;
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
  readonly kvType: "f16" | "f32" | "q8_0";
  readonly flashAttention: boolean;
  readonly promptCache: boolean;
  /** -1 chooses from the memory that is left and the model's size. */
  readonly hostCacheBytes: number;
  readonly deterministic: boolean;
  readonly speculation: boolean;
  /** Tokens a draft model guesses in each step whatever it costs; 0: as many as pay. */
  readonly draftTokens: number;
  /** LoRA adapters by their absolute paths. */
  readonly loras: readonly { readonly name: string; readonly path: string; readonly scale: number }[];
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
  /** Words in the text from which on the grammar binds; none: at once. */
  readonly triggers: readonly string[];
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
  /** Share even where the engine keeps no prefixes. */
  readonly siblings: boolean;
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
  readonly seed: bigint;
  /** Pairs of token and bias, flat: [token, bias, token, bias, …]. */
  readonly logitBias: Float64Array;
}

export interface NativeFailure {
  /** A code of src/errors.ts. */
  readonly code: string;
  readonly message: string;
  /** The request's option that is wrong; the message is what follows its name. */
  readonly option?: string;
}

export interface NativeEnd {
  readonly id: number;
  readonly reason: "stop" | "length" | "cancelled" | "error";
  readonly failure: NativeFailure | null;
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly completionTokens: number;
  readonly queueMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly totalMs: number;
  /** Of a request that embeds; a score per label of one that ranks. */
  readonly embedding?: Float32Array;
  /** Of one that saves, where its state could be read. */
  readonly state?: NativeState;
}

/**
 * Everything that happened since the last call, in order, in one call per
 * engine step. Delta i belongs to request ids[i]: its text is texts[i], its
 * tokens are tokens[tokenEnds[i-1] .. tokenEnds[i]). A request has one delta at
 * most, with the tokens of several steps where they were short. It may have text
 * and no tokens or tokens and no text (half a character). Ends come after deltas.
 * logProbs[i], where asked for, has for each token its log-probability, the
 * number of likeliest tokens that follow, and token and log-probability of each.
 */
export type NativeEventHandler = (
  ids: Float64Array,
  texts: string[],
  tokens: Int32Array,
  tokenEnds: Uint32Array,
  ends: NativeEnd[],
  logProbs: (Float64Array | undefined)[],
) => void;

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
}

/** The state of some tokens, in llama.cpp's own form. */
export interface NativeState {
  readonly tokens: Int32Array;
  readonly state: Uint8Array;
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
  giveState(
    state: NativeState & Pick<NativeRequest, "cacheSalt" | "loras">,
  ): Promise<"kept" | "no-room" | "malformed">;
  stats(): NativeEngineStats;
  /** Keeps (true) or lets go (false) the process alive for this engine. */
  ref(alive: boolean): void;
  /** Ends every living request as cancelled, joins the thread, frees the context. */
  close(): Promise<void>;
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
    readonly weightBytes: number;
    readonly hostCacheBytes: number;
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

export interface NativeAddon {
  /** Version and tree hash of the pinned llama.cpp, and CPU features in use. */
  readonly build: { readonly llamaCpp: string; readonly treeHash: string };
  loadModel(options: NativeModelOptions): NativeLoad;
  /** Metadata and tensors of a GGUF header, without loading weights. Throws with code. */
  inspect(
    path: string,
    synthetic: NativeSyntheticShape | null,
  ): {
    readonly metadata: Readonly<Record<string, NativeMetadataValue>>;
    readonly tensors: NativeTensorInfo[];
    readonly version: number;
    readonly fileBytes: number;
  };
  /** llama.cpp's log lines (level 1 debug … 4 error), or null to drop them. One sink per process. */
  setLogSink(sink: ((level: number, text: string) => void) | null): void;
  devices(): {
    readonly name: string;
    readonly description: string;
    readonly type: "cpu" | "gpu" | "igpu" | "accelerator";
    readonly memoryTotal: number;
    readonly memoryFree: number;
  }[];
}

let loaded: NativeAddon | undefined;

/**
 * The addon, loaded on first use.
 * @throws InferenceError NATIVE_MISSING
 */
export function native(): NativeAddon {
  loaded ??= loadAddon();
  return loaded;
}

/** Absolute path of the program that renders chats; it lies beside the addon. */
export function chatProgram(): string {
  return join(nativeFolder(), "infernode-chat");
}

function loadAddon(): NativeAddon {
  const file = join(nativeFolder(), addonFile);
  try {
    return createRequire(import.meta.url)(file) as NativeAddon;
  } catch (cause) {
    throw nativeUnloadable(cause);
  }
}
