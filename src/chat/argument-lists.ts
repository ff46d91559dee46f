// In some forms of calls llama.cpp's grammar lets arguments come in any order and number, so that one that is
// required may be missing and another come twice. Such a list is found here in the rule of a tool, and written as
// one in which each comes once, in its order, and only those that are not required may be left out.
import type { GrammarRules } from "../constraints/grammar-rules.js";
import { writtenList } from "../constraints/written-list.js";

const token = /"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|[\w-]+|\{[^}]*\}|[()|*+?]/gsu;
const place = /argAlias\d+z/g;

/** Part of a rule: a token, or a group with its alternatives. */
interface Item {
  readonly text: string;
  /** Undefined: a token. */
  readonly alternatives: readonly Sequence[] | undefined;
  /** It may come any number of times. */
  readonly isRepeated: boolean;
}
type Sequence = readonly Item[];

/** Reads a rule's alternatives. */
class RuleReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(body: string) {
    this.#tokens = [...body.matchAll(token)].map(([each]) => each);
  }

  alternatives(): readonly Sequence[] {
    const all: Item[][] = [[]];
    for (; this.#at < this.#tokens.length && this.#tokens[this.#at] !== ")"; this.#at += 1) {
      if (this.#tokens[this.#at] === "|") all.push([]);
      else all.at(-1)?.push(this.#item());
    }
    return all;
  }

  #item(): Item {
    const first = this.#tokens[this.#at] ?? "";
    let alternatives: readonly Sequence[] | undefined;
    if (first === "(") {
      this.#at += 1;
      alternatives = this.alternatives();
    }
    let suffix = "";
    while (/^(?:[*+?]|\{\d.*\})$/.test(this.#tokens[this.#at + 1] ?? "")) {
      this.#at += 1;
      suffix += this.#tokens[this.#at] ?? "";
    }
    const text = alternatives === undefined ? first : `(${alternatives.map(textOf).join(" | ")})`;
    return { text: text + suffix, alternatives, isRepeated: suffix === "*" };
  }
}

const textOf = (sequence: Sequence) => sequence.map(({ text }) => text).join(" ");
const placesOf = (text: string) => [...new Set(text.match(place))];

/**
 * A tool's rule whose arguments come once each, in their order; as it was where they do not come in any order.
 * @param isRequired of an argument's alias
 */
export function listedOnce(
  body: string,
  isRequired: (alias: string) => boolean,
  rules: GrammarRules,
): string {
  if (!placesOf(body).some(isRequired)) return body;
  const [sequence = [], ...more] = new RuleReader(body).alternatives();
  const holds = sequence.map(({ text }) => placesOf(text).length > 0);
  const [from, to] = [holds.indexOf(true), holds.lastIndexOf(true) + 1];
  const list = sequence.slice(from, to);
  const repeated = find(list, ({ isRepeated, text }) => isRepeated && placesOf(text).some(isRequired));
  if (more.length > 0 || repeated === undefined) return body;
  const entries = entriesOf(list, placesOf(textOf(list)));
  if (entries === undefined) return body;
  const declared = [...entries].sort(([one], [other]) => numberOf(one) - numberOf(other));
  const isSeparated = repeated.text.startsWith('("," ');
  const written = isSeparated
    ? writtenList(
        declared.map(([alias, text]) => ({ text, isRequired: isRequired(alias) })),
        undefined,
        true,
        rules,
      )
    : declared.map(([alias, text]) => oneAfterAnother(text, isRequired(alias), repeated)).join(" ");
  return [textOf(sequence.slice(0, from)), written, textOf(sequence.slice(to))].join(" ");
}

function oneAfterAnother(text: string, isRequired: boolean, { text: repeated }: Item): string {
  const spaced = / space\)\*$/.test(repeated) && !text.endsWith(" space") ? `${text} space` : text;
  return isRequired ? spaced : `(${spaced})?`;
}

/** Each argument's text by its alias; undefined where they do not stand apart. */
function entriesOf(list: Sequence, places: readonly string[]): ReadonlyMap<string, string> | undefined {
  const [only] = places;
  const first = list[0];
  if (places.length === 1 && only !== undefined && first !== undefined) {
    // Not in a group: up to what may come again, or the one that may.
    const again = list.findIndex(({ isRepeated }) => isRepeated);
    const [alone] = list[again]?.alternatives ?? [];
    return new Map([[only, again > 0 ? textOf(list.slice(0, again)) : textOf(alone ?? list)]]);
  }
  const group = find(list, ({ alternatives }) => {
    const held = alternatives?.map((each) => placesOf(textOf(each))) ?? [];
    return held.length === places.length && held.every((each) => each.length === 1);
  });
  if (group?.alternatives === undefined) return undefined;
  return new Map(group.alternatives.map((each) => [placesOf(textOf(each))[0] ?? "", textOf(each)]));
}

function find(sequence: Sequence, matches: (item: Item) => boolean): Item | undefined {
  for (const item of sequence) {
    if (matches(item)) return item;
    for (const inside of item.alternatives ?? []) {
      const found = find(inside, matches);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

const numberOf = (alias: string) => Number(/\d+/.exec(alias)?.[0]);
