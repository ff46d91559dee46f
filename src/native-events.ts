// What the addon tells of requests, as TypeScript sees it; the calls are in native.ts.

/** The state of some tokens, in llama.cpp's own form. */
export interface NativeState {
  readonly tokens: Int32Array;
  readonly state: Uint8Array;
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

/** More of a prompt: its tokens, once, or how likely its next tokens were. */
export interface NativePrompt {
  readonly id: number;
  readonly tokens: Int32Array | null;
  /** For each token, from the second on, its rank and then as NativeEventHandler's. */
  readonly logProbs: Float64Array | null;
}

/**
 * Everything that happened since the last call, in order, in one call per
 * engine step. Delta i belongs to request ids[i]: its text is texts[i], its
 * tokens are tokens[tokenEnds[i-1] .. tokenEnds[i]). A request has one delta at
 * most, with the tokens of several steps where they were short. It may have text
 * and no tokens or tokens and no text (half a character). Ends come after deltas.
 * logProbs[i], where asked for, has for each token its log-probability, the
 * number of likeliest tokens that follow, and token and log-probability of each.
 * accepted: requests that the engine has accepted; it comes before their deltas and ends,
 * and only requests that the engine refuses or is closed before end without.
 * prompts: where asked for; of a request, they come before its deltas.
 */
export type NativeEventHandler = (
  ids: Float64Array,
  texts: string[],
  tokens: Int32Array,
  tokenEnds: Uint32Array,
  ends: NativeEnd[],
  logProbs: (Float64Array | undefined)[],
  accepted: number[],
  prompts: NativePrompt[],
) => void;
