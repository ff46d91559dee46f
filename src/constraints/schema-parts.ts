// A JSON schema taken apart: what must hold of one value is a list of parts, the
// schema itself and all that its $ref and allOf lead to. Nothing is merged: whoever
// writes a value asks every part. References, unions and types are understood here.
import { invalidOption } from "../errors.js";

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | Keywords;

/** A schema: its keywords. */
export interface Keywords {
  readonly [keyword: string]: Json | undefined;
}

/** A schema that must hold, beside others. */
export interface Part {
  readonly node: Keywords;
  /** Where it stands, as a reference says it. */
  readonly path: string;
  /** Its unions that have been taken apart. */
  readonly chosen: readonly string[];
}

/** All of these must hold. None: any value. */
export type Parts = readonly Part[];

/** Refuses what stands at a place. */
export function refuseAt(path: string, what: string): never {
  throw invalidOption("generate()", ["jsonSchema"], `${what} (at ${path})`);
}

export type SchemaType = "string" | "integer" | "number" | "boolean" | "null" | "array" | "object";

const allTypes: readonly SchemaType[] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/** Keywords that say something about values of a type, in the order in which they tell an unnamed type. */
const keywordsOf: readonly (readonly [SchemaType, readonly string[]])[] = [
  [
    "object",
    [
      ...["properties", "required", "additionalProperties", "patternProperties", "propertyNames"],
      ...["minProperties", "maxProperties", "unevaluatedProperties"],
    ],
  ],
  [
    "array",
    ["items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"],
  ],
  ["string", ["pattern", "format", "minLength", "maxLength"]],
  ["number", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]],
];

const unions = ["anyOf", "oneOf"];

/** Keywords that cannot be honoured, and of which types they say something. */
const unsupported: ReadonlyMap<string, readonly SchemaType[]> = new Map([
  ["contains", ["array"]],
  ["dependentRequired", ["object"]],
  ["dependentSchemas", ["object"]],
  ["dependencies", ["object"]],
  ["not", allTypes],
  ["if", allTypes],
  ["$dynamicRef", allTypes],
  ["$recursiveRef", allTypes],
]);

const nothing: Keywords = { not: {} };
const maximumAlternatives = 2000;
const maximumParts = 200;

/** The same text for the same value, in whatever order an object's keys come. */
export function canonicalText(value: Json): string {
  return JSON.stringify(value, (_, each: Json) => {
    if (each === null || typeof each !== "object" || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}

/** A schema's text as values, with its references. */
export class SchemaDocument {
  readonly #root: Keywords;
  readonly #numbers = new Map<Keywords, number>();
  readonly #listed = new Map<readonly Json[], ReadonlySet<string>>();

  constructor(root: Keywords) {
    this.#root = root;
  }

  /** Whether this list of the schema's has the value. */
  lists(values: readonly Json[], value: Json): boolean {
    let texts = this.#listed.get(values);
    if (texts === undefined) {
      texts = new Set(values.map(canonicalText));
      this.#listed.set(values, texts);
    }
    return texts.has(canonicalText(value));
  }

  /** What must hold where this schema stands. */
  parts(schema: Json | undefined, path: string): Parts {
    const found: Part[] = [];
    const visited = new Map<Keywords, "open" | "done">();
    const pending: Visit[] = [{ node: asSchema(schema, path), path, isLeft: false }];
    for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
      const { node, path: at, isLeft } = here;
      const before = visited.get(node);
      if (before === "done") continue;
      visited.set(node, isLeft ? "done" : "open");
      if (isLeft) continue;
      if (before === "open") refuseAt(path, "has a reference that leads to itself");
      if (says(node)) found.push({ node, path: at, chosen: [] });
      if (found.length > maximumParts)
        refuseAt(path, `has more than ${maximumParts} schemas that must all hold`);
      pending.push({ node, path: at, isLeft: true }, ...this.#leadsTo(node, at).reverse());
    }
    return found;
  }

  /** The schemas that must hold where this one must. */
  #leadsTo(node: Keywords, path: string): Visit[] {
    const parts = schemas(node, "allOf", path).map((each, index) => {
      const place = `${path}/allOf/${index}`;
      return { node: asSchema(each, place), path: place, isLeft: false };
    });
    return node.$ref === undefined ? parts : [{ ...this.#target(node.$ref, path), isLeft: false }, ...parts];
  }

  /** All of these lists together. */
  together(lists: readonly Parts[]): Parts {
    return [...new Map(lists.flat().map((part) => [this.#partKey(part), part])).values()];
  }

  /** The same for parts that say the same. */
  key(parts: Parts): string {
    return parts
      .map((part) => this.#partKey(part))
      .sort()
      .join(" ");
  }

  #partKey({ node, chosen }: Part): string {
    let number = this.#numbers.get(node);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(node, number);
    }
    return `${number}${chosen.join("")}`;
  }

  /** The parts as lists without unions, one of which must hold. */
  alternatives(parts: Parts): readonly Parts[] {
    const found: Parts[] = [];
    const seen = new Set<string>();
    const pending = [parts];
    for (let here = pending.pop(); here !== undefined; here = pending.pop()) {
      const key = this.key(here);
      if (seen.has(key) || here.some(({ node }) => isNothing(node))) continue;
      seen.add(key);
      const chosen = this.#choose(here);
      if (chosen === undefined) found.push(here);
      else pending.push(...[...chosen].reverse());
      if (seen.size > maximumAlternatives) {
        refuseAt(here[0]?.path ?? "#", `has more than ${maximumAlternatives} alternatives`);
      }
    }
    return found;
  }

  /** One union taken apart; undefined where there is none. */
  #choose(parts: Parts): readonly Parts[] | undefined {
    for (const part of parts) {
      const keyword = unions.find((each) => part.node[each] !== undefined && !part.chosen.includes(each));
      if (keyword === undefined) continue;
      const without = { ...part, chosen: [...part.chosen, keyword] };
      const rest = parts.map((each) => (each === part ? without : each));
      const list = schemas(part.node, keyword, part.path);
      if (list.length === 0) refuseAt(part.path, `must have schemas in ${keyword}`);
      return list.map((each, index) => {
        return this.together([rest, this.parts(each, `${part.path}/${keyword}/${index}`)]);
      });
    }
    return undefined;
  }

  #target(reference: Json, path: string): { readonly node: Keywords; readonly path: string } {
    const refuse = () =>
      refuseAt(path, `must refer to parts of itself, as "#/$defs/name", got ${JSON.stringify(reference)}`);
    if (typeof reference !== "string") return refuse();
    const { $id } = this.#root;
    const own =
      typeof $id === "string" && reference.startsWith($id) ? reference.slice($id.length) : reference;
    if (own === "#" || (own === "" && reference !== "")) return { node: this.#root, path: "#" };
    if (!own.startsWith("#/")) return refuse();
    let target: Json | undefined = this.#root;
    for (const step of own.slice(2).split("/")) {
      const name = pointerStep(step);
      const holds: boolean = typeof target === "object" && target !== null && Object.hasOwn(target, name);
      target = holds ? (target as Keywords)[name] : undefined;
    }
    if (typeof target !== "boolean" && (typeof target !== "object" || target === null)) {
      return refuseAt(path, `refers to ${own}, where there is no schema`);
    }
    return { node: asSchema(target, own), path: own };
  }
}

interface Visit {
  readonly node: Keywords;
  readonly path: string;
  /** All that it leads to has been visited. */
  readonly isLeft: boolean;
}

function pointerStep(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return step;
  }
}

/** @throws InferenceError where it is none */
export function asSchema(schema: Json | undefined, path: string): Keywords {
  if (schema === true) return {};
  if (schema === false) return nothing;
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) return schema;
  return refuseAt(path, `must have a schema here, got ${JSON.stringify(schema)}`);
}

function schemas(node: Keywords, keyword: string, path: string): readonly Json[] {
  const list = node[keyword] ?? [];
  return Array.isArray(list) ? list : refuseAt(path, `must have a list of schemas in ${keyword}`);
}

const plainKeywords = new Set([...keywordsOf.flatMap(([, keywords]) => keywords), ...unsupported.keys()]);

/** All keywords that restrict values, but $ref and allOf. */
export const schemaKeywords: ReadonlySet<string> = new Set([
  ...plainKeywords,
  ...unions,
  ...["type", "enum", "const"],
]);

/** It restricts values, beside what its $ref and allOf do. */
function says(node: Keywords): boolean {
  return Object.keys(node).some((keyword) => schemaKeywords.has(keyword));
}

/** The schema of no value. */
function isNothing({ not }: Keywords): boolean {
  return not === true || (typeof not === "object" && not !== null && Object.keys(not).length === 0);
}

/** An unsupported keyword that says something of values of this type. */
export function unsupportedKeyword(parts: Parts, type: SchemaType): readonly [Part, string] | undefined {
  for (const part of parts) {
    for (const [keyword, types] of unsupported) {
      const value = part.node[keyword];
      if (value === undefined || value === false || !types.includes(type)) continue;
      if (keyword === "if" && part.node.then === undefined && part.node.else === undefined) continue;
      if (keyword.startsWith("depend") && Object.keys(value ?? {}).length === 0) continue;
      return [part, keyword];
    }
  }
  return undefined;
}

/** The types that all parts allow; where none names any, the one that their keywords are about. */
export function typesOf(parts: Parts): readonly SchemaType[] {
  let types = new Set(allTypes);
  let isNamed = false;
  for (const { node, path } of parts) {
    if (node.type === undefined) continue;
    isNamed = true;
    const named = [node.type].flat() as SchemaType[];
    if (named.length === 0 || !named.every((each) => allTypes.includes(each))) {
      refuseAt(path, `must have a type out of ${allTypes.join(", ")}, got ${JSON.stringify(node.type)}`);
    }
    const wider = named.includes("number") ? [...named, "integer" as const] : named;
    types = new Set(wider.filter((each) => types.has(each)));
  }
  if (types.has("number")) types.delete("integer");
  if (isNamed) return allTypes.filter((type) => types.has(type));
  const about = keywordsOf.find(([type]) => keywordsAbout(type, parts).length > 0);
  return about === undefined ? allTypes.filter((type) => types.has(type)) : [about[0]];
}

/** The keywords of the parts that are about values of this type. */
export function keywordsAbout(type: SchemaType, parts: Parts): readonly string[] {
  const keywords = keywordsOf.find(([each]) => each === type)?.[1] ?? [];
  return keywords.filter((keyword) => parts.some(({ node }) => node[keyword] !== undefined));
}

/** What each part says under a keyword, where it says something. */
export function saidBy(parts: Parts, keyword: string): readonly (readonly [Json, Part])[] {
  return parts.flatMap((part) => {
    const value = part.node[keyword];
    return value === undefined ? [] : [[value, part] as const];
  });
}

/** The tighter of the counts under two keywords. */
export function countsOf(parts: Parts, least: string, most: string): { least: number; most: number } {
  const counts = (keyword: string) =>
    saidBy(parts, keyword).map(([value, { path }]) => {
      if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
      return refuseAt(path, `must have ${keyword} that is 0 or more, got ${JSON.stringify(value)}`);
    });
  const found = {
    least: Math.max(0, ...counts(least)),
    most: Math.min(Number.POSITIVE_INFINITY, ...counts(most)),
  };
  if (found.least <= found.most) return found;
  return refuseAt(parts[0]?.path ?? "#", `must have ${least} at most ${most}`);
}

/** An object that a keyword must be. */
export function objectAt(part: Part, keyword: string): Keywords {
  const value = part.node[keyword] ?? {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  return refuseAt(part.path, `must have an object in ${keyword}`);
}
