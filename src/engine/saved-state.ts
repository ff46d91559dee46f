// States of an engine's cache, taken out of it into files and given back. What a file
// must agree with before the engine sees it is decided here; its form is in
// state-file.ts.
import { InferenceError, toInferenceError } from "../errors.js";
import type { NativeEngine, NativeRequest } from "../native.js";
import { native } from "../native-addon.js";
import type { NativeEnd } from "../native-events.js";
import { cancelledByClosing } from "./hidden-runs.js";
import { lorasText } from "./loras.js";
import { judgeTokens, noLogProbs, type StateKey, untoldPrompt } from "./request.js";
import { readStateFile, type StateOrigin, writeStateFile } from "./state-file.js";

/** What saveState() wrote or loadState() read. */
export interface SavedState {
  /** Tokens whose state it is. */
  readonly tokens: number;
  /** Of the file, or of the state in host memory. */
  readonly bytes: number;
}

/** What is chosen of a prompt's answer tells nothing of its state. */
const noAnswer = {
  grammar: "",
  triggers: [],
  textBefore: "",
  stop: [],
  stopTokens: [],
  logitBias: new Float64Array(),
  temperature: 0,
  minTokens: 0,
  maxTokens: 1,
  logProbs: noLogProbs,
  ...untoldPrompt,
  allowedTokens: [],
  badWords: [],
  saves: true,
} as const;

/**
 * A request that ends with the state of its prompt; what it says of the answer is
 * judged and left out.
 */
export function savingRequest(request: NativeRequest): NativeRequest {
  return { ...request, ...noAnswer };
}

/** The state files of one engine. */
export class StateFiles {
  readonly #native: NativeEngine;
  readonly #model: { readonly fingerprint: string; readonly vocabularySize: number };

  constructor(
    native: NativeEngine,
    model: { readonly fingerprint: string; readonly vocabularySize: number },
  ) {
    this.#native = native;
    this.#model = model;
  }

  /**
   * Writes what a request that saves ended with.
   * @throws InferenceError (rejects) CANCELLED, STATE_LOST, STATE_UNREADABLE
   */
  async write(path: string, loras: NativeRequest["loras"], end: NativeEnd | undefined): Promise<SavedState> {
    if (end?.reason === "cancelled") throw cancelledByClosing("saveState()");
    const taken = end?.state;
    if (taken === undefined) {
      throw new InferenceError("STATE_LOST", "saveState(): the state of the prompt could not be read");
    }
    const { slots } = this.#native.options;
    const bytes = await writeStateFile(path, this.#origin(loras), { ...taken, slots });
    return { tokens: taken.tokens.length, bytes };
  }

  /**
   * Gives the cache what a file holds.
   * @throws InferenceError (rejects) STATE_UNREADABLE, STATE_INVALID, OUT_OF_MEMORY,
   *   ENGINE_CLOSED
   */
  async read(path: string, key: StateKey): Promise<SavedState> {
    const { slots: savedWith, ...state } = await readStateFile(path, this.#origin(key.loras));
    const { contextLength, slots } = this.#native.options;
    const { tokens } = state;
    judgeTokens("loadState()", tokens, this.#model.vocabularySize);
    if (tokens.length >= contextLength) {
      throw new InferenceError(
        "STATE_INVALID",
        `loadState(): the state has ${tokens.length} tokens, the engine's contextLength is ${contextLength}`,
      );
    }
    const given = await settled(() => this.#native.importState({ ...state, ...key }));
    if (given === "malformed") {
      throw new InferenceError(
        "STATE_INVALID",
        `the state file ${path} holds no state of its ${tokens.length} tokens for an engine of this shape; ` +
          `with kvLayout "streams" it must have been saved with as many slots, ${slots}` +
          (savedWith === undefined ? "" : `; it was saved with ${savedWith}`),
      );
    }
    if (given === "no-room") {
      throw new InferenceError(
        "OUT_OF_MEMORY",
        `loadState(): a state of ${state.state.length} bytes has no room; create the engine with larger hostCacheBytes`,
      );
    }
    return { tokens: tokens.length, bytes: state.state.length };
  }

  #origin(scales: Float32Array | null): StateOrigin {
    const { kvLayout, kvType, flashAttention, loras } = this.#native.options;
    return {
      fingerprint: this.#model.fingerprint,
      llamaCpp: native().build.treeHash,
      kvLayout,
      kvType,
      flashAttention,
      loras: lorasText(loras, scales),
    };
  }
}

/** What the addon does, which throws at once where its engine is closed. */
async function settled<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (thrown) {
    throw toInferenceError(thrown);
  }
}
