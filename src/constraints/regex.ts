// Reads a regular expression as JavaScript does with the u flag. Looking ahead is an
// intersection with what follows. What no expression of this kind can say
// (references back, looking behind, word boundaries) is refused by name.
import { invalidOption } from "../errors.js";
import { type CharacterRange, complement, lastCharacter, unicodeProperty } from "./characters.js";
import {
  anyCharacter,
  anything,
  both,
  choice,
  type Expression,
  empty,
  end,
  look,
  never,
  not,
  repeat,
  sequence,
  set,
  start,
} from "./expression.js";
import { expressionGrammar } from "./expression-grammar.js";
import { gbnfClass } from "./gbnf.js";
import { GrammarRules } from "./grammar-rules.js";

const maximumDepth = 64;
const maximumRepeats = 2000;

/**
 * GBNF for the texts that match as a whole.
 * @param dotAll "." is any character; else any but a line's end
 * @throws InferenceError INVALID_OPTION naming what cannot be used and where
 */
export function regexGrammar(source: string, dotAll = false): string {
  if (/\p{Surrogate}/u.test(source)) {
    const problem = "must be well-formed text, it has half of a surrogate pair";
    throw invalidOption("generate()", ["regex"], problem);
  }
  const reader = new RegexReader(source, dotAll, "regex");
  const rules = new GrammarRules("regex");
  const text = expressionGrammar(resolved(reader.read(), empty, true), rules, gbnfClass);
  if (text === undefined) reader.refuse("matches no text");
  return [`root ::= ${text}`, ...rules.lines].join("\n");
}

/**
 * The texts in which a JSON schema's pattern is found.
 * @param place where it stands in jsonSchema, for errors
 * @throws InferenceError INVALID_OPTION naming what cannot be used and where
 */
export function patternExpression(source: string, place: string): Expression {
  const read = new RegexReader(source, false, "jsonSchema", `(at ${place}): pattern `).read();
  const first = resolved(read, anything, true);
  const later = resolved(read, anything, false);
  if (later.key === first.key) return sequence([anything, first]);
  return choice([first, sequence([anyCharacter, anything, later])]);
}

/**
 * The expression with its looks and anchors worked in, and what follows it.
 * @param isFirst nothing comes before it
 */
function resolved(expression: Expression, then: Expression, isFirst: boolean): Expression {
  if (expression.settled) return sequence([expression, then]);
  switch (expression.type) {
    case "start":
      return isFirst ? then : never;
    case "end":
      return then.nullable ? empty : never;
    case "look": {
      const seen = resolved(expression.inner, anything, isFirst);
      return both([expression.negative ? not(seen) : seen, then]);
    }
    case "choice":
      return choice(expression.parts.map((part) => resolved(part, then, isFirst)));
    case "sequence": {
      const { parts } = expression;
      const consumes = parts.findIndex((part) => !["start", "look"].includes(part.type));
      return parts.reduceRight((after, part, index) => {
        return resolved(part, after, isFirst && (consumes < 0 || index <= consumes));
      }, then);
    }
    case "repeat": // what is read here repeats only where it may be left out
      return choice([resolved(expression.inner, then, isFirst), then]);
    default:
      return never;
  }
}

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

const one = (character: number) => set([[character, character]]);

/** Reads an expression from left to right, once. */
class RegexReader {
  readonly #characters: readonly string[];
  readonly #any: readonly CharacterRange[];
  readonly #option: string;
  readonly #place: string;
  #at = 0;
  #depth = 0;

  /** @param option and what of it, for errors */
  constructor(source: string, dotAll: boolean, option: string, place = "") {
    this.#characters = Array.from(source);
    this.#any = complement(dotAll ? [] : lineEnds);
    this.#option = option;
    this.#place = place;
  }

  read(): Expression {
    const whole = this.#alternatives();
    if (this.#at < this.#characters.length) this.refuse("has a closing parenthesis without an opening one");
    return whole;
  }

  #alternatives(): Expression {
    const alternatives = [this.#sequence()];
    while (this.#take("|")) alternatives.push(this.#sequence());
    return choice(alternatives);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#characters.length && !this.#sees("|") && !this.#sees(")")) {
      parts.push(this.#quantified(this.#atom()));
    }
    return sequence(parts);
  }

  #atom(): Expression {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return this.#set(this.#class());
      case ".":
        return set(this.#any);
      case "\\":
        return this.#escape();
      case "^":
        return start;
      case "$":
        return end;
      case "*":
      case "+":
      case "?":
      case "{":
        return this.refuse(`has nothing before "${character}" to repeat`);
      case "]":
      case "}":
        return this.refuse(`must write "${character}" as "\\${character}"`);
      default:
        return one(character.codePointAt(0) ?? 0);
    }
  }

  #group(): Expression {
    this.#depth += 1;
    if (this.#depth > maximumDepth) this.refuse(`has more than ${maximumDepth} nested groups`);
    const kind = this.#take("?") ? this.#groupKind() : "group";
    const inside = this.#alternatives();
    if (!this.#take(")")) this.refuse("has an opening parenthesis without a closing one");
    this.#depth -= 1;
    return kind === "group" ? inside : look(inside, kind === "not followed by");
  }

  #groupKind(): "group" | "followed by" | "not followed by" {
    if (this.#take(":")) return "group";
    if (this.#take("=")) return "followed by";
    if (this.#take("!")) return "not followed by";
    if (!this.#take("<")) {
      return this.refuse(
        "has a group of a kind that is not known; groups are (…), (?:…), (?<name>…), (?=…) and (?!…)",
      );
    }
    if (this.#sees("=") || this.#sees("!")) this.refuse("looks behind, which is not supported");
    while (this.#at < this.#characters.length && !this.#take(">")) this.#at += 1;
    return "group";
  }

  #quantified(atom: Expression): Expression {
    const counts = this.#quantifier();
    if (counts === undefined) return atom;
    const [least, most] = counts;
    this.#take("?"); // lazy or not, the texts are the same
    if (["*", "+", "?", "{"].some((sign) => this.#sees(sign))) this.refuse("repeats a repetition");
    if (!atom.settled && most > 1) this.refuse("looks ahead or has an anchor in what it repeats");
    return repeat(atom, least, most);
  }

  #quantifier(): readonly [least: number, most: number] | undefined {
    const unbounded = Number.POSITIVE_INFINITY;
    if (this.#take("*")) return [0, unbounded];
    if (this.#take("+")) return [1, unbounded];
    if (this.#take("?")) return [0, 1];
    if (!this.#take("{")) return undefined;
    const least = this.#number();
    const open = this.#take(",");
    const most = open ? (this.#sees("}") ? unbounded : this.#number()) : least;
    if (!this.#take("}")) this.refuse("has a repetition that is not {n}, {n,} or {n,m}");
    if (most < least) this.refuse("has a repetition with its numbers out of order");
    if (least > maximumRepeats) this.refuse(`must repeat at least 0 to ${maximumRepeats} times`);
    return [least, most > maximumRepeats ? unbounded : most];
  }

  #number(): number {
    let text = "";
    while (/^\d$/.test(this.#peek())) text += this.#next();
    return text === "" ? this.refuse("has a repetition that is not {n}, {n,} or {n,m}") : Number(text);
  }

  /** After the opening bracket. */
  #class(): readonly CharacterRange[] {
    const negated = this.#take("^");
    const ranges: CharacterRange[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#characters.length) this.refuse("has an opening bracket without a closing one");
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
    if (typeof last !== "number" || last < first) return this.refuse("has a range out of order in a class");
    return last;
  }

  #member(): number | readonly CharacterRange[] {
    const character = this.#next();
    if (character !== "\\") return character.codePointAt(0) ?? 0;
    if (this.#take("b")) return 0x08;
    return this.#seesClassEscape() ? this.#classEscape() : this.#escapedCharacter();
  }

  #seesClassEscape(): boolean {
    return classEscapes.has(this.#peek()) || this.#sees("p") || this.#sees("P");
  }

  #classEscape(): readonly CharacterRange[] {
    const letter = this.#next();
    const known = classEscapes.get(letter);
    if (known !== undefined) return known;
    let name = "";
    if (this.#take("{")) while (!this.#take("}")) name += this.#next();
    const ranges = unicodeProperty(name);
    if (ranges === undefined) this.refuse(`uses "\\${letter}{${name}}", which is no property of Unicode`);
    return letter === "p" ? ranges : complement(ranges);
  }

  #escape(): Expression {
    const next = this.#peek();
    if (next === "b" || next === "B")
      this.refuse(`uses the word boundary "\\${next}", which is not supported`);
    if (next === "k" || /^[1-9]$/.test(next)) this.refuse("refers back to a group, which is not supported");
    if (this.#seesClassEscape()) return this.#set(this.#classEscape());
    return one(this.#escapedCharacter());
  }

  #escapedCharacter(): number {
    const letter = this.#next();
    const control = controlEscapes.get(letter);
    if (control !== undefined) return control;
    if (letter === "x") return this.#hexadecimal(2);
    if (letter === "u") return this.#unicode();
    if (/^[A-Za-z0-9]$/.test(letter)) this.refuse(`uses "\\${letter}", which is not known`);
    return letter.codePointAt(0) ?? 0;
  }

  #unicode(): number {
    if (!this.#take("{")) return this.#hexadecimal(4);
    let text = "";
    while (this.#at < this.#characters.length && !this.#sees("}")) text += this.#next();
    this.#take("}");
    const value = /^[0-9a-fA-F]{1,6}$/.test(text) ? Number.parseInt(text, 16) : Number.NaN;
    if (!(value <= lastCharacter)) return this.refuse("has an escape \\u{…} that is no character");
    return value;
  }

  #hexadecimal(length: number): number {
    const text = this.#characters.slice(this.#at, this.#at + length).join("");
    if (!new RegExp(`^[0-9a-fA-F]{${length}}$`).test(text)) {
      this.refuse(`needs ${length} hexadecimal digits in an escape`);
    }
    this.#at += length;
    return Number.parseInt(text, 16);
  }

  #set(ranges: readonly CharacterRange[]): Expression {
    return ranges.length === 0 ? this.refuse("has a class without characters") : set(ranges);
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
    if (character === undefined) return this.refuse("ends too soon");
    this.#at += 1;
    return character;
  }

  refuse(what: string): never {
    const at = Math.min(this.#at, this.#characters.length);
    throw invalidOption("generate()", [this.#option], `${this.#place}${what} (character ${at})`);
  }
}
