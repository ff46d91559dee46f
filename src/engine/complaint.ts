// What a schema of ours found wrong, as the error that a caller gets: where it is, what
// was expected, what came, and what to write instead.
import type { z } from "zod";
import { type InferenceError, invalidOption, type OptionPath, refusedOption } from "../errors.js";
import { adviceOnUnknown, adviceOnValue } from "./advice.js";
import { show, showPrivate } from "./shown.js";
import { hint } from "./suggestion.js";

type Issue = z.core.$ZodIssue;

/** Options that hold what somebody said, or may; a constraint is often made of it. */
const privateFields: ReadonlySet<unknown> = new Set([
  ...["prompt", "messages", "query", "documents", "inputs", "tokens", "text"],
  ...["choice", "grammar", "regex", "jsonSchema", "tools", "stop", "drySequenceBreakers"],
  ...["chatVariables", "variables", "template", "cacheSalt"],
]);

/** The error of the first thing that is wrong, where a caller would look for it. */
export function complaint(
  call: string,
  issues: readonly Issue[],
  given: unknown,
  schema: z.ZodObject,
): InferenceError {
  const issue = decisive(issues, given);
  if (issue === undefined) return invalidOption(call, [], "the options are invalid");
  // Symbols are no options: zod's schemas name strings and indices alone.
  const path = issue.path as OptionPath;
  if (issue.code === "unrecognized_keys") return unknownOption(call, path, issue.keys[0] ?? "", schema);
  if (path.length === 0) {
    const phrase = issue.message.startsWith("an object") ? issue.message : "an object";
    return invalidOption(call, [], `options must be ${phrase}, got ${showPrivate(given)}`);
  }
  if (issue.code === "custom" && issue.params?.whole === true) {
    return invalidOption(call, path, issue.message);
  }
  const value = valueAt(given, path);
  const shown = privateFields.has(path[0]) ? showPrivate(value) : show(value);
  return invalidOption(
    call,
    path,
    `must be ${issue.message}, got ${shown}${adviceOnValue(path, value, given)}`,
  );
}

/** What tells most: a field that is missing was often given by another name. */
function decisive(issues: readonly Issue[], given: unknown): Issue | undefined {
  const [first] = issues;
  if (first === undefined) return undefined;
  if (first.code === "invalid_union") return meantAlternative(first, valueAt(given, first.path));
  if (valueAt(given, first.path) !== undefined) return first;
  const parent = JSON.stringify(first.path.slice(0, -1));
  const misnamed = issues.find(
    ({ code, path }) => code === "unrecognized_keys" && JSON.stringify(path) === parent,
  );
  return misnamed ?? first;
}

/** Of alternatives, what is wrong with the one that was meant: that of the same kind of value. */
function meantAlternative(issue: z.core.$ZodIssueInvalidUnion, value: unknown): Issue {
  const entered = issue.errors
    .map((inner) => decisive(inner, value))
    .filter((inner) => inner !== undefined)
    .filter(({ path, code }) => path.length > 0 || code === "unrecognized_keys");
  const [meant] = entered;
  if (meant === undefined || entered.length > 1) return issue;
  return { ...meant, path: [...issue.path, ...meant.path] };
}

/** More names than this help nobody. */
const listed = 12;

function unknownOption(call: string, path: OptionPath, key: string, schema: z.ZodObject): InferenceError {
  const known = fieldsAt(schema, path);
  const isList = known.length <= listed;
  const names = isList ? known.join(", ") : "those of docs/options.md";
  const meant = adviceOnUnknown(path, key, known) || hint(key, known);
  if (path.length > 0) {
    const rest = meant || `; its fields are ${names}`;
    const problem = `has an unknown field ${show(key)}${rest}`;
    return refusedOption(call, [...path, key], (name) => `${name(path)} ${problem}`);
  }
  const rest = meant || `; the options are ${names}`;
  return refusedOption(call, [key], () => `unknown option ${show(key)}${rest}`);
}

/** The names of the fields of the object at a path in a schema of ours. */
function fieldsAt(schema: z.core.$ZodType, path: OptionPath): readonly string[] {
  const { def } = schema._zod as { readonly def: SchemaDef };
  if (def.innerType !== undefined) return fieldsAt(def.innerType, path);
  if (def.in !== undefined) return fieldsAt(def.in, path);
  const [step, ...rest] = path;
  if (def.element !== undefined) return fieldsAt(def.element, rest);
  if (def.options !== undefined) return [...new Set(def.options.flatMap((option) => fieldsAt(option, path)))];
  if (def.shape === undefined) return [];
  if (step === undefined) return Object.keys(def.shape);
  const field = def.shape[step];
  return field === undefined ? [] : fieldsAt(field, rest);
}

/** What the kinds of zod's schemas that hold others are made of. */
interface SchemaDef {
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given;
  for (const key of path) {
    if (value instanceof Map) value = value.get(key);
    else if (typeof value === "object" && value !== null) value = Reflect.get(value, key);
    else return undefined;
  }
  return value;
}
