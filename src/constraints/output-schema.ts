// The schema of an answer: a JSON schema, or another library's schema that can be written
// as one. The model writes what the schema takes; its caller gets what the schema makes of it.
import { isStandardSchema, type StandardSchemaProps, type WritableSchemaProps } from "../standard-schema.js";
import { messageOfThrown } from "../thrown.js";

/** A JSON schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A schema of zod 4.2 and later, arktype, valibot by `toStandardJsonSchema()`, and others. */
export interface OutputSchema<Output = unknown> {
  /** The interfaces that libraries of schemas share (standardschema.dev). */
  readonly "~standard": WritableSchemaProps<Output>;
}

/** What `jsonSchema` may be. */
export type SchemaOption = JsonSchema | OutputSchema;

/** The type of an answer's `object`: what a library's schema makes of it, else unknown. */
export type ObjectOf<Schema> = "$schema" extends keyof Schema
  ? unknown
  : Schema extends { readonly "~standard": { readonly types?: infer Types } }
    ? NonNullable<Types> extends { readonly output: infer Output }
      ? Output
      : unknown
    : unknown;

/** What valibot's converter tells of a step of a pipe. */
interface ValibotStep {
  readonly jsonSchema: JsonSchema;
  /** Why JSON schema cannot say it. */
  readonly errors?: readonly string[] | undefined;
}

/**
 * Valibot's steps that JSON schema has no word for (trim, brand, check, minWords …) or a word
 * that grammars have not (not) are left to the judge, as zod leaves its own; the converter
 * refuses them otherwise.
 */
const valibot = {
  overrideAction({ jsonSchema, errors }: ValibotStep): JsonSchema | undefined {
    const { not, ...rest } = jsonSchema;
    return errors === undefined && not === undefined ? undefined : rest;
  },
};

const noJson = () => ({ not: {} });

/**
 * What no JSON is, such as a Date or a bigint, arktype would write as any JSON, all of which
 * it refuses afterwards.
 */
const arktype = { fallback: { date: noJson, domain: noJson, proto: noJson, unit: noJson } };

const libraryOptions = new Map<string, Record<string, unknown>>(Object.entries({ valibot, arktype }));

/** The JSON of a schema, and who judges the answer. */
export interface WrittenSchema {
  readonly json: unknown;
  /** Undefined where a JSON schema was given. */
  readonly judge: StandardSchemaProps<unknown>["validate"] | undefined;
}

/**
 * What was given as JSON, not yet judged. A JSON schema that zod wrote offers the shared
 * interface too, and is the JSON schema that it is.
 * @returns a phrase of what was expected where there is none
 */
export function writtenSchema(given: unknown): WrittenSchema | string {
  if (!isStandardSchema(given) || Object.hasOwn(given, "$schema")) return { json: given, judge: undefined };
  const standard = given["~standard"];
  if (typeof standard.jsonSchema?.input !== "function") {
    return (
      "a schema that can be written as JSON schema: of zod 4.2 or newer (of zod/mini: z.toJSONSchema(schema)), " +
      "arktype, or valibot as toStandardJsonSchema(schema) of @valibot/to-json-schema"
    );
  }
  try {
    const options = libraryOptions.get(standard.vendor);
    const json = standard.jsonSchema.input({
      target: "draft-2020-12",
      ...(options !== undefined && { libraryOptions: options }),
    });
    return { json, judge: (value) => standard.validate(value) };
  } catch (thrown) {
    const found = standard.vendor === "zod" ? unwritable(standard.jsonSchema) : undefined;
    if (found !== undefined) return found;
    return `a schema that JSON schema can say (${messageOfThrown(thrown)})`;
  }
}

/** What to write instead of types that JSON has none for. */
const instead: ReadonlyMap<unknown, string> = new Map([
  ["date", "JSON has no Date; use z.iso.date() or z.iso.datetime()"],
  ["bigint", "JSON has no bigint; use z.int() or a string"],
  ["map", "JSON has no Map; use z.record() or an array of objects"],
  ["set", "JSON has no Set; use z.array()"],
]);

/** What zod tells of each place that it cannot write. */
interface Unwritable {
  readonly zodSchema: { readonly _zod: { readonly def: { readonly type: string } } };
  readonly path: readonly (string | number)[];
}

/** The first field of zod's that JSON has no type for, and what to use; zod's own error names none. */
function unwritable(writer: WritableSchemaProps<unknown>["jsonSchema"]): string | undefined {
  let found: string | undefined;
  const unrepresentable = ({ zodSchema, path }: Unwritable) => {
    const advice = instead.get(zodSchema._zod.def.type);
    if (advice !== undefined) found ??= `a schema that JSON schema can say (${fieldAt(path)}: ${advice})`;
    return "any";
  };
  try {
    writer.input({ target: "draft-2020-12", libraryOptions: { unrepresentable } });
  } catch {
    // older ones tell nothing
  }
  return found;
}

/** The field of a place in a JSON schema: born of properties/born, tags[] of properties/tags/items. */
function fieldAt(path: readonly (string | number)[]): string {
  const steps = path.flatMap((step, place) => {
    if (step === "items") return ["[]"];
    return place > 0 && path[place - 1] === "properties" ? [`.${step}`] : [];
  });
  return steps.join("").replace(/^\./, "") || "its root";
}
