// Judges options once, at the door: a zod schema says yes, or the caller gets
// an INVALID_OPTION that names the field, what was expected and what came.
// Every schema's error text is the noun phrase after "must be", so each limit
// is written once. Judged options are frozen; nobody checks them again.
import { z } from "zod";
import { InferenceError } from "../errors.js";
import { messageOfThrown } from "../thrown.js";
import { isAbortSignal } from "./abort-signal.js";
import { complaint } from "./complaint.js";

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
    throw complaint(call, verdict.error.issues, given, schema);
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

/**
 * Refuses a value with a sentence that goes on after the option's name, where "must be …,
 * got …" would not tell what to do.
 */
export function refuseWhole(
  context: z.RefinementCtx,
  problem: string,
  path: readonly PropertyKey[] = [],
): void {
  context.addIssue({
    code: "custom",
    message: problem,
    path: [...path],
    params: { whole: true },
    continue: false,
  });
}
