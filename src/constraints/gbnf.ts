// GBNF, the grammar language of llama.cpp, as text: how characters are written
// in it. What a grammar means is the addon's.
import { InferenceError } from "../errors.js";

/** Characters from the first to the last, both included, as code points. */
export type CharacterRange = readonly [first: number, last: number];

/** The last code point there is. */
export const lastCharacter = 0x10ffff;

const plain = /^[A-Za-z0-9 _.,:;/+*()<>={}|?!@#$%&'~`]$/;

function character(codePoint: number): string {
  const text = String.fromCodePoint(codePoint);
  if (plain.test(text)) return text;
  const digits = codePoint.toString(16);
  return codePoint <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}

/** A text as it is: "text". */
export function gbnfLiteral(text: string): string {
  return `"${Array.from(text, (each) => character(each.codePointAt(0) ?? 0)).join("")}"`;
}

/** One character out of these ranges, of which there must be one: [a-z]. */
export function gbnfClass(ranges: readonly CharacterRange[]): string {
  const range = ([first, last]: CharacterRange) =>
    first === last ? character(first) : `${character(first)}-${character(last)}`;
  return `[${ranges.map(range).join("")}]`;
}

/**
 * A grammar whose texts are these and no others.
 * @throws InferenceError INVALID_OPTION for half of a surrogate pair
 */
export function choiceGrammar(texts: readonly string[]): string {
  for (const [index, text] of texts.entries()) {
    if (/\p{Surrogate}/u.test(text)) {
      throw new InferenceError(
        "INVALID_OPTION",
        `generate(): choice[${index}] must be well-formed text, it has half of a surrogate pair`,
      );
    }
  }
  return `root ::= ${texts.map(gbnfLiteral).join(" | ")}`;
}
