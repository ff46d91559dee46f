// Schemas of any library by the interfaces they share (standardschema.dev), since the
// zod in this package is not the caller's zod.

/** What a schema says of a value. */
export type SchemaVerdict<Output> =
  | {
      /** What the schema makes of the value. */
      readonly value: Output;
      /** Absent where the value is valid. */
      readonly issues?: undefined;
    }
  | {
      /** What is wrong. */
      readonly issues: readonly SchemaIssue[];
    };

/** A step of an issue's path, as some libraries write it. */
export interface SchemaPathStep {
  /** The field's name or the item's index. */
  readonly key: PropertyKey;
}

/** What is wrong with a value. */
export interface SchemaIssue {
  /** A sentence for people. */
  readonly message: string;
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | SchemaPathStep)[] | undefined;
}

/** What a schema of any library can do. */
export interface StandardSchemaProps<Output> {
  /** Of the interface. */
  readonly version: 1;
  /** The library's name. */
  readonly vendor: string;
  /** Judges a value. */
  readonly validate: (value: unknown) => SchemaVerdict<Output> | Promise<SchemaVerdict<Output>>;
  /** For TypeScript only. */
  readonly types?:
    | {
        /** What is taken. */
        readonly input: unknown;
        /** What is made of it. */
        readonly output: Output;
      }
    | undefined;
}

/** What a schema can do that can be written as JSON schema. */
export interface WritableSchemaProps<Output> extends StandardSchemaProps<Output> {
  /** Writes the schema as JSON schema. */
  readonly jsonSchema: {
    /** Of what the schema takes. Throws where JSON schema cannot say it. */
    readonly input: (options: {
      /** The draft to write. */
      readonly target: "draft-2020-12";
      /** For one library only. */
      readonly libraryOptions?: Record<string, unknown>;
    }) => Record<string, unknown>;
  };
}

/** Whether a value offers the shared interface. */
export function isStandardSchema(
  value: unknown,
): value is { readonly "~standard": StandardSchemaProps<unknown> & Partial<WritableSchemaProps<unknown>> } {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  const standard = (value as { readonly "~standard"?: { readonly validate?: unknown } })["~standard"];
  return typeof standard?.validate === "function";
}

/** Issues as a sentence: "size.width: must be …; tags[0]: must be …". @param whole names the whole value */
export function issuesText(issues: readonly SchemaIssue[], whole: string): string {
  const sentence = ({ path, message }: SchemaIssue) => `${fieldName(path ?? []) || whole}: ${message}`;
  return Array.from(issues, sentence).join("; ");
}

/**
 * "size.width", "tags[0]", or "" for the whole. Not by the path's own map(): arktype's paths
 * are a class of arrays, whose map() makes [0] of an empty one.
 */
function fieldName(path: NonNullable<SchemaIssue["path"]>): string {
  return Array.from(path, (part) => (typeof part === "object" ? part.key : part))
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}
