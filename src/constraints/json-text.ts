// How characters stand in a JSON string, in GBNF.
import { type CharacterRange, common, has, lastCharacter } from "./characters.js";
import { gbnfClass, gbnfLiteral } from "./gbnf.js";

const space = 0x20;
const quote = 0x22;
const backslash = 0x5c;

/** Written with one letter after a backslash. */
const shortEscapes: ReadonlyMap<number, string> = new Map([
  [quote, '"'],
  [backslash, "\\"],
  [0x08, "b"],
  [0x0c, "f"],
  [0x0a, "n"],
  [0x0d, "r"],
  [0x09, "t"],
]);

/** Those that stand for themselves. */
const plain: readonly CharacterRange[] = [
  [space, quote - 1],
  [quote + 1, backslash - 1],
  [backslash + 1, lastCharacter],
];

/**
 * One character out of these ranges as it is written inside a JSON string. Control
 * characters without a letter of their own are left out where there are others: no
 * model means them, and each costs an alternative.
 */
export function stringSet(ranges: readonly CharacterRange[]): string {
  const parts: string[] = [];
  const themselves = common(plain, ranges);
  if (themselves.length > 0) parts.push(gbnfClass(themselves));
  for (const [character, letter] of shortEscapes) {
    if (has(ranges, character)) parts.push(gbnfLiteral(`\\${letter}`));
  }
  for (let character = 0; character < space && themselves.length === 0; character += 1) {
    if (!has(ranges, character) || shortEscapes.has(character)) continue;
    parts.push(gbnfLiteral(`\\u${character.toString(16).padStart(4, "0")}`));
  }
  return parts.length === 1 ? (parts[0] ?? "") : `(${parts.join(" | ")})`;
}
