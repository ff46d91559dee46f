// A handler's input as a schema describes it.
import { issuesText, type StandardSchemaProps } from "../standard-schema.js";

/** A schema of zod 3.24 and later, valibot, arktype and others. */
export interface InputSchema<Output = unknown> {
  /** The interface that libraries of schemas share (standardschema.dev). */
  readonly "~standard": StandardSchemaProps<Output>;
}

export type JudgedInput =
  | { readonly type: "valid"; readonly input: unknown }
  /** A sentence that names the fields. */
  | { readonly type: "invalid"; readonly error: string };

/** @throws what the schema's own code throws */
export async function judgeInput(schema: InputSchema, input: unknown): Promise<JudgedInput> {
  const verdict = await schema["~standard"].validate(input);
  if (verdict.issues === undefined) return { type: "valid", input: verdict.value };
  const error = `The job's input is invalid. ${issuesText(verdict.issues, "input")}`;
  return { type: "invalid", error };
}
