// Arrays under a JSON schema. The elements of a tuple come in their order; what
// comes after them, only where the schema says so.
import { quantifier } from "./expression-grammar.js";
import { countsOf, type Parts, refuseAt, saidBy } from "./schema-parts.js";
import { jsonLiteral, type ValueWriter } from "./schema-values.js";
import { repeated, writtenList } from "./written-list.js";

const mostRepeats = 2000;
const mostDistinct = 64;

/** A list of keywords' schemas, and what holds after it. */
interface Elements {
  /** For each of the first elements, what must hold of it. */
  readonly first: readonly Parts[];
  /** Undefined where nothing may come after them. */
  readonly rest: Parts | undefined;
}

/** GBNF of the arrays that all parts allow; undefined where there are none. */
export function writtenArray(parts: Parts, writer: ValueWriter): string | undefined {
  const { least, most } = countsOf(parts, "minItems", "maxItems");
  if (least > mostRepeats) {
    refuseAt(parts[0]?.path ?? "#", `must have minItems of at most ${mostRepeats}, got ${least}`);
  }
  const unique = saidBy(parts, "uniqueItems").find(([value]) => value === true);
  const elements = elementsOf(parts, writer);
  if (unique !== undefined && most > 1) {
    const subset = elements.first.length === 0 ? writtenSet(elements.rest, least, most, writer) : undefined;
    if (subset !== undefined) return subset;
    writer.cannot(unique[1].path, 'honour "uniqueItems", except of an enum; leave it away');
  }
  const { space } = writer.rules;
  const inside = writtenElements(elements, least, most, writer);
  if (inside === undefined) return undefined;
  return inside === "" ? `"[" ${space} "]"` : `"[" ${space} ${inside} ${space} "]"`;
}

function elementsOf(parts: Parts, writer: ValueWriter): Elements {
  const lists = parts.map((part) => {
    const { prefixItems, items, additionalItems, unevaluatedItems } = part.node;
    const [tuple, after] = Array.isArray(items) ? [items, additionalItems] : [prefixItems ?? [], items];
    if (!Array.isArray(tuple)) return refuseAt(part.path, "must have a list of schemas in prefixItems");
    const rest = after ?? unevaluatedItems ?? tuple.length === 0;
    return {
      first: tuple.map((schema, index) => writer.parts(schema, `${part.path}/prefixItems/${index}`)),
      rest: rest === false ? undefined : writer.parts(rest, `${part.path}/items`),
    };
  });
  const length = Math.max(0, ...lists.map(({ first }) => first.length));
  const at = (index: number) => together(lists.map(({ first, rest }) => first[index] ?? rest));
  const together = (all: readonly (Parts | undefined)[]) => {
    const said = all.filter((each) => each !== undefined);
    return said.length === all.length ? writer.document.together(said) : undefined;
  };
  const first: Parts[] = [];
  for (let index = 0; index < length; index += 1) {
    const here = at(index);
    if (here === undefined) return { first, rest: undefined };
    first.push(here);
  }
  return { first, rest: at(length) };
}

/** What must hold of every item; undefined where the first ones are told apart, or there are none. */
export function itemsOf(parts: Parts, writer: ValueWriter): Parts | undefined {
  const { first, rest } = elementsOf(parts, writer);
  return first.length === 0 ? rest : undefined;
}

/** What stands between the brackets; undefined where there are no such arrays. */
function writtenElements(
  { first, rest }: Elements,
  least: number,
  most: number,
  writer: ValueWriter,
): string | undefined {
  const comma = `"," ${writer.rules.space}`;
  const rules = first.slice(0, most).map((each) => writer.rule(each));
  const gap = rules.indexOf(undefined);
  const given = gap < 0 ? rules : rules.slice(0, gap);
  const item = gap < 0 && most > given.length && rest !== undefined ? writer.rule(rest) : undefined;
  if (item === undefined && given.length < least) return undefined;
  let text = "";
  if (item !== undefined) {
    const before = given.length;
    const from = Math.max(least - before, 0);
    const to = writer.rules.limit(most - before);
    text = before > 0 ? `(${comma} ${item})${quantifier(from, to)}` : repeated(item, comma, from, to);
  }
  for (let index = given.length - 1; index >= 0; index -= 1) {
    const lead = index === 0 ? "" : `${comma} `;
    const whole = `${lead}${given[index]} ${text}`.trim();
    // A rule each, or the last of them would stand in as many parentheses.
    text = index < least ? whole : `(${writer.rules.add(whole)})?`;
  }
  return text;
}

/** Different values out of a few, in their order; undefined where they are not a few. */
function writtenSet(
  items: Parts | undefined,
  least: number,
  most: number,
  writer: ValueWriter,
): string | undefined {
  const values = items && writer.values(items);
  if (values === undefined || values.length > mostDistinct || least > 1 || most < values.length)
    return undefined;
  const entries = values.map((value) => ({ text: jsonLiteral(value), isRequired: false }));
  const inside = writtenList(entries, undefined, least === 1, writer.rules);
  return inside && `"[" ${writer.rules.space} ${inside} ${writer.rules.space} "]"`;
}
