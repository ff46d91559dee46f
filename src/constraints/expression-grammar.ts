// An expression as GBNF. Where it is made of sequences, choices and repetitions it
// is written as it stands; where it intersects or negates, its automaton is written,
// a rule for each state.
import { type CharacterRange, lastCharacter, normalized } from "./characters.js";
import {
  both,
  choice,
  Derivatives,
  derivative,
  type Expression,
  empty,
  firstSets,
  repeat,
  sequence,
} from "./expression.js";
import type { GrammarRules } from "./grammar-rules.js";

/** How one character out of these ranges is written. */
export type SetWriter = (ranges: readonly CharacterRange[]) => string;

const maximumStates = 1500;
/** Of an automaton that has repetitions to loosen. */
const maximumFirstStates = 500;
/** Repetitions above these are taken as unbounded, one after the other, where the automaton is too large. */
const looserRepeats = [Number.POSITIVE_INFINITY, 100, 16];
const longestInline = 24; // characters of a set that is written where it is used

/**
 * What stands for the expression in a rule; undefined where no text matches.
 * @throws InferenceError INVALID_OPTION where it is too large
 */
export function expressionGrammar(
  expression: Expression,
  rules: GrammarRules,
  writeSet: SetWriter,
): string | undefined {
  if (expression.type === "never") return undefined;
  const write: SetWriter = (ranges) => {
    const text = writeSet(ranges);
    return text.length > longestInline ? rules.add(text) : text;
  };
  if (isPlain(expression)) return written(expression, write);
  const [exact = expression, ...looser] = looserRepeats.map((most) => loosened(expression, most));
  const loosest = looser.at(-1) ?? exact;
  for (const each of [exact, ...looser]) {
    const states = automaton(each, each.key === loosest.key ? maximumStates : maximumFirstStates, rules);
    if (states !== undefined) return writtenAutomaton(states, rules, write);
    if (each.key === loosest.key) break;
  }
  return rules.tooLarge();
}

function isPlain(expression: Expression): boolean {
  switch (expression.type) {
    case "set":
    case "empty":
      return true;
    case "sequence":
    case "choice":
      return expression.parts.every(isPlain);
    case "repeat":
      return isPlain(expression.inner);
    default:
      return false;
  }
}

function written(expression: Expression, write: SetWriter): string {
  switch (expression.type) {
    case "set":
      return write(expression.ranges);
    case "sequence":
      return joined(expression.parts.map((part) => grouped(part, write)));
    case "choice":
      return expression.parts.map((part) => written(part, write)).join(" | ");
    case "repeat": {
      const { inner, least, most } = expression;
      const item = inner.type === "sequence" ? `(${written(inner, write)})` : grouped(inner, write);
      return item.endsWith("}") || /[*+?]$/.test(item)
        ? `(${item})${quantifier(least, most)}`
        : `${item}${quantifier(least, most)}`;
    }
    default:
      return '""';
  }
}

function grouped(expression: Expression, write: SetWriter): string {
  const text = written(expression, write);
  return expression.type === "choice" ? `(${text})` : text;
}

/** One after the other; literals as one. */
function joined(parts: readonly string[]): string {
  const whole: string[] = [];
  for (const part of parts) {
    const before = whole.at(-1);
    const literals = before?.startsWith('"') && before.endsWith('"') && /^".*"$/.test(part);
    if (literals && before !== undefined) whole[whole.length - 1] = before.slice(0, -1) + part.slice(1);
    else whole.push(part);
  }
  return whole.join(" ");
}

/** As GBNF counts. */
export function quantifier(least: number, most: number): string {
  if (least === 0 && most === 1) return "?";
  if (most === Number.POSITIVE_INFINITY) return least === 0 ? "*" : least === 1 ? "+" : `{${least},}`;
  return least === most ? `{${least}}` : `{${least},${most}}`;
}

/** With repetitions above a number as unbounded, except in what is excluded. */
function loosened(expression: Expression, above: number): Expression {
  switch (expression.type) {
    case "sequence":
      return sequence(expression.parts.map((part) => loosened(part, above)));
    case "choice":
      return choice(expression.parts.map((part) => loosened(part, above)));
    case "both":
      return both(expression.parts.map((part) => loosened(part, above)));
    case "repeat": {
      const { inner, least, most } = expression;
      const loose = most > above && most > least;
      return repeat(loosened(inner, above), least, loose ? Number.POSITIVE_INFINITY : most);
    }
    default:
      return expression;
  }
}

interface State {
  readonly expression: Expression;
  readonly steps: Map<number, CharacterRange[]>;
}

/** Its states, of which the first is the beginning; undefined where they are too many. */
function automaton(expression: Expression, most: number, rules: GrammarRules): readonly State[] | undefined {
  const numbers = new Map([[expression.key, 0]]);
  const states: State[] = [{ expression, steps: new Map() }];
  const known = new Derivatives();
  let spent = 0;
  for (const { expression: here, steps: onwards } of states) {
    for (const range of alike(here)) {
      const next = derivative(here, range[0], known);
      rules.spend(1, known.work - spent);
      spent = known.work;
      if (next.type === "never") continue;
      let number = numbers.get(next.key);
      if (number === undefined) {
        number = states.length;
        numbers.set(next.key, number);
        states.push({ expression: next, steps: new Map() });
      }
      const ranges = onwards.get(number);
      if (ranges === undefined) onwards.set(number, [range]);
      else ranges.push(range);
    }
    if (states.length > most) return undefined;
  }
  return states;
}

/** Ranges whose characters lead to the same place each. */
function alike(expression: Expression): readonly CharacterRange[] {
  const begins = new Set([0]);
  for (const ranges of firstSets(expression)) {
    for (const [first, last] of ranges) begins.add(first).add(last + 1);
  }
  const sorted = [...begins].filter((each) => each <= lastCharacter).sort((a, b) => a - b);
  return sorted.map((first, index) => [first, (sorted[index + 1] ?? lastCharacter + 1) - 1]);
}

/** Which states lead to the end of a text. */
function living(states: readonly State[]): readonly boolean[] {
  const origins: number[][] = states.map(() => []);
  for (const [from, { steps }] of states.entries()) {
    for (const to of steps.keys()) origins[to]?.push(from);
  }
  const alive = states.map(({ expression }) => expression.nullable);
  const pending = [...alive.keys()].filter((index) => alive[index]);
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    for (const from of origins[index] ?? []) {
      if (alive[from]) continue;
      alive[from] = true;
      pending.push(from);
    }
  }
  return alive;
}

function writtenAutomaton(
  states: readonly State[],
  rules: GrammarRules,
  write: SetWriter,
): string | undefined {
  const alive = living(states);
  if (!alive[0]) return undefined;
  const names = states.map((_, index) => (alive[index] ? rules.reserve() : ""));
  for (const [index, { expression, steps }] of states.entries()) {
    if (!alive[index]) continue;
    const onwards = [...steps].filter(([to]) => alive[to]);
    const alternatives = onwards.map(([to, ranges]) => {
      const isLast = states[to]?.expression.key === empty.key;
      return isLast ? write(normalized(ranges)) : `${write(normalized(ranges))} ${names[to]}`;
    });
    if (expression.nullable || alternatives.length === 0) alternatives.push('""');
    rules.define(names[index] ?? "", alternatives.join(" | "));
  }
  return names[0];
}
