// How fast an answer came and what it cost, measured where its reader sits.

/** @typedef {{prompt_tokens: number, completion_tokens: number, prompt_tokens_details?: {cached_tokens: number}}} Usage */

/** Times of one answer, in milliseconds from its request. */
export class Stopwatch {
  #started = performance.now();
  #first = 0;
  #last = 0;

  /** To be called for each piece of the answer. */
  piece() {
    this.#last = performance.now() - this.#started;
    if (this.#first === 0) this.#first = this.#last;
  }

  /** 0: nothing came. */
  get firstMs() {
    return this.#first;
  }

  get lastMs() {
    return this.#last;
  }
}

/**
 * "128 tokens · 412 tokens/s · first token after 38 ms · 57 prompt tokens, 48 cached". The rate counts
 * from the request to the last token: what comes all at once has no time between its tokens.
 * @param {Stopwatch} watch @param {Usage | undefined} usage undefined: the answer was stopped
 * @returns {string[]} its parts
 */
export function figuresOf({ firstMs, lastMs }, usage) {
  const first = firstMs === 0 ? [] : [`first token after ${duration(firstMs)}`];
  if (usage === undefined) return first;
  const { prompt_tokens: prompt, completion_tokens: written, prompt_tokens_details: details } = usage;
  const rate = lastMs === 0 ? [] : [`${rounded((1000 * written) / lastMs)} tokens/s`];
  const cached = `${tokens(prompt, "prompt ")}, ${details?.cached_tokens ?? 0} cached`;
  return [tokens(written), ...rate, ...first, cached];
}

/** One line of figures; the points stay at the end of a line that is broken. @param {string[]} parts */
export function figuresLine(parts) {
  return parts.join("\u00a0· ");
}

/** @param {number} count */
function tokens(count, kind = "") {
  return `${count} ${kind}${count === 1 ? "token" : "tokens"}`;
}

/** @param {number} value */
function rounded(value) {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

/** @param {number} ms */
function duration(ms) {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}
