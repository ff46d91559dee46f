// Whether an object can be meant as a JSON schema. Unknown keywords are annotations, so that
// an object of anything else would be the schema of any value.
import { distance } from "../engine/suggestion.js";
import { isStandardSchema } from "../standard-schema.js";
import { schemaKeywords } from "./schema-parts.js";

/** Keywords that say nothing of values, or only where others do; OpenAPI's among them. */
const annotations: ReadonlySet<string> = new Set([
  ...["$schema", "$id", "id", "$anchor", "$comment", "$vocabulary", "$dynamicAnchor", "$recursiveAnchor"],
  ...["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"],
  ...["contentEncoding", "contentMediaType", "contentSchema", "minContains", "maxContains", "then", "else"],
  ...["nullable", "discriminator", "example", "xml", "externalDocs", "propertyOrdering"],
]);

const binding: ReadonlySet<string> = new Set([...schemaKeywords, "$ref", "$defs", "definitions", "allOf"]);
const inLists = ["anyOf", "oneOf", "allOf", "prefixItems"];
const inObjects = ["properties", "patternProperties"];
const inPlace = ["items", "additionalProperties", "additionalItems", "propertyNames"];
const leastGuessed = 5;
const longName = 9;
const mostNamed = 3;
const mostCharacters = 40;

const instead = 'write z.object({…}) around zod fields, or { type: "object", properties: {…} }';

/**
 * What is wrong with a schema's keywords, as the rest of a sentence that begins with its name;
 * undefined where nothing is.
 * @param given a value of any kind
 * @param isDeep whether the schemas inside of it are judged too
 */
export function keywordProblem(given: unknown, isDeep = true): string | undefined {
  const seen = new Set<unknown>();
  const pending: { readonly schema: unknown; readonly path: string }[] = [{ schema: given, path: "#" }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { schema, path } = next;
    if (path !== "#" && isStandardSchema(schema)) {
      return `has a schema of another library (at ${path}): ${instead}`;
    }
    if (typeof schema !== "object" || schema === null || Array.isArray(schema) || seen.has(schema)) continue;
    seen.add(schema);
    const problem = problemOf(schema as Readonly<Record<string, unknown>>, path === "#");
    if (problem !== undefined) return path === "#" ? problem : `${problem} (at ${path})`;
    if (isDeep) pending.push(...inside(schema as Readonly<Record<string, unknown>>, path));
  }
  return undefined;
}

function problemOf(schema: Readonly<Record<string, unknown>>, isRoot: boolean): string | undefined {
  const keys = Object.keys(schema).filter((key) => schema[key] !== undefined);
  const field = keys.find((key) => isStandardSchema(schema[key]));
  if (field !== undefined) return `has a schema of another library as ${named([field])}: ${instead}`;
  const unknown = keys.filter((key) => !binding.has(key) && !annotations.has(key) && !/^(x-|\$)/.test(key));
  if (unknown.length === 0) return undefined;
  const isWrapped = typeof schema.schema === "object" && typeof schema.name === "string";
  if (isWrapped) return "is OpenAI's { name, schema }: pass its schema field alone";
  const slip = unknown.map((key) => [key, meant(key)] as const).find(([, keyword]) => keyword !== undefined);
  if (slip !== undefined) return `has the unknown keyword ${named([slip[0]])}; did you mean ${slip[1]}?`;
  if (keys.some((key) => binding.has(key))) return undefined;
  if (!isRoot && unknown.length < keys.length) return undefined;
  return `has no keyword of JSON Schema, only ${named(keys)}: ${instead}`;
}

/** The keyword that says something and that is written almost so. */
function meant(key: string): string | undefined {
  const plain = key.replace(/[_-]/g, "").toLowerCase();
  if (plain.length < leastGuessed) return undefined;
  const most = plain.length < longName ? 1 : 2;
  return [...schemaKeywords].find((keyword) => {
    return keyword.length >= leastGuessed && distance(plain, keyword.toLowerCase()) <= most;
  });
}

function named(keys: readonly string[]): string {
  const shown = keys.slice(0, mostNamed).map((key) => key.slice(0, mostCharacters));
  const more = keys.length > mostNamed ? ` and ${keys.length - mostNamed} more` : "";
  return shown.join(", ") + more;
}

function inside(schema: Readonly<Record<string, unknown>>, path: string) {
  const at = (holder: unknown, keyword: string) =>
    typeof holder === "object" && holder !== null
      ? Object.entries(holder).map(([name, each]) => ({ schema: each, path: `${path}/${keyword}/${name}` }))
      : [];
  return [
    ...[...inLists, ...inObjects].flatMap((keyword) => at(schema[keyword], keyword)),
    ...inPlace.map((keyword) => ({ schema: schema[keyword], path: `${path}/${keyword}` })),
  ];
}
