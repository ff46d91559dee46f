// Values that a JSON schema lists, and what writes the schemas inside a schema.
import { type Expression, matches } from "./expression.js";
import { gbnfLiteral } from "./gbnf.js";
import type { GrammarRules } from "./grammar-rules.js";
import { integerExpression, numberExpression } from "./schema-numbers.js";
import {
  canonicalText,
  type Json,
  keywordsAbout,
  type Parts,
  refuseAt,
  type SchemaDocument,
  type SchemaType,
  saidBy,
  typesOf,
} from "./schema-parts.js";
import { isAllowedString } from "./schema-strings.js";

/** Writes values as rules. */
export interface ValueWriter {
  readonly rules: GrammarRules;
  readonly document: SchemaDocument;
  /** What must hold where this schema stands. */
  parts(schema: Json | undefined, path: string): Parts;
  /** The name of a rule for values of which all of this holds; undefined where there are none. */
  rule(parts: Parts): string | undefined;
  /** The values, where the schema lists them. */
  values(parts: Parts): readonly Json[] | undefined;
  /** Strings, with their quotes; undefined where there are none. */
  string(expression: Expression): string | undefined;
  /** Refuses a keyword, or leaves it without effect where that is wanted. */
  cannot(path: string, what: string): void;
}

/** A value as its JSON text. */
export function jsonLiteral(value: Json): string {
  return gbnfLiteral(JSON.stringify(value));
}

/** The values that the parts list in enum and const; undefined where none does. They have no unions. */
export function listedValues(parts: Parts, writer: ValueWriter): readonly Json[] | undefined {
  const lists = [
    ...saidBy(parts, "const").map(([value]) => [value]),
    ...saidBy(parts, "enum").map(([values, { path }]) => {
      return Array.isArray(values) && values.length > 0 ? values : refuseAt(path, "must have values in enum");
    }),
  ];
  return lists[0]?.filter((value) => isAllowed(value, parts, writer));
}

/** Whether all parts allow the value. */
export function isAllowed(value: Json, parts: Parts, writer: ValueWriter): boolean {
  return writer.document.alternatives(parts).some((each) => isAllowedByAll(value, each, writer));
}

function isAllowedByAll(value: Json, parts: Parts, writer: ValueWriter): boolean {
  const isListed = parts.every(({ node }) => {
    if (node.const !== undefined && canonicalText(node.const) !== canonicalText(value)) return false;
    return !Array.isArray(node.enum) || writer.document.lists(node.enum, value);
  });
  if (!isListed) return false;
  const type = typeOf(value);
  const isNamed = parts.some(({ node }) => node.type !== undefined);
  const types = typesOf(parts);
  if (isNamed && !types.includes(type) && !(type === "integer" && types.includes("number"))) return false;
  if (typeof value === "string") return isAllowedString(value, parts);
  if (typeof value === "number") {
    const expression = type === "integer" ? integerExpression(parts) : numberExpression(parts);
    return !keywordsAbout("number", parts).length || matches(expression, String(value));
  }
  const [keyword] = type === "object" || type === "array" ? keywordsAbout(type, parts) : [];
  if (keyword !== undefined)
    writer.cannot(parts[0]?.path ?? "#", `use "${keyword}" beside listed objects and arrays`);
  return true;
}

/** The type of a value. */
export function typeOf(value: Json): SchemaType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value as "string" | "boolean" | "object";
}
