// response_format, guided_* and structured_outputs as the engine's constraints.
import type { ConstraintOptions } from "../constraints/constraint.js";
import { ApiError, wrongField } from "./api-error.js";
import { type Body, objectField } from "./fields.js";

/** The names read here. */
export const constraintFields = [
  "response_format",
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar",
  "guided_decoding_backend",
  "guided_whitespace_pattern",
  "structured_outputs",
] as const;

type Mutable = { -readonly [Name in keyof ConstraintOptions]: ConstraintOptions[Name] };

/** @throws ApiError */
export function takeConstraint(body: Body): ConstraintOptions {
  const constraint: Mutable = {};
  const structured = objectField(body, "structured_outputs") ?? {};
  const json = body.guided_json ?? structured.json ?? formatSchema(objectField(body, "response_format"));
  if (json !== undefined) constraint.jsonSchema = schemaOf(json);
  const regex = body.guided_regex ?? structured.regex;
  if (regex !== undefined) constraint.regex = regex as string;
  const choice = body.guided_choice ?? structured.choice;
  if (choice !== undefined) constraint.choice = choice as readonly string[];
  const grammar = body.guided_grammar ?? structured.grammar;
  if (grammar !== undefined) constraint.grammar = grammar as string;
  return constraint;
}

function formatSchema(format: Body | undefined): unknown {
  if (format === undefined || format.type === "text") return undefined;
  if (format.type === "json_object") return { type: "object" };
  if (format.type !== "json_schema") {
    throw wrongField("response_format.type", '"text", "json_object" or "json_schema"');
  }
  const given = objectField(format, "json_schema");
  if (given === undefined) throw wrongField("response_format.json_schema", "an object with a schema");
  return given.schema ?? {};
}

/** vLLM takes a schema's text as well. */
function schemaOf(given: unknown): Readonly<Record<string, unknown>> {
  if (typeof given !== "string") return given as Readonly<Record<string, unknown>>;
  try {
    return JSON.parse(given) as Readonly<Record<string, unknown>>;
  } catch {
    throw new ApiError(400, "guided_json must be a JSON schema or its text", { param: "guided_json" });
  }
}
