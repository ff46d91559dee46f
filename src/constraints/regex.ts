// A regular expression as a grammar. It is read as JavaScript reads it with the
// u flag, and must describe the whole text. What no grammar of this kind can say
// (references back, looking around, word boundaries) is refused by name.
import { InferenceError } from "../errors.js";
import { type CharacterRange, gbnfClass, gbnfLiteral, lastCharacter } from "./gbnf.js";
import { stringSet } from "./json-text.js";

const maximumDepth = 64;
const maximumRepeats = 2000;

/**
 * GBNF for the texts that match.
 * @param dotAll "." is any character; else any but a line's end
 * @throws InferenceError INVALID_OPTION naming what cannot be used and where
 */
export function regexGrammar(source: string, dotAll = false): string {
  return `root ::= ${new RegexReader(source, dotAll, "regex", gbnfWriter).read()}`;
}

/**
 * A JSON schema's pattern for llama.cpp, which reads few of them and writes
 * characters into a string's JSON as they are: anchored, and every character a
 * class of what may stand for it in JSON.
 * @param name what errors call it
 * @throws InferenceError INVALID_OPTION naming what cannot be used and where
 */
export function jsonPattern(source: string, name: string): string {
  return `^${new RegexReader(source, false, name, patternWriter).read()}$`;
}

/** How what was read is written. */
interface Writer {
  readonly literal: (character: number) => string;
  readonly set: (ranges: readonly CharacterRange[]) => string;
  /** Between the parts of a sequence. */
  readonly join: string;
  /** Between alternatives. */
  readonly or: string;
  /** Before and after a text that need not begin or end where the match does. */
  readonly around: string;
}

const gbnfWriter: Writer = {
  literal: (character) => gbnfLiteral(String.fromCodePoint(character)),
  set: gbnfClass,
  join: " ",
  or: " | ",
  around: "",
};

const patternWriter: Writer = {
  literal: (character) => stringSet([[character, character]]),
  set: stringSet,
  join: "",
  or: "|",
  around: `${stringSet([[0, lastCharacter]])}*`,
};

const digits: readonly CharacterRange[] = [[0x30, 0x39]];
const words: readonly CharacterRange[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const spaces: readonly CharacterRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const lineEnds: readonly CharacterRange[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];

const classEscapes: ReadonlyMap<string, readonly CharacterRange[]> = new Map([
  ["d", digits],
  ["w", words],
  ["s", spaces],
  ["D", complement(digits)],
  ["W", complement(words)],
  ["S", complement(spaces)],
]);

const controlEscapes: ReadonlyMap<string, number> = new Map([
  ["n", 0x0a],
  ["r", 0x0d],
  ["t", 0x09],
  ["f", 0x0c],
  ["v", 0x0b],
  ["0", 0],
]);

/** All characters that are in none of the ranges. */
function complement(ranges: readonly CharacterRange[]): CharacterRange[] {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const rest: CharacterRange[] = [];
  let next = 0;
  for (const [first, last] of sorted) {
    if (first > next) rest.push([next, first - 1]);
    next = Math.max(next, last + 1);
  }
  if (next <= lastCharacter) rest.push([next, lastCharacter]);
  return rest;
}

/** Reads an expression from left to right, once. */
class RegexReader {
  readonly #characters: readonly string[];
  readonly #any: readonly CharacterRange[];
  readonly #name: string;
  readonly #writer: Writer;
  #at = 0;
  #depth = 0;

  constructor(source: string, dotAll: boolean, name: string, writer: Writer) {
    this.#characters = Array.from(source);
    this.#any = complement(dotAll ? [] : lineEnds);
    this.#name = name;
    this.#writer = writer;
  }

  read(): string {
    const alternatives = [this.#anchored()];
    while (this.#take("|")) alternatives.push(this.#anchored());
    if (this.#at < this.#characters.length) this.#refuse("has a closing parenthesis without an opening one");
    return alternatives.join(this.#writer.or);
  }

  /** One of the outermost alternatives. */
  #anchored(): string {
    const { around, join } = this.#writer;
    const before = this.#take("^") ? "" : around;
    const inside = this.#sequence();
    const after = this.#take("$") ? "" : around;
    return [before, inside, after].filter((part) => part !== "").join(join);
  }

  #alternatives(): string {
    const alternatives = [this.#sequence()];
    while (this.#take("|")) alternatives.push(this.#sequence());
    return alternatives.join(this.#writer.or);
  }

  #sequence(): string {
    const parts: string[] = [];
    while (this.#at < this.#characters.length && !this.#sees("|") && !this.#sees(")")) {
      if (this.#endsHere()) break;
      parts.push(this.#quantified(this.#atom()));
    }
    return parts.join(this.#writer.join);
  }

  /** At the end of an outermost alternative. */
  #endsHere(): boolean {
    if (!this.#sees("$") || this.#depth > 0) return false;
    const next = this.#characters[this.#at + 1];
    return next === undefined || next === "|";
  }

  #atom(): string {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return this.#set(this.#class());
      case ".":
        return this.#set(this.#any);
      case "\\":
        return this.#escape();
      case "^":
      case "$":
        return this.#refuse(`uses "${character}" inside, where it cannot be used`);
      case "*":
      case "+":
      case "?":
      case "{":
        return this.#refuse(`has nothing before "${character}" to repeat`);
      case "]":
      case "}":
        return this.#refuse(`must write "${character}" as "\\${character}"`);
      default:
        return this.#writer.literal(character.codePointAt(0) ?? 0);
    }
  }

  #group(): string {
    this.#depth += 1;
    if (this.#depth > maximumDepth) this.#refuse(`has more than ${maximumDepth} nested groups`);
    if (this.#take("?")) this.#groupKind();
    const inside = this.#alternatives();
    if (!this.#take(")")) this.#refuse("has an opening parenthesis without a closing one");
    this.#depth -= 1;
    return `(${inside})`;
  }

  #groupKind(): void {
    if (this.#take(":")) return;
    if (this.#take("<") && !this.#sees("=") && !this.#sees("!")) {
      while (this.#at < this.#characters.length && !this.#take(">")) this.#at += 1;
      return;
    }
    if (this.#sees("=") || this.#sees("!")) this.#refuse("looks ahead or behind, which cannot be done here");
    this.#refuse("has a group of a kind that is not known; groups are (…), (?:…) and (?<name>…)");
  }

  #quantified(atom: string): string {
    const quantifier = this.#quantifier();
    if (quantifier === "") return atom;
    this.#take("?"); // lazy or not, the texts are the same
    if (["*", "+", "?", "{"].some((sign) => this.#sees(sign))) this.#refuse("repeats a repetition");
    return `${atom}${quantifier}`;
  }

  #quantifier(): string {
    for (const sign of ["*", "+", "?"]) {
      if (this.#take(sign)) return sign;
    }
    if (!this.#take("{")) return "";
    const least = this.#number();
    const open = this.#take(",");
    const most = open && !this.#sees("}") ? this.#number() : undefined;
    if (!this.#take("}")) this.#refuse("has a repetition that is not {n}, {n,} or {n,m}");
    if (most !== undefined && most < least) this.#refuse("has a repetition with its numbers out of order");
    return `{${least}${open ? "," : ""}${most ?? ""}}`;
  }

  #number(): number {
    let text = "";
    while (/^\d$/.test(this.#peek())) text += this.#next();
    const value = Number(text);
    if (text === "" || value > maximumRepeats) {
      this.#refuse(`must repeat by numbers from 0 to ${maximumRepeats}`);
    }
    return value;
  }

  /** After the opening bracket. */
  #class(): readonly CharacterRange[] {
    const negated = this.#take("^");
    const ranges: CharacterRange[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#characters.length) this.#refuse("has an opening bracket without a closing one");
      const first = this.#member();
      if (typeof first !== "number") ranges.push(...first);
      else ranges.push([first, this.#rangeEnd(first)]);
    }
    return negated ? complement(ranges) : ranges;
  }

  #rangeEnd(first: number): number {
    if (!this.#sees("-") || this.#characters[this.#at + 1] === "]") return first;
    this.#at += 1;
    const last = this.#member();
    if (typeof last !== "number" || last < first) return this.#refuse("has a range out of order in a class");
    return last;
  }

  #member(): number | readonly CharacterRange[] {
    const character = this.#next();
    if (character !== "\\") return character.codePointAt(0) ?? 0;
    if (this.#take("b")) return 0x08;
    return classEscapes.get(this.#peek()) === undefined ? this.#escapedCharacter() : this.#classEscape();
  }

  #classEscape(): readonly CharacterRange[] {
    return classEscapes.get(this.#next()) ?? [];
  }

  #escape(): string {
    const next = this.#peek();
    if (next === "b" || next === "B")
      this.#refuse(`uses the word boundary "\\${next}", which cannot be done here`);
    if (next === "k" || /^[1-9]$/.test(next))
      this.#refuse("refers back to a group, which cannot be done here");
    if (classEscapes.has(next)) return this.#set(this.#classEscape());
    return this.#writer.literal(this.#escapedCharacter());
  }

  #escapedCharacter(): number {
    const letter = this.#next();
    const control = controlEscapes.get(letter);
    if (control !== undefined) return control;
    if (letter === "x") return this.#hexadecimal(2);
    if (letter === "u") return this.#unicode();
    if (letter === "p" || letter === "P") this.#refuse(`uses "\\${letter}{…}", which is not supported`);
    if (/^[A-Za-z0-9]$/.test(letter)) this.#refuse(`uses "\\${letter}", which is not known`);
    return letter.codePointAt(0) ?? 0;
  }

  #unicode(): number {
    if (!this.#take("{")) return this.#hexadecimal(4);
    let text = "";
    while (this.#at < this.#characters.length && !this.#sees("}")) text += this.#next();
    this.#take("}");
    const value = /^[0-9a-fA-F]{1,6}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN;
    if (!(value <= lastCharacter)) return this.#refuse("has an escape \\u{…} that is no character");
    return value;
  }

  #hexadecimal(length: number): number {
    const text = this.#characters.slice(this.#at, this.#at + length).join("");
    if (!new RegExp(`^[0-9a-fA-F]{${length}}$`).test(text)) {
      this.#refuse(`needs ${length} hexadecimal digits in an escape`);
    }
    this.#at += length;
    return Number.parseInt(text, 16);
  }

  #set(ranges: readonly CharacterRange[]): string {
    return ranges.length === 0 ? this.#refuse("has a class without characters") : this.#writer.set(ranges);
  }

  #peek(): string {
    return this.#characters[this.#at] ?? "";
  }

  #sees(character: string): boolean {
    return this.#peek() === character;
  }

  #take(character: string): boolean {
    if (!this.#sees(character)) return false;
    this.#at += 1;
    return true;
  }

  #next(): string {
    const character = this.#characters[this.#at];
    if (character === undefined) return this.#refuse("ends too soon");
    this.#at += 1;
    return character;
  }

  #refuse(what: string): never {
    throw new InferenceError(
      "INVALID_OPTION",
      `generate(): ${this.#name} ${what} (character ${Math.min(this.#at, this.#characters.length)})`,
    );
  }
}
