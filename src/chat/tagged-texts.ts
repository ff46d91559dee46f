// Some forms of calls write an argument between tags: a string as it is, up to the closing tag. llama.cpp binds
// such a text to no schema, nor the values of forms like Python's. Where these stand in the grammar that it made
// is found here by its parser, whose numbers the grammar's rules are named by; what stands there instead are the
// texts that the schema allows, none of which has the closing tag inside.
import { z } from "zod";
import {
  anyCharacter,
  anything,
  both,
  choice,
  type Expression,
  literal,
  not,
  sequence,
} from "../constraints/expression.js";
import { expressionGrammar, quantifier } from "../constraints/expression-grammar.js";
import { gbnfClass, gbnfLiteral } from "../constraints/gbnf.js";
import { GrammarRules } from "../constraints/grammar-rules.js";
import type { AllowedTexts } from "../constraints/schema.js";
import { isInvalidOption } from "../errors.js";
import { listedOnce } from "./argument-lists.js";

const shareOfTexts = 0.25; // of a grammar
const shareOfLists = 0.1;
/** States of an automaton up to which lengths are counted exactly beside a closing tag. */
const mostCounted = 500;

/** What an argument's schema makes of it. */
export interface TaggedArgument {
  /** The rule of its values as JSON. */
  readonly json: string;
  /** Undefined where it is no string. */
  readonly texts: AllowedTexts | undefined;
  /** The rule of its values that are no strings as JSON, where it may also be a string. */
  readonly others: string | undefined;
  readonly isRequired: boolean;
  /** Undefined where it is no array. */
  readonly items: { readonly least: number; readonly most: number } | undefined;
}

/** Part of a parser as llama.cpp saves it. */
const savedPart = z.looseObject({
  type: z.string(),
  tag: z.string().optional(),
  child: z.int().optional(),
  children: z.array(z.int()).optional(),
  literal: z.string().optional(),
  delimiters: z.array(z.string()).optional(),
});
/** A parser as llama.cpp saves it. */
export const savedParser = z.looseObject({ parsers: z.array(savedPart) });
export type SavedParser = z.infer<typeof savedParser>;
type SavedPart = SavedParser["parsers"][number];

/** Where an argument's value stands in a grammar. */
interface Slot {
  readonly kind: "text" | "JSON";
  /** What ends it. */
  readonly ending: string;
  /** The slot's rule has the ending, too. */
  readonly hasEnding: boolean;
}

/** The rules of a parser's grammar that stand for values. */
class Slots {
  /** What is no string is read as JSON where a schema allows both. */
  readonly areTyped: boolean;
  readonly #parts: readonly SavedPart[];
  readonly #byRule = new Map<string, Slot>();

  constructor({ parsers }: SavedParser) {
    this.#parts = parsers;
    this.areTyped = parsers.some((part, id) => part.type === "gbnf" && this.#textBelow(id) !== undefined);
    for (const [id, { type, tag, child, delimiters }] of parsers.entries()) {
      const [ending, ...more] = delimiters ?? [];
      if (type === "ac" && ending !== undefined && more.length === 0 && this.#textBelow(id) !== undefined)
        this.#byRule.set(`ac-${id}`, { kind: "text", ending, hasEnding: true });
      if (type !== "tag" || child === undefined) continue;
      if (tag === "tool-arg-string-value") this.#addUntil(child, "text");
      if (tag === "tool-arg-value") this.#addUntil(child, "JSON");
    }
  }

  /** What the parser reads right after the last argument, while the grammar also allows white space there. */
  get tightEnds(): readonly string[] {
    const closing = this.#parts.filter(({ tag }) => tag === "tool-close");
    const seen = closing.map(({ child }) => this.#parts[child ?? -1]).filter((part) => part?.type === "and");
    const texts = seen.map((part) => this.#parts[part?.child ?? -1]?.literal);
    return [...new Set(texts.filter((text) => text !== undefined))];
  }

  of(rule: string): Slot | undefined {
    return this.#byRule.get(rule);
  }

  #addUntil(from: number, kind: Slot["kind"]): void {
    let id = from;
    while (["rule", "atomic", "tag"].includes(this.#parts[id]?.type ?? "")) id = this.#parts[id]?.child ?? -1;
    const [ending, ...more] = this.#parts[id]?.delimiters ?? [];
    if (this.#parts[id]?.type !== "until" || ending === undefined || more.length > 0) return;
    this.#byRule.set(`until-${id}`, { kind, ending, hasEnding: false });
  }

  /** The first part below that holds a string. */
  #textBelow(from: number): number | undefined {
    const visited = new Set<number>();
    const pending = [from];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      const part = this.#parts[id];
      if (part === undefined || visited.has(id)) continue;
      visited.add(id);
      if (part.tag === "tool-arg-string-value") return id;
      pending.push(...(part.children ?? []), ...(part.child === undefined ? [] : [part.child]));
    }
    return undefined;
  }
}

const ruleLine = /^(\S+) ::= (.*)$/s;
const token = /"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|[A-Za-z0-9-]+|[^"[A-Za-z0-9-]/gsu;
/** An argument's alias, and what of it, at the end of a rule's name. */
const placeAtEnd = /argAlias\d+z(?:-item|-\d+)*$/;
const toolAtEnd = /toolAlias\d+z$/;
const aliasInside = /(?:arg|tool)Alias\d+z/;
const aliasesInside = /(?:arg|tool)Alias\d+z/g;

/** The values of the arguments of one request's tools, in the grammars of tagged forms. */
export class TaggedTexts {
  readonly #argument: (place: string) => TaggedArgument | undefined;
  readonly #restored: (text: string) => string;
  readonly #restoredRule: (line: string) => string;
  readonly #rules = new GrammarRules("tools", shareOfTexts, "t");
  readonly #lists = new GrammarRules("tools", shareOfLists, "l");
  readonly #written = new Map<string, string | undefined>();
  #isTooLarge = false;

  /**
   * @param argument of an alias and what of it, such as "argAlias3z-item"
   * @param restored a text with the names that its aliases stand for
   * @param restoredRule a rule with these names in its literals
   */
  constructor(
    argument: (place: string) => TaggedArgument | undefined,
    restored: (text: string) => string,
    restoredRule: (line: string) => string,
  ) {
    this.#argument = argument;
    this.#restored = restored;
    this.#restoredRule = restoredRule;
  }

  /** The rules that bound lines refer to. */
  get lines(): readonly string[] {
    return this.#isTooLarge ? [] : [...this.#rules.lines, ...this.#lists.lines.map(this.#restoredRule)];
  }

  /** A grammar's lines with the values bound; as they are where that makes too large a grammar. */
  bound(lines: readonly string[], parser: SavedParser): readonly string[] {
    if (this.#isTooLarge) return lines;
    const slots = new Slots(parser);
    const shared = new Map<string, string>();
    for (const line of lines) {
      const [, name = "", body = ""] = ruleLine.exec(line) ?? [];
      const isText = /^(?:ac|until)-\d/.test(name); // a state of the automaton up to a closing tag
      const isShared =
        !isText && !aliasInside.test(line) && [...body.matchAll(token)].some(([each]) => slots.of(each));
      if (isShared) shared.set(name, body);
    }
    try {
      return lines.map((line) => {
        const [, name, body] = ruleLine.exec(line) ?? [];
        if (name === undefined || body === undefined || shared.has(name)) return line;
        const tight = slots.tightEnds.map(gbnfLiteral).reduce(tightened, body);
        const bound = this.#boundBody(tight, placeAtEnd.exec(name)?.[0], slots, shared);
        if (!toolAtEnd.test(name)) return `${name} ::= ${bound}`;
        const isRequired = (alias: string) => this.#argument(alias)?.isRequired === true;
        return `${name} ::= ${listedOnce(bound, isRequired, this.#lists)}`;
      });
    } catch (thrown) {
      if (!isInvalidOption(thrown)) throw thrown;
      this.#isTooLarge = true;
      return lines;
    }
  }

  #boundBody(
    body: string,
    named: string | undefined,
    slots: Slots,
    shared: ReadonlyMap<string, string>,
  ): string {
    let place = named;
    const tokens = [...body.matchAll(token)].map(([each]) => each);
    const texts: string[] = [];
    for (let at = 0; at < tokens.length; at += 1) {
      const each = tokens[at] ?? "";
      const [alias] = each.startsWith('"') ? [...each.matchAll(aliasesInside)].reverse() : [];
      if (alias !== undefined) place = alias[0].startsWith("arg") ? alias[0] : undefined;
      const inside = place === undefined ? undefined : shared.get(each);
      const slot = slots.of(each);
      const argument = place === undefined ? undefined : this.#argument(place);
      if (inside !== undefined) texts.push(`(${this.#boundBody(inside, place, slots, new Map())})`);
      else if (slot !== undefined && argument !== undefined && place !== undefined) {
        const isCdata = slot.ending === "]]>";
        const opening = !isCdata && body.includes('"<![CDATA["') ? "<![CDATA[" : undefined;
        texts.push(this.#value(place, argument, slot, slots.areTyped, opening) ?? each);
      } else texts.push(each);
      // Items between tags, as many as may be.
      const isItems = each === "*" && tokens[at - 1] === ")" && /-item$/.test(tokens[at - 2] ?? "");
      if (isItems && argument?.items !== undefined) {
        texts[texts.length - 1] = quantifier(argument.items.least, this.#rules.limit(argument.items.most));
        continue;
      }
      // name=value, as Python writes it.
      if (each !== '"="' || argument === undefined) continue;
      const begin = valueBegin(tokens, at + 1);
      texts.push(...tokens.slice(at + 1, begin), ` ${argument.json}`);
      at = valueEnd(tokens, begin);
    }
    return texts.join("");
  }

  #value(
    place: string,
    { json, texts, others }: TaggedArgument,
    { kind, ending, hasEnding }: Slot,
    isTyped: boolean,
    opening: string | undefined,
  ): string | undefined {
    if (kind === "JSON") return json;
    if (texts === undefined) return undefined;
    const named = this.#restored(ending);
    const isFree = texts.free.key === anything.key;
    if (isFree && named === ending) return undefined;
    const key = JSON.stringify([place, named, isTyped, opening]);
    if (!this.#written.has(key)) this.#written.set(key, this.#allowed(texts, named, opening));
    const text = this.#written.get(key);
    if (text === undefined) return undefined;
    const value = isTyped && others !== undefined ? `(${text} | ${others})` : text;
    return hasEnding ? `${value} ${gbnfLiteral(named)}` : value;
  }

  /** The rule of these texts; undefined where none can be written. */
  #allowed({ listed, free }: AllowedTexts, ending: string, opening: string | undefined): string | undefined {
    const isWritable = (text: string) =>
      `${text}${ending}`.indexOf(ending) === text.length &&
      !/\p{Surrogate}/u.test(text) &&
      !(opening !== undefined && text.startsWith(opening));
    const alternatives = [...new Set(listed)].filter(isWritable).map(gbnfLiteral);
    const open = expressionGrammar(upTo(free, ending, opening), this.#rules, gbnfClass);
    if (open !== undefined) alternatives.push(open);
    return alternatives.length === 0 ? undefined : this.#rules.add(alternatives.join(" | "));
  }
}

const tightened = (body: string, literal: string) => body.replaceAll(` space ${literal}`, ` ${literal}`);

/** The first token of a value after its name, which may stand in parentheses of its own. */
function valueBegin(tokens: readonly string[], from: number): number {
  const begin = tokens.findIndex((each, at) => at >= from && !/^[\s)]$/.test(each));
  return begin < 0 ? tokens.length : begin;
}

/** The last token of a value. */
function valueEnd(tokens: readonly string[], from: number): number {
  let depth = 0;
  for (const [at, each] of tokens.entries()) {
    if (at < from) continue;
    if (each === "(") depth += 1;
    if (each === ")") depth -= 1;
    if (depth === 0) return at;
  }
  return tokens.length - 1;
}

/** The texts that end where their closing tag is first found. */
function upTo(free: Expression, ending: string, opening: string | undefined): Expression {
  if (free.type === "never") return free;
  const excluded = [containing(tooManyStates(free, ending) ? shortMark(ending) : ending)];
  // A beginning of the tag that the tag itself goes on from.
  for (let shared = 1; shared < ending.length; shared += 1) {
    if (ending.endsWith(ending.slice(0, shared)))
      excluded.push(sequence([anything, literal(ending.slice(0, -shared))]));
  }
  if (opening !== undefined) excluded.push(sequence([literal(opening), anything]));
  return both([free, not(choice(excluded))]);
}

const containing = (text: string) => sequence([anything, literal(text), anything]);

/** A text of limited length that the whole tag is too long to be excluded from while counting. */
function tooManyStates(free: Expression, ending: string): boolean {
  if (free.type !== "repeat" || free.inner.key !== anyCharacter.key) return false;
  return Number.isFinite(free.most) && free.most * ending.length > mostCounted;
}

/** Two characters that the tag cannot be without. */
function shortMark(ending: string): string {
  const at = Math.max(ending.indexOf("</"), 0);
  return ending.slice(at, at + 2);
}
