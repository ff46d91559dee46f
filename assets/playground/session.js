// The turns of one kind of request, in the order they were sent: what a conversation remembers.
import { apiKey, Failure, isAbort, streamed } from "./api.js";
import { made, tell } from "./dom.js";
import { figuresLine, figuresOf, Stopwatch } from "./figures.js";
import { Turn } from "./turn.js";

/** @typedef {import("./request.js").Message} Message */
/** @typedef {import("./request.js").ApiRequest} ApiRequest */

export class Session {
  root = made("div");
  /** @type {Turn[]} */
  #turns = [];
  #mode;
  #onAgain;

  /** @param {import("./request.js").Mode} mode @param {(prompt: string) => void} onAgain */
  constructor(mode, onAgain) {
    this.#mode = mode;
    this.#onAgain = onAgain;
  }

  get isEmpty() {
    return this.#turns.length === 0;
  }

  /** What was asked last; undefined: nothing yet. */
  get lastPrompt() {
    return this.#turns.at(-1)?.prompt;
  }

  /** The conversation; a turn without an answer is no part of it. @returns {Message[]} */
  messages(turns = this.#turns) {
    return turns
      .filter(({ answer }) => answer !== "")
      .flatMap(({ prompt, answer }) => [
        { role: "user", content: prompt },
        { role: "assistant", content: answer },
      ]);
  }

  /** The conversation before what was asked last. */
  earlierMessages() {
    return this.messages(this.#turns.slice(0, -1));
  }

  /** Forgets the last turn. */
  dropLast() {
    this.#turns.pop()?.root.remove();
  }

  clear() {
    this.#turns = [];
    this.root.replaceChildren();
  }

  /**
   * Sends a request and shows its answer as it comes.
   * @param {string} prompt @param {ApiRequest} request @param {AbortSignal} signal
   * @returns {Promise<Failure | undefined>} what went wrong
   */
  async ask(prompt, request, signal) {
    this.#turns.at(-1)?.forbidAgain();
    const turn = new Turn(this.#mode, prompt, () => this.#onAgain(prompt));
    this.#turns.push(turn);
    this.root.append(turn.root);
    window.scrollTo(0, document.documentElement.scrollHeight);
    tell("Answering");
    const watch = new Stopwatch();
    try {
      const { usage, reason } = await read(turn, watch, streamed(request, signal));
      const cut = reason === "length" ? ["cut off at max tokens"] : [];
      turn.finish({ figures: figuresLine([...figuresOf(watch, usage), ...cut]) });
      tell(`Answer: ${turn.answer}`);
      return undefined;
    } catch (thrown) {
      if (isAbort(thrown)) {
        turn.finish({ figures: figuresLine(["stopped", ...figuresOf(watch, undefined)]) });
        tell("Stopped");
        return undefined;
      }
      const failure = thrown instanceof Failure ? thrown : new Failure(`This page has a fault: ${thrown}`);
      const hint = failure.status === 401 && apiKey() !== "" ? "The API key is wrong." : failure.message;
      turn.finish({ figures: "", problem: hint });
      return failure;
    }
  }
}

/** @param {Turn} turn @param {Stopwatch} watch @param {AsyncIterable<any>} chunks */
async function read(turn, watch, chunks) {
  let usage;
  let reason;
  for await (const chunk of chunks) {
    usage = chunk.usage ?? usage;
    const choice = chunk.choices?.[0];
    reason = choice?.finish_reason ?? reason;
    const thought = choice?.delta?.reasoning ?? choice?.delta?.reasoning_content;
    const text = choice?.delta?.content ?? choice?.text;
    if (thought || text) watch.piece();
    if (thought) turn.addThought(thought);
    if (text) turn.addAnswer(text);
  }
  return { usage, reason };
}
