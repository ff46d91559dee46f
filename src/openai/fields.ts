// The fields of a request that say how tokens are chosen, as the engine's options.
// A field that cannot change the answer is accepted and ignored; one that OpenAI or
// vLLM define and this API does not support is refused by name; a field that
// neither defines is reported to the caller. The engine judges ranges.
import { isDeepStrictEqual } from "node:util";
import type { GenerateOptions } from "../engine/generate-request.js";
import { asFlag } from "../flag.js";
import { ApiError, wrongField } from "./api-error.js";
import { fieldsOfOneValue, fieldsWithoutEffect, type OptionField, optionFields } from "./field-table.js";
import { asNumber } from "./values.js";

/** A request's body. */
export type Body = Readonly<Record<string, unknown>>;

/**
 * Called with the path of each field that neither OpenAI nor vLLM defines, such as
 * "messages[0].mood". The field is ignored, unless this throws.
 */
export type OnUnknown = (path: string) => void;

/** Refuses unknown fields. @throws ApiError */
export function refuseField(path: string): never {
  throw new ApiError(400, `${path} is not supported`, { param: path, code: "unsupported_parameter" });
}

/** Every name on the wire of one of the engine's options. */
export function wireNames(option: string): readonly string[] {
  return [...optionFields].filter(([, field]) => field.option === option).map(([name]) => name);
}

const seedBits = 64;

/** The engine's options that a body holds, and the body's other fields. */
export interface TakenFields {
  readonly options: GenerateOptions;
  readonly rest: Body;
}

/** @throws ApiError for a field whose value cannot be taken */
export function takeFields(body: Body): TakenFields {
  const options: Record<string, unknown> = {};
  const rest: [string, unknown][] = [];
  for (const [name, value] of Object.entries(body)) {
    if (value === null || value === undefined || fieldsWithoutEffect.has(name)) continue;
    const field = optionFields.get(name);
    if (field !== undefined) {
      if (!isReplaced(name, body)) options[field.option] = adapted(field, value);
    } else if (name in fieldsOfOneValue) mustBeServed(name, value);
    else rest.push([name, value]);
  }
  return { options: options as GenerateOptions, rest: Object.fromEntries(rest) };
}

/** Whether the body also holds the newer name of the same option, which counts. */
function isReplaced(name: string, body: Body): boolean {
  const given = (other: string) => body[other] !== null && body[other] !== undefined;
  if (name === "max_tokens") return given("max_completion_tokens");
  return name === "repeat_penalty" && given("repetition_penalty");
}

/** Reports the fields of a body, or of an object in it, that are not in `known`. */
export function tellUnknown(
  rest: Body,
  known: ReadonlySet<string>,
  onUnknown: OnUnknown,
  path: (name: string) => string = (name) => name,
): void {
  for (const name of Object.keys(rest)) if (!known.has(name)) onUnknown(path(name));
}

function adapted({ option, read }: OptionField, given: unknown): unknown {
  const value = read(given);
  if (option === "topK" && value === -1) return 0; // vLLM's "off"
  if (option === "cacheSalt" && value === "") throw wrongField("cache_salt", "a non-empty string");
  return option === "seed" ? seedOf(value, given) : value;
}

/**
 * A seed of 64 bits; a negative one counts from the end, as in vLLM. JSON rounds numbers
 * above 2^53-1, so all digits of a seed can also come as text.
 */
function seedOf(value: unknown, given: unknown): unknown {
  if (typeof given === "boolean") return given;
  if (typeof value !== "bigint" && !(typeof value === "number" && Number.isInteger(value))) return given;
  const seed = BigInt(value);
  const fits = seed >= -(2n ** 63n) && seed <= 2n ** 64n;
  return fits ? BigInt.asUintN(seedBits, seed) : given;
}

function mustBeServed(name: string, given: unknown): void {
  const served = fieldsOfOneValue[name] ?? [];
  const readings = [given, asFlag(given), asNumber(given)];
  if (served.some((value) => readings.some((each) => isDeepStrictEqual(each, value)))) return;
  if (served.length === 0) refuseField(name);
  throw new ApiError(400, `${name} is not supported but for ${JSON.stringify(served[0])}`, {
    param: name,
    code: "unsupported_value",
  });
}

/** @throws ApiError where the value is no boolean */
export function booleanField(body: Body, name: string, path = name): boolean | undefined {
  const value = asFlag(body[name]);
  if (value === undefined || value === null || typeof value === "boolean") return value ?? undefined;
  throw wrongField(path, "true or false");
}

/** @throws ApiError where the value is no string */
export function textField(body: Body, name: string, path = name): string | undefined {
  const value = body[name];
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  throw wrongField(path, "a string");
}

/** @throws ApiError where the value is no object */
export function objectField(body: Body, name: string, path = name): Body | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "object" && !Array.isArray(value)) return value as Body;
  throw wrongField(path, "an object");
}
