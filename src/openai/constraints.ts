// What binds a text, as the engine's constraints: response_format, vLLM's
// structured_outputs and its older guided_*, llama-server's grammar and json_schema.
import type { ConstraintOptions } from "../constraints/constraint.js";
import { ApiError, wrongField } from "./api-error.js";
import { type Body, booleanField, type OnUnknown, objectField, refuseField, tellUnknown } from "./fields.js";

/** The names read here. */
export const constraintFields = [
  "response_format",
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar",
  "structured_outputs",
  "json_schema",
  "grammar",
] as const;

const anyObject = { type: "object" };

type Way = readonly [path: string, option: keyof ConstraintOptions, value: unknown];

/** @throws ApiError for two constraints, and for one that is not supported */
export function takeConstraint(body: Body, onUnknown: OnUnknown): ConstraintOptions {
  const [first, second] = waysOf(body, onUnknown).filter(
    ([, , value]) => value !== undefined && value !== null,
  );
  if (second !== undefined && first !== undefined) {
    const [path] = second;
    throw new ApiError(400, `give ${first[0]} or ${path}, not both: each of them binds the whole text`, {
      param: path,
    });
  }
  if (first === undefined) return {};
  const [path, option, value] = first;
  return { [option]: option === "jsonSchema" ? schemaOf(value, path) : value };
}

function waysOf(body: Body, onUnknown: OnUnknown): readonly Way[] {
  return [
    ...formatOf(body, onUnknown),
    ...structuredOf(body, onUnknown),
    ["guided_json", "jsonSchema", body.guided_json],
    ["guided_regex", "regex", body.guided_regex],
    ["guided_choice", "choice", body.guided_choice],
    ["guided_grammar", "grammar", body.guided_grammar],
    ["json_schema", "jsonSchema", body.json_schema],
    ["grammar", "grammar", body.grammar === "" ? undefined : body.grammar],
  ];
}

const structuredFields: ReadonlySet<string> = new Set([
  "json",
  "regex",
  "choice",
  "grammar",
  "json_object",
  "structural_tag",
  "whitespace_pattern",
  "disable_any_whitespace",
  "disable_additional_properties",
  "disable_fallback",
]);

function structuredOf(body: Body, onUnknown: OnUnknown): readonly Way[] {
  const given = objectField(body, "structured_outputs") ?? {};
  const path = (name: string) => `structured_outputs.${name}`;
  tellUnknown(given, structuredFields, onUnknown, path);
  for (const name of ["structural_tag", "whitespace_pattern"]) {
    if (given[name] !== undefined && given[name] !== null) refuseField(path(name));
  }
  for (const name of ["disable_any_whitespace", "disable_additional_properties"]) {
    if (booleanField(given, name, path(name)) === true) refuseField(path(name));
  }
  const isObject = booleanField(given, "json_object", path("json_object")) === true;
  return [
    [path("json"), "jsonSchema", given.json],
    [path("regex"), "regex", given.regex],
    [path("choice"), "choice", given.choice],
    [path("grammar"), "grammar", given.grammar],
    [path("json_object"), "jsonSchema", isObject ? anyObject : undefined],
  ];
}

const formatFields: ReadonlySet<string> = new Set(["type", "json_schema", "schema"]);
const schemaFields: ReadonlySet<string> = new Set(["name", "description", "schema", "strict"]);

function formatOf(body: Body, onUnknown: OnUnknown): readonly Way[] {
  const format = objectField(body, "response_format");
  if (format === undefined) return [];
  const path = "response_format.json_schema";
  const { type } = format;
  tellUnknown(format, formatFields, onUnknown, (name) => `response_format.${name}`);
  const named = objectField(format, "json_schema", path);
  if (named !== undefined) tellUnknown(named, schemaFields, onUnknown, (name) => `${path}.${name}`);
  const given = [
    [`${path}.schema`, "jsonSchema", named && (named.schema ?? {})],
    // llama-server's form: a schema beside the type.
    ["response_format.schema", "jsonSchema", format.schema ?? undefined],
  ] as const;
  const hasSchema = given.some(([, , schema]) => schema !== undefined);
  if (type === "text" && !hasSchema) return [];
  if (type === "json_object" && !hasSchema) return [["response_format", "jsonSchema", anyObject]];
  if (type === "json_schema" && !hasSchema) throw wrongField(path, "an object with a schema");
  if (type === "json_object" || type === "json_schema") return given;
  const types = hasSchema
    ? '"json_schema" where a schema is given'
    : '"text", "json_object" or "json_schema"';
  throw wrongField("response_format.type", types);
}

/** vLLM takes a schema's text as well. */
function schemaOf(given: unknown, path: string): Readonly<Record<string, unknown>> {
  const refuse = () => new ApiError(400, `${path} must be a JSON schema or its text`, { param: path });
  let schema: unknown = given;
  try {
    if (typeof given === "string") schema = JSON.parse(given);
  } catch {
    throw refuse();
  }
  if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) return schema as Body;
  if (schema === true) return {};
  throw refuse();
}
