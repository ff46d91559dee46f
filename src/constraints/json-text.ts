// How characters stand in a JSON string, as a part of an expression.
import { type CharacterRange, gbnfClass, lastCharacter } from "./gbnf.js";

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

/** One character out of these ranges as it is written inside a JSON string: classes, and groups of them. */
export function stringSet(ranges: readonly CharacterRange[]): string {
  const parts: string[] = [];
  const themselves = plain.flatMap((range) => ranges.flatMap((each) => common(range, each)));
  if (themselves.length > 0) parts.push(gbnfClass(themselves));
  const has = (character: number) => ranges.some(([first, last]) => first <= character && character <= last);
  for (const [character, letter] of shortEscapes) {
    if (has(character)) parts.push(`${one(backslash)}${one(letter.codePointAt(0) ?? 0)}`);
  }
  for (let character = 0; character < space; character += 1) {
    if (!has(character) || shortEscapes.has(character)) continue;
    const digits = `u${character.toString(16).padStart(4, "0")}`;
    parts.push(one(backslash) + Array.from(digits, (digit) => one(digit.codePointAt(0) ?? 0)).join(""));
  }
  const [only] = parts;
  return parts.length === 1 && only?.startsWith("[") && themselves.length > 0 ? only : `(${parts.join("|")})`;
}

function one(character: number): string {
  return gbnfClass([[character, character]]);
}

function common([a, b]: CharacterRange, [c, d]: CharacterRange): CharacterRange[] {
  const first = Math.max(a, c);
  const last = Math.min(b, d);
  return first <= last ? [[first, last]] : [];
}
