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
  /** llama.cpp refused the model for another reason. */
  MODEL_LOAD_FAILED: { status: 500, retryable: false },
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
  /** An AbortSignal ended the work. 499 is nginx's status for a client that left. */
  CANCELLED: { status: 499, retryable: false },
  /** The model was closed before the call. */
  MODEL_CLOSED: { status: 503, retryable: true },
  /** The engine was closed before the call. */
  ENGINE_CLOSED: { status: 503, retryable: true },
  /** The device failed to compute a step of this request. */
  DECODE_FAILED: { status: 500, retryable: true },
  /** A broken invariant: the engine refuses all further work. */
  ENGINE_BROKEN: { status: 500, retryable: true },
  /** The native addon or the package's helper program is not built for this platform, or cannot be run. */
  NATIVE_MISSING: { status: 500, retryable: false },
} as const satisfies Readonly<Record<string, ErrorFacts>>;

/** Every code an InferenceError can carry. */
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
  /** The message without the function's name, with options named in another way. */
  readonly sentence?: (name: NameOption) => string;
}

/**
 * The error that every function of this package throws or rejects with.
 * Branch on `code`; `message` is a sentence for people and may change.
 */
export class InferenceError extends Error {
  readonly code: ErrorCode;
  /** HTTP status an adapter should answer with. */
  readonly status: number;
  /** Whether the same request may succeed later, or on another engine. */
  readonly retryable: boolean;
  /** The option that is wrong, such as ["stop", 1]; undefined where it is not one option. */
  readonly path: OptionPath | undefined;
  readonly #sentence: ((name: NameOption) => string) | undefined;

  /**
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
    this.path = facts.path;
    this.#sentence = facts.sentence;
  }

  /** The message for callers of another interface: without a function's name, options renamed. */
  sentence(name: NameOption): string {
    return this.#sentence?.(name) ?? this.message;
  }
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
  const sentence = (name: NameOption) => {
    const text = typeof problem === "string" ? problem : problem((option) => name([option]));
    return path.length === 0 ? text : `${name(path)} ${text}`;
  };
  const facts = { sentence, ...(path.length > 0 && { path }) };
  return new InferenceError("INVALID_OPTION", `${call}: ${sentence(spelledPath)}`, facts);
}

/**
 * Gives whatever the addon threw its place in the registry. What carries no
 * known code is a fault of ours and becomes ENGINE_BROKEN with its cause.
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
