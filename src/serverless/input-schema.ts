// A handler's input as a schema describes it. Any library's schema is taken by
// the interface they share (standardschema.dev), since the zod in this package is
// not the caller's zod.

/** What a schema says of a value. */
export type SchemaVerdict<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A schema of zod 3.24 and later, valibot, arktype and others. */
export interface InputSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaVerdict<Output> | Promise<SchemaVerdict<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

export type JudgedInput =
  | { readonly type: "valid"; readonly input: unknown }
  /** A sentence that names the fields. */
  | { readonly type: "invalid"; readonly error: string };

/** Whether a value offers the shared interface. */
export function isInputSchema(value: unknown): value is InputSchema {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  const standard = (value as { readonly "~standard"?: { readonly validate?: unknown } })["~standard"];
  return typeof standard?.validate === "function";
}

/** @throws what the schema's own code throws */
export async function judgeInput(schema: InputSchema, input: unknown): Promise<JudgedInput> {
  const verdict = await schema["~standard"].validate(input);
  if (verdict.issues === undefined) return { type: "valid", input: verdict.value };
  const complaints = verdict.issues.map(({ path, message }) => `${fieldName(path ?? [])}: ${message}`);
  return { type: "invalid", error: `The job's input is invalid. ${complaints.join("; ")}` };
}

/** "size.width", "tags[0]", or "input" for the whole. */
function fieldName(path: NonNullable<SchemaIssue["path"]>): string {
  const name = path
    .map((part) => (typeof part === "object" ? part.key : part))
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("");
  return name === "" ? "input" : name.replace(/^\./, "");
}
