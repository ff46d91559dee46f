// A JSON schema as a grammar. What it writes is what the schema allows, sometimes
// less of it; keywords that cannot be honoured are refused by name. Each schema that
// values may have becomes a rule, found again by what it is made of, so that
// recursion ends and equal schemas are written once. Works off a list, so that a
// chain of references costs no stack.
import { invalidOption } from "../errors.js";
import { wellFormedJson } from "../well-formed.js";
import { anything, choice, type Expression } from "./expression.js";
import { expressionGrammar, quantifier } from "./expression-grammar.js";
import { gbnfClass } from "./gbnf.js";
import { GrammarRules, spaceRule } from "./grammar-rules.js";
import { stringSet } from "./json-text.js";
import { itemsOf, writtenArray } from "./schema-arrays.js";
import { integerExpression, numberExpression } from "./schema-numbers.js";
import { declaredProperties, type Property, writtenObject } from "./schema-objects.js";
import {
  countsOf,
  type Json,
  type Keywords,
  type Parts,
  refuseAt,
  SchemaDocument,
  type SchemaType,
  typesOf,
  unsupportedKeyword,
} from "./schema-parts.js";
import { stringExpression, stringForm } from "./schema-strings.js";
import { jsonLiteral, listedValues, typeOf, type ValueWriter } from "./schema-values.js";

/** Every character of a JSON string, none of them half of a pair. */
const characterRule =
  '[^"\\\\\\x00-\\x1F] | "\\\\" (["\\\\bfnrt] | "u" ([0-9a-cefA-CEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))';

const mostRemembered = 16;
const remembered = new Map<string, string>();

/**
 * GBNF for the JSON texts that a schema allows.
 * @param schema JSON: no circles, no functions
 * @throws InferenceError INVALID_OPTION naming the keyword and where it stands
 */
export function schemaGrammar(schema: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(schema);
  const known = remembered.get(text);
  if (known !== undefined) return known;
  if (wellFormedJson(text) !== text) {
    throw invalidOption(
      "generate()",
      ["jsonSchema"],
      "must be well-formed text, it has half of a surrogate pair",
    );
  }
  const rules = new GrammarRules("jsonSchema");
  const root = new SchemaWriter(JSON.parse(text) as Keywords, rules).write();
  const grammar = [`root ::= ${root}`, spaceRule, ...rules.lines].join("\n");
  remembered.set(text, grammar);
  for (const oldest of remembered.keys()) if (remembered.size > mostRemembered) remembered.delete(oldest);
  return grammar;
}

/** Strings, without quotes. */
export interface AllowedTexts {
  /** Those that a schema lists. */
  readonly listed: readonly string[];
  /** What others match. */
  readonly free: Expression;
}

/** Writes the rules of one schema. */
export class SchemaWriter implements ValueWriter {
  readonly rules: GrammarRules;
  readonly document: SchemaDocument;
  readonly #root: Keywords;
  readonly #isLenient: boolean;
  readonly #names = new Map<string, string>();
  /** Rules of strings by the limits of their length. */
  readonly #texts = new Map<string, string>();
  readonly #expressions = new Map<number, string | undefined>();
  readonly #pending: {
    readonly name: string;
    readonly alternatives: readonly Parts[];
    readonly path: string;
  }[] = [];

  /** @param isLenient what cannot be honoured has no effect, instead of being refused */
  constructor(root: Keywords, rules: GrammarRules, isLenient = false) {
    this.rules = rules;
    this.document = new SchemaDocument(root);
    this.#root = root;
    this.#isLenient = isLenient;
  }

  /** The name of the rule for these values, by default those of the whole schema. */
  write(parts: Parts = this.parts(this.#root, "#")): string {
    const path = parts[0]?.path ?? "#";
    const name = this.rule(parts) ?? (this.#isLenient ? this.write([]) : this.#impossible(path));
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      this.rules.enter(next.path);
      const texts = [...new Set(next.alternatives.flatMap((parts) => this.#written(parts)))];
      if (texts.length > 0) this.rules.define(next.name, texts.join(" | "));
      else this.rules.define(next.name, this.#isLenient ? this.write([]) : this.#impossible(next.path));
    }
    return name;
  }

  parts(schema: Json | undefined, path: string): Parts {
    return this.#leniently(
      () => this.document.parts(schema, path),
      () => [],
    );
  }

  rule(parts: Parts): string | undefined {
    const key = this.document.key(parts);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const all = this.alternatives(parts);
    const alternatives = all.filter((each) => this.#mayBe(each));
    if (alternatives.length === 0) return undefined;
    const name = this.rules.reserve();
    this.#names.set(key, name);
    this.#pending.push({ name, alternatives, path: parts[0]?.path ?? "#" });
    return name;
  }

  /** The parts as lists without unions, one of which must hold. */
  alternatives(parts: Parts): readonly Parts[] {
    return this.#leniently(
      () => this.document.alternatives(parts),
      () => [[]],
    );
  }

  /** The types of values that these parts, which have no unions, allow. */
  types(parts: Parts): readonly SchemaType[] {
    return this.#leniently(
      () => {
        const values = listedValues(parts, this);
        return values === undefined ? typesOf(parts) : [...new Set(values.map(typeOf))];
      },
      () => typesOf([]),
    );
  }

  /** The properties that these parts, which have no unions, declare. */
  properties(parts: Parts): readonly Property[] {
    return this.#leniently(
      () => declaredProperties(parts, this),
      () => [],
    );
  }

  /** What must hold of each item; undefined where these parts, which have no unions, declare a tuple or none. */
  items(parts: Parts): Parts | undefined {
    return this.#leniently(
      () => itemsOf(parts, this),
      () => undefined,
    );
  }

  values(parts: Parts): readonly Json[] | undefined {
    const lists = this.alternatives(parts).map((each) => listedValues(each, this));
    const listed = lists.filter((list) => list !== undefined);
    return listed.length === lists.length ? listed.flat() : undefined;
  }

  /** How many items arrays may have that these parts allow. */
  counts(parts: Parts): { readonly least: number; readonly most: number } {
    return this.#leniently(
      () => countsOf(parts, "minItems", "maxItems"),
      () => ({ least: 0, most: Number.POSITIVE_INFINITY }),
    );
  }

  /** The strings that these parts allow. */
  texts(parts: Parts): AllowedTexts {
    const listed: string[] = [];
    const free: Expression[] = [];
    for (const each of this.alternatives(parts)) {
      if (!this.types(each).includes("string")) continue;
      const values = this.#leniently(
        () => listedValues(each, this),
        () => undefined,
      );
      if (values !== undefined) {
        listed.push(...values.filter((value) => typeof value === "string"));
        continue;
      }
      const expression = this.#leniently(
        () => stringExpression(each),
        () => anything,
      );
      free.push(expression);
    }
    return { listed, free: choice(free) };
  }

  string(expression: Expression): string | undefined {
    if (expression.key === anything.key) return this.#anyString(0, Number.POSITIVE_INFINITY);
    return this.#known(expression, () => {
      const inside = expressionGrammar(expression, this.rules, stringSet);
      return inside && `"\\"" (${inside}) "\\""`;
    });
  }

  cannot(path: string, what: string): void {
    if (!this.#isLenient) refuseAt(path, `cannot ${what}`);
  }

  /** Whether there may be a value; what is inside of it is not looked at. */
  #mayBe(parts: Parts): boolean {
    return this.#leniently(
      () => {
        return typesOf(parts).length > 0 && listedValues(parts, this)?.length !== 0;
      },
      () => true,
    );
  }

  /** GBNF of each kind of value that all parts allow. */
  #written(parts: Parts): readonly string[] {
    const values = this.#leniently(
      () => listedValues(parts, this),
      () => undefined,
    );
    if (values !== undefined) return values.map(jsonLiteral);
    const types = this.#leniently(
      () => typesOf(parts),
      () => typesOf([]),
    );
    const texts = types.map((type) => {
      return this.#leniently(
        () => this.#ofType(type, parts),
        () => this.#ofType(type, []),
      );
    });
    return texts.filter((text) => text !== undefined);
  }

  /** Where what cannot be honoured has no effect, what stands instead of a failure. */
  #leniently<Value>(work: () => Value, otherwise: () => Value): Value {
    try {
      return work();
    } catch (error) {
      if (!this.#isLenient || this.rules.isFull) throw error;
      return otherwise();
    }
  }

  #impossible(path: string): never {
    return refuseAt(path, "allows no value");
  }

  #ofType(type: SchemaType, parts: Parts): string | undefined {
    const unsupported = unsupportedKeyword(parts, type);
    if (unsupported !== undefined) {
      this.cannot(unsupported[0].path, `use ${JSON.stringify(unsupported[1])}; leave it away`);
    }
    switch (type) {
      case "object":
        return writtenObject(parts, this);
      case "array":
        return writtenArray(parts, this);
      case "string":
        return this.#string(parts);
      case "number":
        return this.#number(numberExpression(parts));
      case "integer":
        return this.#number(integerExpression(parts));
      case "boolean":
        return '"true" | "false"';
      case "null":
        return '"null"';
    }
  }

  #string(parts: Parts): string | undefined {
    const { forms, least, most } = stringForm(parts);
    if (forms.length === 0) return this.#anyString(least, most);
    return this.string(stringExpression(parts));
  }

  #anyString(least: number, most: number): string {
    const bounds = `${least} ${most}`;
    const known = this.#texts.get(bounds);
    if (known !== undefined) return known;
    const characters = `${this.rules.add(characterRule)}${quantifier(least, this.rules.limit(most))}`;
    const name = this.rules.add(most === 0 ? '"\\"\\""' : `"\\"" ${characters} "\\""`);
    this.#texts.set(bounds, name);
    return name;
  }

  #number(expression: Expression): string | undefined {
    return this.#known(expression, () => expressionGrammar(expression, this.rules, gbnfClass));
  }

  #known(expression: Expression, write: () => string | undefined): string | undefined {
    if (this.#expressions.has(expression.key)) return this.#expressions.get(expression.key);
    const text = write();
    const name = text && this.rules.add(text);
    this.#expressions.set(expression.key, name);
    return name;
  }
}
