// What the engine tells of a generation's prompt, gathered until it is whole. Told by its
// first choice alone: all have the same one.
import type { NativePrompt } from "../native-events.js";
import { type PromptEvent, type PromptLogProb, promptLogProbsOf } from "./events.js";

/** A prompt that is being told. */
export class PromptTold {
  readonly #hasLogProbs: boolean;
  #tokens: Int32Array = new Int32Array();
  readonly #logProbs: PromptLogProb[] = [];

  /** @param hasLogProbs whether they are asked for too */
  constructor(hasLogProbs: boolean) {
    this.#hasLogProbs = hasLogProbs;
  }

  /** Takes more of it. */
  add({ tokens, logProbs }: NativePrompt): void {
    if (tokens !== null) {
      this.#tokens = tokens;
      const [first] = tokens;
      if (first !== undefined) this.#logProbs.push({ token: first, logProb: null, rank: null, top: [] });
    }
    if (logProbs !== null) {
      this.#logProbs.push(...promptLogProbsOf(this.#tokens.subarray(this.#logProbs.length), logProbs));
    }
  }

  /** All that came of it. */
  event(): PromptEvent {
    const tokens = Array.from(this.#tokens);
    return { type: "prompt", tokens, ...(this.#hasLogProbs && { logProbs: this.#logProbs }) };
  }
}
