// Objects under a JSON schema. Properties come in the order in which they are
// declared, others after them; where properties are declared, others come only
// where a keyword says so.
import { both, choice, Derivatives, type Expression, matches, not } from "./expression.js";
import { patternExpression } from "./regex.js";
import { countsOf, objectAt, type Part, type Parts, refuseAt, saidBy } from "./schema-parts.js";
import { oneOf, stringExpression } from "./schema-strings.js";
import { isAllowed, jsonLiteral, type ValueWriter } from "./schema-values.js";
import { type Entry, type More, writtenList } from "./written-list.js";

/** GBNF of the objects that all parts allow; undefined where there are none. */
export function writtenObject(parts: Parts, writer: ValueWriter): string | undefined {
  const form = new ObjectForm(parts, writer);
  const entries = form.entries();
  const kinds = form.others();
  const { least, most } = countsOf(parts, "minProperties", "maxProperties");
  const needed = entries?.filter(({ isRequired }) => isRequired).length ?? 0;
  if (entries === undefined || needed > most) return undefined;
  const kept =
    entries.length > most && needed === most ? entries.filter(({ isRequired }) => isRequired) : entries;
  const { path } = parts[0] ?? { path: "#" };
  if (kept.length > most)
    writer.cannot(path, `honour maxProperties below the ${kept.length} properties declared`);
  if (least > Math.max(needed, 1))
    writer.cannot(path, "honour minProperties above 1 and the properties required");
  const room = Math.max(most - kept.length, 0);
  const more: More | undefined =
    kinds && room > 0 ? { text: kinds, most: writer.rules.limit(room) } : undefined;
  const inside = writtenList(kept, more, least > needed, writer.rules);
  const { space } = writer.rules;
  if (inside === undefined) return undefined;
  return inside === "" ? `"{" ${space} "}"` : `"{" ${space} ${inside} ${space} "}"`;
}

/** A property that is declared. */
export interface Property {
  readonly name: string;
  readonly value: Parts;
  readonly isRequired: boolean;
}

/** In their order, also those that cannot be. */
export function declaredProperties(parts: Parts, writer: ValueWriter): readonly Property[] {
  return new ObjectForm(parts, writer).properties();
}

/** What the parts together say of properties. */
class ObjectForm {
  readonly #parts: Parts;
  readonly #writer: ValueWriter;
  readonly #patterns: ReadonlyMap<string, Expression>;
  /** What follows the beginnings of names. */
  readonly #known = new Derivatives();
  /** What a property's name must be. */
  readonly #keys: Parts;
  readonly #names: readonly string[];
  readonly #required: ReadonlySet<string>;
  /** The names that others may have are known. */
  readonly #isListed: boolean;

  constructor(parts: Parts, writer: ValueWriter) {
    this.#parts = parts;
    this.#writer = writer;
    const sources = parts.flatMap((part) =>
      Object.keys(objectAt(part, "patternProperties")).map((source) => [source, part.path] as const),
    );
    this.#patterns = new Map(
      sources.map(([source, path]) => [source, patternExpression(source, `${path}/patternProperties`)]),
    );
    this.#keys = writer.document.together(
      saidBy(parts, "propertyNames").map(([schema, { path }]) =>
        writer.parts(schema, `${path}/propertyNames`),
      ),
    );
    const required = saidBy(parts, "required").flatMap(([names, { path }]) => {
      if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names as string[];
      return typeof names === "boolean" ? [] : refuseAt(path, "must have names in required");
    });
    const listed = this.#keys.length === 0 ? undefined : writer.values(this.#keys);
    const declared = parts.flatMap((part) => Object.keys(objectAt(part, "properties")));
    const enumerated = (listed ?? []).filter((name) => typeof name === "string");
    this.#names = [...new Set([...declared, ...required, ...(this.#isOpen() ? enumerated : [])])];
    this.#required = new Set(required);
    this.#isListed = listed !== undefined;
  }

  /** Those declared, or undefined where one that is required cannot be. */
  entries(): readonly Entry[] | undefined {
    const entries: Entry[] = [];
    for (const { name, value, isRequired } of this.properties()) {
      const rule = isAllowed(name, this.#keys, this.#writer) ? this.#writer.rule(value) : undefined;
      if (rule === undefined && isRequired) return undefined;
      if (rule !== undefined) entries.push({ text: this.#pair(jsonLiteral(name), rule), isRequired });
    }
    return entries;
  }

  properties(): readonly Property[] {
    return this.#names.map((name) => {
      return { name, value: this.#valueOf(name), isRequired: this.#required.has(name) };
    });
  }

  /** A property that is not declared; undefined where there may be none. */
  others(): string | undefined {
    if (this.#isListed) return undefined;
    const kinds = [...this.#patterns.keys()].map((source) => this.#kind(source));
    if (this.#isOpen()) kinds.push(this.#kind(undefined));
    const said = kinds.filter((kind) => kind !== undefined);
    return said.length < 2 ? said[0] : `(${said.join(" | ")})`;
  }

  /** Properties whose names match this pattern and no other. */
  #kind(source: string | undefined): string | undefined {
    const value = this.#writer.rule(
      this.#writer.document.together(
        this.#parts.map((part) => {
          const matched = source === undefined ? undefined : objectAt(part, "patternProperties")[source];
          return matched === undefined
            ? this.#additional(part)
            : this.#writer.parts(matched, `${part.path}/patternProperties/${source}`);
        }),
      ),
    );
    if (value === undefined) return undefined;
    const excluded = [...this.#patterns]
      .filter(([each]) => each !== source)
      .map(([, pattern]) => not(pattern));
    const own = source === undefined ? undefined : this.#patterns.get(source);
    const key = both([...this.#keyForms(), ...(own ? [own] : []), not(oneOf(this.#names)), ...excluded]);
    const text = this.#writer.string(key);
    return text && this.#pair(text, value);
  }

  #keyForms(): readonly Expression[] {
    if (this.#keys.length === 0) return [];
    return [choice(this.#writer.document.alternatives(this.#keys).map(stringExpression))];
  }

  #pair(key: string, value: string): string {
    const { rules } = this.#writer;
    return rules.add(`${key} ${rules.space} ":" ${rules.space} ${value}`);
  }

  #isOpen(): boolean {
    const says = (part: Part) => part.node.additionalProperties ?? part.node.unevaluatedProperties;
    if (this.#parts.some((part) => says(part) === false)) return false;
    if (this.#parts.some((part) => says(part) !== undefined)) return true;
    return this.#parts.every(
      ({ node }) => node.properties === undefined && node.patternProperties === undefined,
    );
  }

  #valueOf(name: string): Parts {
    const isDeclared = (part: Part) => Object.hasOwn(objectAt(part, "properties"), name);
    const isKnown = this.#parts.some(isDeclared);
    const lists = this.#parts.map((part) => {
      const { path } = part;
      const found = isDeclared(part)
        ? [this.#writer.parts(objectAt(part, "properties")[name], `${path}/properties/${name}`)]
        : [];
      for (const [source, schema] of Object.entries(objectAt(part, "patternProperties"))) {
        const pattern = this.#patterns.get(source);
        if (pattern === undefined || !this.#matches(pattern, name)) continue;
        found.push(this.#writer.parts(schema, `${path}/patternProperties/${source}`));
      }
      if (found.length > 0) return this.#writer.document.together(found);
      const { additionalProperties } = part.node;
      return additionalProperties === undefined && isKnown ? [] : this.#additional(part);
    });
    return this.#writer.document.together(lists);
  }

  #matches(pattern: Expression, name: string): boolean {
    const before = this.#known.work;
    const isMatch = matches(pattern, name, this.#known);
    this.#writer.rules.spend(0, 1 + this.#known.work - before);
    return isMatch;
  }

  #additional({ node, path }: Part): Parts {
    const schema = node.additionalProperties ?? node.unevaluatedProperties;
    return schema === undefined ? [] : this.#writer.parts(schema, `${path}/additionalProperties`);
  }
}
