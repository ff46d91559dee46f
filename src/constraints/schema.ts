// A JSON schema made ready for llama.cpp's conversion, which leaves out what it
// does not know, without a word: keywords it would leave out are refused by name
// where they say something about the text, and what it reads wrongly (patterns,
// tuples, allOf) is written in a form it reads right. So what comes out is what
// the schema allows; sometimes less of it, never more.
import { InferenceError } from "../errors.js";
import { wellFormedJson } from "../well-formed.js";
import {
  type Json,
  type Keywords,
  keywordTypes,
  type Place,
  plainKeywords,
  refuseAt,
  typeOf,
  typesOf,
} from "./schema-keywords.js";
import { judgeArray, judgeInteger, judgeObject, judgeString } from "./schema-types.js";

/**
 * The schema as llama.cpp is to read it, as text.
 * @param schema JSON: no circles, no functions
 * @throws InferenceError INVALID_OPTION naming the keyword and where it stands
 */
export function schemaText(schema: Readonly<Record<string, unknown>>): string {
  const root = JSON.parse(JSON.stringify(schema)) as Keywords;
  new SchemaJudge(root).judge();
  const text = JSON.stringify(root);
  if (wellFormedJson(text) === text) return text;
  throw new InferenceError(
    "INVALID_OPTION",
    "generate(): jsonSchema must be well-formed text, it has half of a surrogate pair",
  );
}

/** Goes through a schema by a list, so that a chain of references costs no stack. */
class SchemaJudge {
  readonly #root: Keywords;
  readonly #seen = new Set<Keywords>();
  readonly #pending: Place[];

  constructor(root: Keywords) {
    this.#root = root;
    this.#pending = [{ node: root, path: "#" }];
  }

  judge(): void {
    for (let place = this.#pending.pop(); place !== undefined; place = this.#pending.pop()) {
      if (this.#seen.has(place.node)) continue;
      this.#seen.add(place.node);
      this.#judgeOne(place);
    }
  }

  #judgeOne(place: Place): void {
    const { node, path } = place;
    for (const keyword of Object.keys(node)) {
      if (keyword.startsWith("x-") || keywordTypes.has(keyword)) continue;
      refuseAt(path, `cannot use the keyword ${JSON.stringify(keyword)}; leave it away`);
    }
    if (node.allOf !== undefined) this.#join(place);
    if (node.$ref !== undefined) this.#judgeReference(place);
    else if (node.anyOf !== undefined || node.oneOf !== undefined) this.#judgeAlternatives(place);
    else if (node.const !== undefined || node.enum !== undefined) judgeValues(place);
    else this.#judgeTyped(place);
  }

  #judgeReference(place: Place): void {
    this.#pending.push(this.#resolved(place));
  }

  #target({ node, path }: Place): Place {
    const reference = node.$ref;
    if (typeof reference !== "string" || !reference.startsWith("#/") || /[~%]/.test(reference)) {
      return refuseAt(
        path,
        `must refer to parts of itself, as "#/$defs/name", got ${JSON.stringify(reference)}`,
      );
    }
    let target: Json = this.#root;
    for (const step of reference.slice(2).split("/")) {
      const holds: boolean = typeof target === "object" && target !== null && Object.hasOwn(target, step);
      target = holds ? ((target as Keywords)[step] ?? null) : null;
    }
    return asPlace(target, reference, `refers to ${reference}, where there is no schema`);
  }

  #judgeAlternatives(place: Place): void {
    const { node, path } = place;
    const keyword = node.oneOf === undefined ? "anyOf" : "oneOf";
    alone(place, keyword);
    if (Object.keys(node[keyword] ?? {}).length === 0) refuseAt(path, `must have schemas in ${keyword}`);
    this.#push(node[keyword], `${path}/${keyword}`);
  }

  /** Every schema of a list or of an object's values. */
  #push(schemas: Json | undefined, path: string): void {
    if (typeof schemas !== "object" || schemas === null) refuseAt(path, "must have schemas here");
    for (const key of Object.keys(schemas)) this.#pushOne(schemas as Keywords, key, `${path}/${key}`);
  }

  #pushOne(holder: Keywords, key: string, path: string): void {
    if (holder[key] === true) holder[key] = {};
    this.#pending.push(asPlace(holder[key], path, "must have a schema that is an object here"));
  }

  #judgeTyped({ node, path }: Place): void {
    const types = typesOf(node, path);
    for (const keyword of Object.keys(node)) {
      if (plainKeywords.has(keyword)) continue;
      const about = keywordTypes.get(keyword);
      if (about === undefined || about === "structure") continue;
      const concerned = about.types.filter((type) => types.includes(type));
      if (concerned.length === 0 && types.length > 0) {
        delete node[keyword]; // says nothing about these types
        continue;
      }
      const unread = types.length === 0 ? undefined : concerned.find((type) => !about.read.includes(type));
      if (types.length === 0) refuseAt(path, `must have a "type" with ${JSON.stringify(keyword)}`);
      if (unread !== undefined && !about.idle?.(node[keyword])) {
        refuseAt(path, `cannot use ${JSON.stringify(keyword)} with the type "${unread}"; leave it away`);
      }
    }
    if (types.includes("string")) judgeString({ node, path });
    if (types.includes("integer")) judgeInteger({ node, path });
    if (types.includes("object")) this.#pushObject({ node, path });
    if (types.includes("array")) this.#pushArray({ node, path });
  }

  #pushObject(place: Place): void {
    const { node, path } = place;
    judgeObject(place);
    if (node.properties !== undefined) this.#push(node.properties, `${path}/properties`);
    if (typeof node.additionalProperties !== "object") return;
    this.#pushOne(node, "additionalProperties", `${path}/additionalProperties`);
  }

  #pushArray(place: Place): void {
    const { node, path } = place;
    judgeArray(place);
    const key = node.prefixItems === undefined ? "items" : "prefixItems";
    if (Array.isArray(node[key])) this.#push(node[key], `${path}/${key}`);
    else if (node[key] !== undefined) this.#pushOne(node, key, `${path}/${key}`);
  }

  /** allOf of one schema is that schema; of objects, one object. */
  #join(place: Place): void {
    const { node, path } = place;
    const list = node.allOf;
    if (!Array.isArray(list) || list.length === 0) refuseAt(path, "must have schemas in allOf");
    delete node.allOf;
    const parts = list.map((part, index) =>
      asPlace(part, `${path}/allOf/${index}`, "must have a schema here"),
    );
    const [only] = parts;
    if (parts.length === 1 && only !== undefined && constraints(node).length === 0) {
      Object.assign(node, only.node);
      if (node.allOf !== undefined) this.#join(place);
      return;
    }
    const whole = [{ node: { ...node }, path }, ...parts.map((part) => this.#resolved(part))];
    for (const part of whole) joinObject(node, part);
  }

  /** Behind its references. */
  #resolved(place: Place): Place {
    const passed = new Set<Keywords>();
    let here = place;
    while (here.node.$ref !== undefined) {
      if (passed.has(here.node)) refuseAt(place.path, "has a reference that leads to itself");
      passed.add(here.node);
      alone(here, "$ref");
      here = this.#target(here);
    }
    return here;
  }
}

function asPlace(node: Json | undefined, path: string, otherwise: string): Place {
  if (typeof node !== "object" || node === null || Array.isArray(node)) return refuseAt(path, otherwise);
  return { node, path };
}

/** Its keywords that say something about the text. */
function constraints(node: Keywords): string[] {
  return Object.keys(node).filter((keyword) => !plainKeywords.has(keyword) && !keyword.startsWith("x-"));
}

function alone({ node, path }: Place, keyword: string): void {
  const other = constraints(node).find((each) => each !== keyword);
  if (other === undefined) return;
  refuseAt(
    path,
    `cannot use ${JSON.stringify(other)} beside ${JSON.stringify(keyword)}; move it into the schemas there`,
  );
}

const joinable = new Set(["type", "properties", "required"]);

function joinObject(whole: Keywords, { node, path }: Place): void {
  const wrong = constraints(node).find((keyword) => !joinable.has(keyword));
  const type = node.type ?? "object";
  if (wrong !== undefined || type !== "object") {
    refuseAt(path, "can join objects of properties and required only in allOf");
  }
  whole.type = "object";
  const properties = (whole.properties ?? {}) as Keywords;
  whole.properties = properties;
  for (const [name, schema] of Object.entries((node.properties ?? {}) as Keywords)) {
    const known = properties[name];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      refuseAt(path, `cannot join the property ${JSON.stringify(name)}, which allOf has twice`);
    }
    properties[name] = schema;
  }
  const required = [whole.required ?? [], node.required ?? []].flat() as string[];
  whole.required = [...new Set(required)];
}

function judgeValues({ node, path }: Place): void {
  const keyword = node.const === undefined ? "enum" : "const";
  const other = constraints(node).find((each) => each !== keyword && each !== "type");
  if (other !== undefined)
    refuseAt(path, `cannot use ${JSON.stringify(other)} beside ${JSON.stringify(keyword)}`);
  const values = keyword === "const" ? [node.const] : node.enum;
  if (!Array.isArray(values) || values.length === 0) refuseAt(path, "must have values in enum");
  if (node.type === undefined) return;
  const types = typesOf(node, path);
  const stranger = values.find((value) => !typeOf(value ?? null).some((type) => types.includes(type)));
  if (stranger !== undefined)
    refuseAt(path, `has the value ${JSON.stringify(stranger)}, which is not of its type`);
  delete node.type;
}
