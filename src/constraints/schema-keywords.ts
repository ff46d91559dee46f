// What the keywords of a JSON schema are about, and which of them llama.cpp's
// conversion reads for which type.
import { InferenceError } from "../errors.js";

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | Keywords;

/** A schema: its keywords. */
export interface Keywords {
  [keyword: string]: Json | undefined;
}

/** A schema and where it stands, as a reference would say it. */
export interface Place {
  readonly node: Keywords;
  readonly path: string;
}

/** Refuses what stands at a place. */
export function refuseAt(path: string, what: string): never {
  throw new InferenceError("INVALID_OPTION", `generate(): jsonSchema ${what} (at ${path})`);
}

/** The types a schema may name. */
export type SchemaType = "string" | "integer" | "number" | "boolean" | "null" | "array" | "object";

const allTypes: readonly SchemaType[] = ["string", "integer", "number", "boolean", "null", "array", "object"];

/** What a keyword is about. */
export interface About {
  /** Values it says something about. */
  readonly types: readonly SchemaType[];
  /** Those it is read for. */
  readonly read: readonly SchemaType[];
  /** Whether this value of it says nothing. */
  readonly idle?: (value: Json | undefined) => boolean;
}

const read = (...types: SchemaType[]): About => ({ types, read: types });
const unread = (...types: SchemaType[]): About => ({ types, read: [] });
const bound: About = { types: ["integer", "number"], read: ["integer"] };

/** Keywords that say nothing about a text, or hold what others refer to. */
export const plainKeywords: ReadonlySet<string> = new Set([
  ...["$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "title", "description", "default"],
  ...[
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentMediaType",
    "contentEncoding",
    "contentSchema",
  ],
]);

/** Every keyword that is known. */
export const keywordTypes: ReadonlyMap<string, About | "structure"> = new Map<string, About | "structure">([
  ...[...plainKeywords].map((keyword) => [keyword, "structure"] as const),
  ...(["type", "$ref", "anyOf", "oneOf", "allOf", "const", "enum"] as const).map(
    (keyword) => [keyword, "structure"] as const,
  ),
  ["pattern", read("string")],
  ["format", read("string")],
  ["minLength", read("string")],
  ["maxLength", read("string")],
  ["minimum", bound],
  ["maximum", bound],
  ["exclusiveMinimum", bound],
  ["exclusiveMaximum", bound],
  ["multipleOf", unread("integer", "number")],
  ["items", read("array")],
  ["prefixItems", read("array")],
  ["minItems", read("array")],
  ["maxItems", read("array")],
  ["additionalItems", { types: ["array"], read: [], idle: (value) => value === false }],
  ["uniqueItems", { types: ["array"], read: [], idle: (value) => value === false }],
  ["contains", unread("array")],
  ["minContains", unread("array")],
  ["maxContains", unread("array")],
  ["unevaluatedItems", { types: ["array"], read: [], idle: (value) => value === false }],
  ["properties", read("object")],
  ["required", read("object")],
  ["additionalProperties", read("object")],
  ["unevaluatedProperties", unread("object")],
  ["patternProperties", unread("object")],
  ["propertyNames", unread("object")],
  ["minProperties", unread("object")],
  ["maxProperties", unread("object")],
  ["dependentRequired", unread("object")],
  ["dependentSchemas", unread("object")],
]);

/** The types a value is of. */
export function typeOf(value: Json): readonly SchemaType[] {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  switch (typeof value) {
    case "number":
      return Number.isInteger(value) ? ["integer", "number"] : ["number"];
    case "string":
      return ["string"];
    case "boolean":
      return ["boolean"];
    default:
      return ["object"];
  }
}

/** The types a schema names, or the one llama.cpp reads from its other keywords; none where anything may be. */
export function typesOf(node: Keywords, path: string): readonly SchemaType[] {
  const { type } = node;
  if (type === undefined) return guessed(node);
  const named = Array.isArray(type) ? type : [type];
  const types = allTypes.filter((each) => named.includes(each));
  if (types.length === named.length && types.length > 0) return types;
  return refuseAt(path, `must have a type out of ${allTypes.join(", ")}, got ${JSON.stringify(type)}`);
}

function guessed(node: Keywords): readonly SchemaType[] {
  const has = (...keywords: string[]) => keywords.some((keyword) => node[keyword] !== undefined);
  if (has("properties") || (has("additionalProperties") && node.additionalProperties !== true))
    return ["object"];
  if (has("items", "prefixItems")) return ["array"];
  return has("pattern", "minLength", "maxLength", "format") ? ["string"] : [];
}
