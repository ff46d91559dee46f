// The parser of the embedded model's English: a memoised top-down chart
// recogniser for the rules of grammar.mjs over the words of lexicon.mjs, so
// number, tense, verb frames, pronoun case and a/an must agree. It also splits
// text into sentences as a reader would: a line of direct speech and its "said
// Mia" are one sentence. It knows nothing of meaning: only of grammar.

import { domains, rules } from "./grammar.mjs";
import { lexicon } from "./lexicon.mjs";

const LONGEST_PHRASE = 5;

/** @typedef {{ word: string, end: number }} Span */
/** @typedef {{ literal: string | null, symbol: string }} Item */

/** @param {string} text @returns {string[]} each way to bind its variables */
function bindings(text) {
  const variable = /\$([A-Z])/.exec(text);
  if (!variable) return [text];
  const values = domains[/** @type {keyof typeof domains} */ (variable[1])];
  return values.flatMap((value) => bindings(text.replaceAll(variable[0], value)));
}

/** @param {string} symbol @returns {Item} */
function item(symbol) {
  return symbol.startsWith("'") ? { literal: symbol.slice(1, -1), symbol } : { literal: null, symbol };
}

/** @param {string[]} symbols @returns {Item[][]} one sequence per choice of optionals */
function withoutOptionals(symbols) {
  if (symbols.length === 0) return [[]];
  const [first, ...rest] = symbols;
  const tails = withoutOptionals(rest);
  const optional = first.endsWith("?") && first !== "'?'";
  const head = item(optional ? first.slice(0, -1) : first);
  const taken = tails.map((tail) => [head, ...tail]);
  return optional ? [...taken, ...tails] : taken;
}

/** @returns {Map<string, Item[][]>} symbol -> the sequences that may replace it */
function compile() {
  /** @type {Map<string, Item[][]>} */
  const compiled = new Map();
  for (const [left, right] of Object.entries(rules)) {
    for (const alternative of right.split("|")) {
      for (const bound of bindings(`${left} ${alternative.trim()}`)) {
        const [symbol, ...symbols] = bound.split(/\s+/);
        const known = compiled.get(symbol) ?? [];
        compiled.set(symbol, [...known, ...withoutOptionals(symbols)]);
      }
    }
  }
  return compiled;
}

const grammar = compile();
const literals = new Set([...grammar.values()].flat(2).flatMap(({ literal }) => literal ?? []));

const startsUtterance = (/** @type {string | undefined} */ before) =>
  before === undefined || before === '"(' || /^[.!?]$/.test(before);

/**
 * @param {string} sentence
 * @returns {string[] | null} words and marks; null where the spelling already errs
 */
function tokenize(sentence) {
  /** @type {string[]} */
  const tokens = [];
  let quoted = false;
  for (const [piece] of sentence.matchAll(/[A-Za-z]+|'s\b|\s+|./gs)) {
    if (/^\s/.test(piece)) continue;
    if (piece === '"') {
      tokens.push(quoted ? '")' : '"(');
      quoted = !quoted;
    } else if (piece === "'s") {
      tokens.push("s");
    } else if (/^[.,!?]$/.test(piece)) {
      tokens.push(piece);
    } else if (/^[A-Za-z]/.test(piece)) {
      const word = spelling(piece, startsUtterance(tokens.at(-1)));
      if (word === null) return null;
      tokens.push(word);
    } else {
      return null;
    }
  }
  return quoted || !spacedWell(sentence) ? null : tokens;
}

/** @param {string} sentence @returns {boolean} whether marks touch the word before them */
function spacedWell(sentence) {
  return !/\s[.,!?]|[,!?.][A-Za-z]|\s\s/.test(sentence);
}

/** @param {string} word @param {boolean} first @returns {string | null} */
function spelling(word, first) {
  if (word === "I" || lexicon.get(word)?.has("Name")) return word;
  if (/[A-Z]/.test(word.slice(1)) || /[A-Z]/.test(word[0]) !== first) return null;
  return word.toLowerCase();
}

/** @param {string[]} tokens @returns {Span[][]} the known words and phrases from each place */
function spansOf(tokens) {
  return tokens.map((_, start) => {
    /** @type {Span[]} */
    const spans = [];
    for (let end = start + 1; end <= Math.min(tokens.length, start + LONGEST_PHRASE); end += 1) {
      const word = tokens.slice(start, end).join("_");
      if (literals.has(word) || lexicon.has(word)) spans.push({ word, end });
    }
    return spans;
  });
}

/** One sentence's chart: which symbols span from where to where. */
class Chart {
  /** @param {Span[][]} spans */
  constructor(spans) {
    this.spans = spans;
    /** @type {Map<string, number[]>[]} */
    this.known = Array.from({ length: spans.length + 1 }, () => new Map());
  }

  /** @param {Item} wanted @param {number} start @returns {readonly number[]} every possible end */
  ends(wanted, start) {
    const known = this.known[start].get(wanted.symbol);
    if (known) return known;
    /** @type {number[]} */
    const found = [];
    this.known[start].set(wanted.symbol, found);
    if (start >= this.spans.length) return found;
    for (const end of this.search(wanted, start)) {
      if (!found.includes(end)) found.push(end);
    }
    return found;
  }

  /** @param {Item} wanted @param {number} start @returns {number[]} */
  search({ literal, symbol }, start) {
    const spans = this.spans[start];
    if (literal !== null) return spans.filter(({ word }) => word === literal).map(({ end }) => end);
    const alternatives = grammar.get(symbol);
    if (!alternatives) {
      return spans.filter(({ word }) => lexicon.get(word)?.has(symbol)).map(({ end }) => end);
    }
    return alternatives.flatMap((sequence) => this.follow(sequence, start));
  }

  /** @param {Item[]} sequence @param {number} start @returns {number[]} */
  follow(sequence, start) {
    let places = [start];
    for (const wanted of sequence) {
      const next = new Set(places.flatMap((place) => this.ends(wanted, place)));
      if (next.size === 0) return [];
      places = [...next];
    }
    return places;
  }
}

/**
 * @param {string} text one sentence with its closing mark
 * @returns {boolean} whether the grammar derives it
 */
export function parseSentence(text) {
  const tokens = tokenize(text.trim());
  if (!tokens || tokens.length < 2) return false;
  const spans = spansOf(tokens);
  if (spans.some((here) => here.length === 0) && !coveredByPhrases(spans)) return false;
  return new Chart(spans).ends(item("Sentence"), 0).includes(tokens.length);
}

/** @param {Span[][]} spans @returns {boolean} whether phrases span every unknown single word */
function coveredByPhrases(spans) {
  const covered = new Set(
    spans.flatMap((here, start) =>
      here.flatMap(({ end }) => Array.from({ length: end - start }, (_, step) => start + step)),
    ),
  );
  return covered.size === spans.length;
}

/**
 * Splits at . ! ? outside quotation marks. A quotation that ends a sentence
 * closes it unless "said Mia" (a lower-case word) goes on. A tail without a
 * closing mark is left out: it is a sentence somebody stopped, not a wrong one.
 * @param {string} text @returns {string[]}
 */
export function splitSentences(text) {
  return text.split("\n").flatMap((line) => splitLine(line.trim()));
}

/** @param {string} line @returns {string[]} */
function splitLine(line) {
  const sentences = [];
  let quoted = false;
  let start = 0;
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === '"') quoted = !quoted;
    const closed = /[.!?]/.test(line[at]) || (line[at] === '"' && /[.!?]/.test(line[at - 1] ?? ""));
    if (quoted || !closed || line[at + 1] === '"') continue;
    if (/^\s+[a-z]/.test(line.slice(at + 1))) continue;
    sentences.push(line.slice(start, at + 1).trim());
    start = at + 1;
  }
  return sentences;
}

/**
 * @param {string} text
 * @returns {{ sentences: number, accepted: number, rejected: string[] }}
 */
export function acceptance(text) {
  const sentences = splitSentences(text);
  const rejected = sentences.filter((sentence) => !parseSentence(sentence));
  return { sentences: sentences.length, accepted: sentences.length - rejected.length, rejected };
}
