// GBNF of lists with commas: entries in their order, some of which may be left out,
// and more of one kind after them.
import { quantifier } from "./expression-grammar.js";
import type { GrammarRules } from "./grammar-rules.js";

export interface Entry {
  readonly text: string;
  readonly isRequired: boolean;
}

/** What may come after the entries, so many times. */
export interface More {
  readonly text: string;
  readonly most: number;
}

/**
 * @param isFilled the list may not be empty
 * @returns undefined where there is no such list
 */
export function writtenList(
  entries: readonly Entry[],
  more: More | undefined,
  isFilled: boolean,
  rules: GrammarRules,
): string | undefined {
  const comma = `"," ${rules.space}`;
  // What may follow where something came before, and where nothing did.
  let later = more === undefined ? "" : `(${comma} ${more.text})${quantifier(0, more.most)}`;
  let first =
    more === undefined
      ? isFilled
        ? undefined
        : ""
      : repeated(more.text, comma, isFilled ? 1 : 0, more.most);
  for (const { text, isRequired } of [...entries].reverse()) {
    const rest = later === "" ? "" : ` ${rules.add(later)}`;
    const begun = `${text}${rest}`;
    if (isRequired || first === undefined) first = begun;
    else first = first === "" ? `(${begun})?` : `${begun} | ${rules.add(first)}`;
    later = isRequired ? `${comma} ${begun}` : `(${comma} ${text})?${rest}`;
  }
  return first === undefined || first === "" ? first : rules.add(first);
}

/** One kind of entry, so many times. */
export function repeated(item: string, comma: string, least: number, most: number): string {
  if (most === 1) return least === 1 ? item : `(${item})?`;
  const more = `${item} (${comma} ${item})${quantifier(Math.max(least - 1, 0), most - 1)}`;
  return least === 0 ? `(${more})?` : more;
}
