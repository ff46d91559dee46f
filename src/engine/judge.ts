// Judges options once, at the door: a zod schema says yes, or the caller gets
// an INVALID_OPTION that names the field, what was expected and what came.
// Every schema's error text is the noun phrase after "must be", so each limit
// is written once. Judged options are frozen; nobody checks them again.
import { z } from "zod";
import { InferenceError, invalidOption, type OptionPath } from "../errors.js";
import { messageOfThrown } from "../thrown.js";

/**
 * The options in judged form, defaults filled in, frozen.
 * @param call the public function's name, opens the sentence: "generate()"
 * @throws InferenceError INVALID_OPTION
 */
export function judge<Shape extends z.ZodRawShape>(
  call: string,
  schema: z.ZodObject<Shape>,
  given: unknown,
): Readonly<z.output<z.ZodObject<Shape>>> {
  try {
    const verdict = schema.safeParse(given);
    if (verdict.success) return Object.freeze(verdict.data);
    const issue = verdict.error.issues[0];
    throw issue === undefined
      ? invalidOption(call, [], "the options are invalid")
      : complaint(call, issue, given, schema.shape);
  } catch (thrown) {
    throw asRefusal(call, thrown);
  }
}

/** What was thrown while options were judged: a refusal, or what a getter or a Proxy in them threw. */
export function asRefusal(call: string, thrown: unknown): InferenceError {
  if (thrown instanceof InferenceError) return thrown;
  const problem = `the options cannot be read: ${messageOfThrown(thrown)}`;
  return new InferenceError("INVALID_OPTION", `${call}: ${problem}`, {
    cause: thrown,
    sentence: () => problem,
  });
}

const privateFields: ReadonlySet<unknown> = new Set(["prompt", "messages", "query", "documents"]);

function complaint(
  call: string,
  issue: z.core.$ZodIssue,
  given: unknown,
  shape: z.ZodRawShape,
): InferenceError {
  // Symbols are no options: zod's schemas name strings and indices alone.
  const path = issue.path as OptionPath;
  if (issue.code === "unrecognized_keys") {
    const [key] = issue.keys;
    if (path.length > 0) return invalidOption(call, path, `has an unknown field ${JSON.stringify(key)}`);
    const known = Object.keys(shape).join(", ");
    return invalidOption(call, [], `unknown option ${JSON.stringify(key)}; the options are ${known}`);
  }
  if (path.length === 0) return invalidOption(call, [], `options must be an object, got ${show(given)}`);
  const value = valueAt(given, path);
  // A prompt's text never enters a message: messages end in logs.
  const shown = privateFields.has(path[0]) && typeof value === "string" ? textLength(value) : show(value);
  return invalidOption(call, path, `must be ${issue.message}, got ${shown}`);
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

const shownCharacters = 60;

/** A value as an error message shows it: short, and never a whole object. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "nothing";
    case "string":
      return showText(value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      return showObject(value);
    default:
      return String(value);
  }
}

function showText(text: string): string {
  if (text.length <= shownCharacters) return JSON.stringify(text);
  return textLength(text);
}

function textLength(text: string): string {
  return `a string of ${text.length} characters`;
}

function showObject(value: object | null): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return "an object";
}

/** An integer from `minimum` to `maximum`, both included. */
export function integer(minimum: number, maximum: number, why = ""): z.ZodInt {
  const phrase =
    maximum === Number.MAX_SAFE_INTEGER
      ? `an integer of at least ${minimum}${why}`
      : `an integer from ${minimum} to ${maximum}${why}`;
  return z.int(phrase).min(minimum, phrase).max(maximum, phrase);
}

/** A finite number from `minimum` to `maximum`, both included. */
export function number(minimum: number, maximum: number): z.ZodNumber {
  const phrase = `a number from ${minimum} to ${maximum}`;
  return z.number(phrase).min(minimum, phrase).max(maximum, phrase);
}

/** A finite number above `bound` and at most `maximum`. */
export function numberAbove(bound: number, maximum: number): z.ZodNumber {
  const phrase = `a number above ${bound} and at most ${maximum}`;
  return z.number(phrase).gt(bound, phrase).max(maximum, phrase);
}

/** True or false. */
export function flag(): z.ZodBoolean {
  return z.boolean("true or false");
}

/** A function of the caller's. */
export function callback<Callback>(): z.ZodType<Callback> {
  return z.custom<Callback>((value) => typeof value === "function", "a function");
}

/** An AbortSignal, also one of another realm. */
export function abortSignal(): z.ZodType<AbortSignal> {
  return z.custom<AbortSignal>(isAbortSignal, "an AbortSignal");
}

function isAbortSignal(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const signal = value as Partial<AbortSignal>;
  return typeof signal.aborted === "boolean" && typeof signal.addEventListener === "function";
}
