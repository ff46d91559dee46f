// Seeded chance and the filling of sentence patterns. A pattern is text with
// [one|of|these] choices (they nest) and {slots}; {a slot} puts the right
// article before the slot's words. Nothing here touches clocks or Math.random.

import { article } from "./lexicon.mjs";

/** A 32-bit generator (mulberry32): small, fast and the same on every machine. */
export class Random {
  /** @param {number} seed */
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** @returns {number} in [0, 1) */
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** @param {number} limit @returns {number} an integer in [0, limit) */
  below(limit) {
    return Math.floor(this.next() * limit);
  }

  /** @param {number} likelihood @returns {boolean} */
  chance(likelihood) {
    return this.next() < likelihood;
  }

  /** @template T @param {readonly T[]} items @returns {T} */
  pick(items) {
    return items[this.below(items.length)];
  }

  /** @template T @param {readonly T[]} items @param {number} count @returns {T[]} distinct ones */
  sample(items, count) {
    const left = [...items];
    return Array.from({ length: count }, () => left.splice(this.below(left.length), 1)[0]);
  }
}

/**
 * @param {string} pattern @param {Record<string, string>} slots @param {Random} random
 * @returns {string} the pattern's text, each sentence beginning with a capital
 */
export function fill(pattern, slots, random) {
  let text = pattern;
  while (text.includes("[")) {
    text = text.replace(/\[([^[\]]*)\]/g, (_, choices) => random.pick(choices.split("|")));
  }
  text = text.replace(/\{(a )?(\w+)\}/g, (_, indefinite, slot) => {
    const value = slots[slot];
    if (value === undefined) throw new Error(`pattern "${pattern}" names no known slot: ${slot}`);
    return indefinite ? `${article(value)} ${value}` : value;
  });
  return capitalize(
    text
      .replace(/\ba ([aeiou]\w+)/gi, correctArticle)
      .replace(/\s+/g, " ")
      .trim(),
  );
}

/** @param {string} match @param {string} word @returns {string} "a" or "an" before the word */
function correctArticle(match, word) {
  return `${match[0]}${article(word).slice(1)} ${word}`;
}

/** @param {string} text @returns {string} */
function capitalize(text) {
  return text.replace(
    /(^|[.!?] |\." |(?:^|\s)")([a-z])/g,
    (_, before, letter) => `${before}${letter.toUpperCase()}`,
  );
}
