// Hands the addon's one call per step to the generations it is about. Owns the
// list of living generations: each is added once and removed at its one end.
// Holds no engine, so an idle engine that nobody keeps can be collected; one with
// an unread generation cannot, and must be closed.
import type { NativeEnd, NativePrompt } from "../native-events.js";

/** A generation as the router sees it. */
export interface EventReader {
  /** The engine has accepted it. Comes once, before everything but the end of a refused one. */
  accept(): void;
  /** More of its prompt, where asked for, before any text. */
  hearPrompt(prompt: NativePrompt): void;
  /** More text and tokens. */
  deliver(text: string, tokens: readonly number[], logProbs?: Float64Array): void;
  /** The one end. Nothing is delivered afterwards. */
  finish(end: NativeEnd): void;
}

/** The living generations of one engine, by id. */
export class EventRouter {
  readonly #readers = new Map<number, EventReader>();

  add(id: number, reader: EventReader): void {
    this.#readers.set(id, reader);
  }

  /** The addon's event handler; see NativeEventHandler for the layout. */
  readonly dispatch = (
    ids: Float64Array,
    texts: readonly string[],
    tokens: Int32Array,
    tokenEnds: Uint32Array,
    ends: readonly NativeEnd[],
    logProbs: readonly (Float64Array | undefined)[],
    accepted: readonly number[],
    prompts: readonly NativePrompt[],
  ): void => {
    for (const id of accepted) this.#readers.get(id)?.accept();
    for (const prompt of prompts) this.#readers.get(prompt.id)?.hearPrompt(prompt);
    let begin = 0;
    // Runs once a step for every stream: no iterators, no views.
    for (let index = 0; index < ids.length; index += 1) {
      const end = tokenEnds[index] ?? begin;
      const reader = this.#readers.get(ids[index] ?? 0);
      const own: number[] = [];
      for (; begin < end; begin += 1) own.push(tokens[begin] ?? 0);
      reader?.deliver(texts[index] ?? "", own, logProbs[index]);
    }
    for (const end of ends) {
      const reader = this.#readers.get(end.id);
      this.#readers.delete(end.id);
      reader?.finish(end);
    }
  };
}
