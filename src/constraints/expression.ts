// Regular expressions as values: what JavaScript's have, and intersection and
// complement besides, so that "this pattern, that length, not these names" is one
// expression. Built only by the functions here, which simplify; equal ones have
// equal keys. What may follow a character is its derivative (Brzozowski).
import { type CharacterRange, has, lastCharacter, normalized } from "./characters.js";

interface Common {
  /** Of equal expressions, mostly equal; of others, never. */
  readonly key: number;
  /** The empty text matches. */
  readonly nullable: boolean;
  /** Has neither looks nor anchors, whose meaning depends on what surrounds them. */
  readonly settled: boolean;
}

export type Expression = Common &
  (
    | { readonly type: "never" | "empty" | "start" | "end" }
    | { readonly type: "set"; readonly ranges: readonly CharacterRange[] }
    | { readonly type: "sequence" | "choice" | "both"; readonly parts: readonly Expression[] }
    | { readonly type: "repeat"; readonly inner: Expression; readonly least: number; readonly most: number }
    | { readonly type: "not"; readonly inner: Expression }
    | { readonly type: "look"; readonly inner: Expression; readonly negative: boolean }
    // Digits whose number leaves this remainder to be made up to a multiple.
    | { readonly type: "multiple"; readonly of: number; readonly remainder: number }
  );

/** Expressions by what they are made of, so that equal ones are one object. */
const pool = new Map<string, Expression>();
const mostPooled = 50_000;
let pooled = 0;

type Shape<Each = Expression> = Each extends Expression ? Omit<Each, "key"> : never;

function pooledAs(text: string, shape: Shape): Expression {
  const known = pool.get(text);
  if (known !== undefined) return known;
  if (pool.size >= mostPooled) pool.clear(); // an equal one may then have another key, which costs only room
  pooled += 1;
  const expression = { ...shape, key: pooled } as Expression;
  pool.set(text, expression);
  return expression;
}

export const never = pooledAs("!", { type: "never", nullable: false, settled: true });
export const empty = pooledAs("", { type: "empty", nullable: true, settled: true });
export const start = pooledAs("^", { type: "start", nullable: true, settled: false });
export const end = pooledAs("$", { type: "end", nullable: true, settled: false });

export function set(ranges: readonly CharacterRange[]): Expression {
  const apart = normalized(ranges);
  if (apart.length === 0) return never;
  return pooledAs(`[${apart.join(";")}]`, { type: "set", ranges: apart, nullable: false, settled: true });
}

/** A text as it is. */
export function literal(text: string): Expression {
  const characters = Array.from(text, (each) => each.codePointAt(0) ?? 0);
  return sequence(characters.map((each) => set([[each, each]])));
}

const isSettled = (parts: readonly Expression[]) => parts.every((part) => part.settled);
const unique = (parts: readonly Expression[]) => [...new Set(parts)];
const keys = (parts: readonly Expression[]) => parts.map((part) => part.key);
const sortedKeys = (parts: readonly Expression[]) => keys(parts).sort((a, b) => a - b);

export function sequence(given: readonly Expression[]): Expression {
  const parts = given.flatMap((part) => (part.type === "sequence" ? part.parts : [part]));
  if (parts.some((part) => part.type === "never")) return never;
  const rest = parts.filter((part) => part.type !== "empty");
  const [only] = rest;
  if (only === undefined) return empty;
  if (rest.length === 1) return only;
  const nullable = rest.every((part) => part.nullable);
  return pooledAs(`.${keys(rest)}`, { type: "sequence", parts: rest, nullable, settled: isSettled(rest) });
}

export function choice(given: readonly Expression[]): Expression {
  const flat = given.flatMap((part) => (part.type === "choice" ? part.parts : [part]));
  const parts = unique(flat.filter((part) => part.type !== "never"));
  const [only] = parts;
  if (only === undefined) return never;
  if (parts.length === 1) return only;
  if (parts.some((part) => part.key === anything.key)) return anything;
  const nullable = parts.some((part) => part.nullable);
  return pooledAs(`|${sortedKeys(parts)}`, { type: "choice", parts, nullable, settled: isSettled(parts) });
}

/** Infinity is allowed as the most. */
export function repeat(inner: Expression, least: number, most: number): Expression {
  if (most === 0 || inner.type === "empty") return empty;
  if (inner.type === "never") return least === 0 ? empty : never;
  if (least === 1 && most === 1) return inner;
  const fewest = inner.nullable && inner.settled ? 0 : least;
  const nullable = fewest === 0 || inner.nullable;
  const { settled } = inner;
  return pooledAs(`${inner.key}{${fewest},${most}}`, {
    type: "repeat",
    inner,
    least: fewest,
    most,
    nullable,
    settled,
  });
}

export const optional = (inner: Expression) => repeat(inner, 0, 1);
export const anyCharacter = set([[0, lastCharacter]]);
/** Every text. */
export const anything = repeat(anyCharacter, 0, Number.POSITIVE_INFINITY);

/** The texts that match all of these. */
export function both(given: readonly Expression[]): Expression {
  const flat = given.flatMap((part) => (part.type === "both" ? part.parts : [part]));
  const parts = unique(flat.filter((part) => part.key !== anything.key));
  const [only] = parts;
  if (only === undefined) return anything;
  if (parts.length === 1) return only;
  if (parts.some((part) => part.type === "never")) return never;
  const nullable = parts.every((part) => part.nullable);
  if (parts.some((part) => part.type === "empty")) return nullable ? empty : never;
  return pooledAs(`&${sortedKeys(parts)}`, { type: "both", parts, nullable, settled: isSettled(parts) });
}

export function not(inner: Expression): Expression {
  if (inner.type === "not") return inner.inner;
  if (inner.type === "never") return anything;
  if (inner.key === anything.key) return never;
  const { settled } = inner;
  return pooledAs(`~${inner.key}`, { type: "not", inner, nullable: !inner.nullable, settled });
}

export function look(inner: Expression, negative: boolean): Expression {
  const text = `?${negative ? "!" : "="}${inner.key}`;
  return pooledAs(text, { type: "look", inner, negative, nullable: true, settled: false });
}

/** One or more digits of a number that is a multiple. */
export function multiple(of: number, remainder = 0): Expression {
  const nullable = remainder === 0;
  return pooledAs(`%${of},${remainder}`, { type: "multiple", of, remainder, nullable, settled: true });
}

const digits: readonly CharacterRange[] = [[0x30, 0x39]];

/** What may follow, by the character and the expression's key, and what finding it cost. */
export class Derivatives {
  /** Parts that were looked at. */
  work = 0;
  readonly #found = new Map<number, Map<number, Expression>>();

  after(character: number): Map<number, Expression> {
    const known = this.#found.get(character) ?? new Map<number, Expression>();
    this.#found.set(character, known);
    return known;
  }
}

/**
 * What may follow this character.
 * @param known what was found before
 */
export function derivative(expression: Expression, character: number, known: Derivatives): Expression {
  if (expression.type === "set") return has(expression.ranges, character) ? empty : never;
  const ofCharacter = known.after(character);
  const found = ofCharacter.get(expression.key) ?? computed(expression, character, known);
  ofCharacter.set(expression.key, found);
  return found;
}

function computed(expression: Expression, character: number, known: Derivatives): Expression {
  known.work += "parts" in expression ? expression.parts.length : 1;
  const after = (part: Expression) => derivative(part, character, known);
  switch (expression.type) {
    case "sequence": {
      const { parts } = expression;
      const beyond = parts.findIndex((part) => !part.nullable);
      const reached = beyond < 0 ? parts : parts.slice(0, beyond + 1);
      return choice(reached.map((part, index) => sequence([after(part), ...parts.slice(index + 1)])));
    }
    case "choice":
      return choice(expression.parts.map(after));
    case "both":
      return both(expression.parts.map(after));
    case "not":
      return not(after(expression.inner));
    case "repeat": {
      const { inner, least, most } = expression;
      const next = after(inner);
      if (next.type === "never") return never;
      return sequence([next, repeat(inner, Math.max(least - 1, 0), most - 1)]);
    }
    case "multiple": {
      if (!has(digits, character)) return never;
      return multiple(expression.of, (expression.remainder * 10 + character - 0x30) % expression.of);
    }
    default:
      return never;
  }
}

/** The sets that a first character is looked up in: between their ends, all characters lead alike. */
export function firstSets(expression: Expression): readonly (readonly CharacterRange[])[] {
  switch (expression.type) {
    case "set":
      return [expression.ranges];
    case "sequence": {
      const beyond = expression.parts.findIndex((part) => !part.nullable);
      const reached = beyond < 0 ? expression.parts : expression.parts.slice(0, beyond + 1);
      return reached.flatMap(firstSets);
    }
    case "choice":
    case "both":
      return expression.parts.flatMap(firstSets);
    case "not":
    case "repeat":
      return firstSets(expression.inner);
    case "multiple":
      return Array.from({ length: 10 }, (_, digit) => [[0x30 + digit, 0x30 + digit]] as const);
    default:
      return [];
  }
}

/** @param known what was found before */
export function matches(expression: Expression, text: string, known = new Derivatives()): boolean {
  let rest = expression;
  for (const each of text) rest = derivative(rest, each.codePointAt(0) ?? 0, known);
  return rest.nullable;
}
