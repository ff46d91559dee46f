// The one error class of the package and the registry of its codes: which HTTP
// status an adapter answers with and whether sending the same request again can
// help. Spellings match error_name() in native/core/types.cpp. Sentences belong
// to whoever throws: what was expected, what came, what to do.

/** Facts that hold for every error of a code. */
export interface ErrorFacts {
  /** HTTP status an adapter should answer with. */
  readonly status: number;
  /** Whether the same request may succeed later, or on another engine. */
  readonly retryable: boolean;
}

const registry = {
  /** No file at the path. */
  MODEL_NOT_FOUND: { status: 404, retryable: false },
  /** The path cannot be read: a directory, no permission, an I/O error. */
  MODEL_UNREADABLE: { status: 500, retryable: false },
  /** The file does not start as a GGUF file does. */
  MODEL_NOT_GGUF: { status: 500, retryable: false },
  /** A GGUF version this build cannot read. */
  MODEL_VERSION_UNSUPPORTED: { status: 500, retryable: false },
  /** The file ends before its tensors do. */
  MODEL_TRUNCATED: { status: 500, retryable: false },
  /** The header contradicts itself or the file. */
  MODEL_CORRUPT: { status: 500, retryable: false },
  /** A model architecture that the pinned llama.cpp does not know. */
  MODEL_ARCHITECTURE_UNSUPPORTED: { status: 500, retryable: false },
  /** A checkpoint whose quantization, tokenizer or file format cannot be loaded. */
  MODEL_FORMAT_UNSUPPORTED: { status: 500, retryable: false },
  /** The hub refuses access: a gated or private repository, or a wrong token. */
  MODEL_ACCESS_DENIED: { status: 403, retryable: false },
  /** A model could not be downloaded completely, or what arrived is not what the hub announced. */
  DOWNLOAD_FAILED: { status: 502, retryable: true },
  /** There is too little disk space for a model. */
  DISK_FULL: { status: 507, retryable: false },
  /** A model file cannot be written: no permission, a read-only or missing folder. */
  FILE_NOT_WRITABLE: { status: 500, retryable: false },
  /** llama.cpp refused the model for another reason. */
  MODEL_LOAD_FAILED: { status: 500, retryable: false },
  /** A GPU was asked for, and none can be used. */
  DEVICE_UNAVAILABLE: { status: 500, retryable: false },
  /** Weights, cache or buffers did not fit. */
  OUT_OF_MEMORY: { status: 503, retryable: true },
  /** An option is unknown, of the wrong type or out of range. */
  INVALID_OPTION: { status: 400, retryable: false },
  /** Messages for a model that has no chat template. */
  CHAT_TEMPLATE_MISSING: { status: 400, retryable: false },
  /** The chat template refused the messages, or took too much time or memory. */
  CHAT_TEMPLATE_FAILED: { status: 400, retryable: false },
  /** A state file that cannot be read or written. */
  STATE_UNREADABLE: { status: 500, retryable: false },
  /** A state file that is damaged, or of another model, version or kind of cache. */
  STATE_INVALID: { status: 400, retryable: false },
  /** What was to be saved cannot be read out of the cache. */
  STATE_LOST: { status: 500, retryable: false },
  /** Prompt and answer do not fit the context. */
  CONTEXT_OVERFLOW: { status: 400, retryable: false },
  /** As many requests live as the engine's queueLimit allows. */
  QUEUE_FULL: { status: 429, retryable: true },
  /** The answer is no JSON that the request's schema takes; `error.text` is the answer. */
  OUTPUT_INVALID: { status: 500, retryable: true },
  /** An AbortSignal ended the work. 499 is nginx's status for a client that left. */
  CANCELLED: { status: 499, retryable: false },
  /** The model was closed before the call. */
  MODEL_CLOSED: { status: 503, retryable: true },
  /** The engine was closed, or is draining, before the call. */
  ENGINE_CLOSED: { status: 503, retryable: true },
  /** The device failed to compute a step of this request. */
  DECODE_FAILED: { status: 500, retryable: true },
  /** A device failed again and again, or for good: the engine refuses all further work. */
  DEVICE_FAILED: { status: 503, retryable: true },
  /** A broken invariant: the engine refuses all further work. */
  ENGINE_BROKEN: { status: 500, retryable: true },
  /** The native addon or the package's helper program is not built for this platform, or cannot be run. */
  NATIVE_MISSING: { status: 500, retryable: false },
} as const satisfies Readonly<Record<string, ErrorFacts>>;

/** Every code an InferenceError can carry; docs/errors.md tells what each means and what to do. */
export type ErrorCode = keyof typeof registry;

/** Whether a string is a code of the registry. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(registry, code);
}

/** Where in an options object a value stands, outermost first: ["loras", 0, "name"]. */
export type OptionPath = readonly (string | number)[];

/** Spells an option's path as a caller's interface does, such as top_p for topP. */
export type NameOption = (path: OptionPath) => string;

/** The path as JavaScript spells it: loras[0].name. */
export function spelledPath(path: OptionPath): string {
  return path
    .map((step, place) => (typeof step === "number" ? `[${step}]` : `${place > 0 ? "." : ""}${step}`))
    .join("");
}

/** What an InferenceError may carry beside its code and message. */
export interface InferenceErrorFacts {
  /** What led here, such as an AbortSignal's reason. */
  readonly cause?: unknown;
  /** The option that is wrong. */
  readonly path?: OptionPath;
  /** The answer that is not valid. */
  readonly text?: string;
  /** The message without the function's name, with options named in another way. */
  readonly sentence?: (name: NameOption) => string;
}

/** An InferenceError in JSON. */
export interface InferenceErrorJson extends ErrorFacts {
  /** What went wrong. */
  readonly code: ErrorCode;
  /** A sentence for people. */
  readonly message: string;
  /** The option that is wrong, where it is one. */
  readonly path?: OptionPath;
  /** As InferenceError.text. */
  readonly text?: string;
}

/**
 * The error that every function of this package throws or rejects with.
 * Branch on `code`; `message` is a sentence for people and may change.
 */
export class InferenceError extends Error {
  /** What went wrong, one of the registry's codes. */
  readonly code: ErrorCode;
  /** HTTP status an adapter should answer with. */
  readonly status: number;
  /** Whether the same request may succeed later, or on another engine. */
  readonly retryable: boolean;
  /** The option that is wrong, such as ["stop", 1]; absent where it is not one option. */
  declare readonly path?: OptionPath;
  /** The answer as it came, of OUTPUT_INVALID; otherwise absent. */
  declare readonly text?: string;
  readonly #sentence: ((name: NameOption) => string) | undefined;

  /**
   * @internal
   * @param code one of the registry's codes
   * @param message one sentence: what was expected, what came, what to do
   */
  constructor(code: ErrorCode, message: string, facts: InferenceErrorFacts = {}) {
    super(message, "cause" in facts ? { cause: facts.cause } : undefined);
    const { status, retryable }: ErrorFacts = registry[code];
    this.name = "InferenceError";
    this.code = code;
    this.status = status;
    this.retryable = retryable;
    // Only where they are: Node prints an uncaught error with all its properties.
    if (facts.path !== undefined) this.path = facts.path;
    if (facts.text !== undefined) this.text = facts.text;
    this.#sentence = facts.sentence;
  }

  /** What JSON holds of it: `code`, `message`, `status`, `retryable`; `path` and `text` where there are. */
  toJSON(): InferenceErrorJson {
    const { code, message, status, retryable, path, text } = this;
    return {
      ...{ code, message, status, retryable },
      ...(path !== undefined && { path }),
      ...(text !== undefined && { text }),
    };
  }

  /**
   * @internal
   * The message for callers of another interface: without a function's name, options renamed.
   */
  sentence(name: NameOption): string {
    return this.#sentence?.(name) ?? this.message;
  }
}

/** Whether it refuses an option, such as one that becomes too large a grammar. */
export function isInvalidOption(thrown: unknown): boolean {
  return thrown instanceof InferenceError && thrown.code === "INVALID_OPTION";
}

/**
 * The error of an option that is wrong.
 * @param call the public function's name, opens the message: "generate()"
 * @param path [] where the sentence is of several options
 * @param problem what follows the option's name: "must be …, got …"; a function of the names
 *   of options where it mentions others
 */
export function invalidOption(
  call: string,
  path: OptionPath,
  problem: string | ((name: (option: string) => string) => string),
): InferenceError {
  return refusedOption(call, path, (name) => {
    const text = typeof problem === "string" ? problem : problem((option) => name([option]));
    return path.length === 0 ? text : `${name(path)} ${text}`;
  });
}

/**
 * As invalidOption(), with a sentence of its own.
 * @param path [] where it is of several options
 */
export function refusedOption(
  call: string,
  path: OptionPath,
  sentence: (name: NameOption) => string,
): InferenceError {
  const facts = { sentence, ...(path.length > 0 && { path }) };
  return new InferenceError("INVALID_OPTION", `${call}: ${sentence(spelledPath)}`, facts);
}

/**
 * Gives whatever the addon threw its place in the registry. What carries no known code is a fault of
 * ours and becomes ENGINE_BROKEN with its cause.
 */
export function toInferenceError(thrown: unknown): InferenceError {
  if (thrown instanceof InferenceError) return thrown;
  const { code, message } = describeThrown(thrown);
  if (isErrorCode(code)) return new InferenceError(code, message);
  return new InferenceError("ENGINE_BROKEN", `the native addon failed: ${message}`, {
    cause: thrown,
  });
}

function describeThrown(thrown: unknown): { readonly code: unknown; readonly message: string } {
  if (typeof thrown !== "object" || thrown === null) {
    return { code: undefined, message: String(thrown) };
  }
  const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown };
  return { code, message: typeof message === "string" ? message : String(thrown) };
}

/** The error of work that an AbortSignal ended; its cause is the signal's reason. */
export function cancelledBy(signal: AbortSignal, what: string): InferenceError {
  return new InferenceError("CANCELLED", `${what} was cancelled by its signal`, {
    cause: signal.reason,
  });
}
