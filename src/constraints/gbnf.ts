// GBNF, the grammar language of llama.cpp, as text: how characters are written
// in it. What a grammar means is the addon's.
import { invalidOption } from "../errors.js";
import type { CharacterRange } from "./characters.js";

const plain = /^[A-Za-z0-9 _.,:;/+*()<>={}|?!@#$%&'~`]$/;

function character(codePoint: number): string {
  const text = String.fromCodePoint(codePoint);
  if (plain.test(text)) return text;
  const digits = codePoint.toString(16);
  return codePoint <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}

const literalEscapes: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["-", "-"],
]);

/** A text as it is: "text". */
export function gbnfLiteral(text: string): string {
  const written = (each: string) => literalEscapes.get(each) ?? character(each.codePointAt(0) ?? 0);
  return `"${Array.from(text, written).join("")}"`;
}

/** One character out of these ranges, of which there must be one: [a-z], or "a". */
export function gbnfClass(ranges: readonly CharacterRange[]): string {
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined && only[0] === only[1])
    return gbnfLiteral(String.fromCodePoint(only[0]));
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
      const problem = "must be well-formed text, it has half of a surrogate pair";
      throw invalidOption("generate()", ["choice", index], problem);
    }
  }
  return `root ::= ${texts.map(gbnfLiteral).join(" | ")}`;
}
