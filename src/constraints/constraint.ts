// What a generation's text must look like: types, limits, and the judged form,
// which is a grammar or a JSON schema that becomes one.
import { z } from "zod";
import { invalidOption } from "../errors.js";
import { choiceGrammar } from "./gbnf.js";
import { regexGrammar } from "./regex.js";
import { schemaGrammar } from "./schema.js";

/** What the text must look like, in one of four ways; the generation ends where nothing may follow. */
export interface ConstraintOptions {
  /**
   * A grammar in GBNF, llama.cpp's language, whose rule `root` is the text. Up to
   * 256 KiB.
   */
  readonly grammar?: string | undefined;
  /**
   * A JSON schema: the text is JSON that it allows. Keywords that cannot be honoured
   * (not, if, contains, uniqueItems of free values) are refused by name; oneOf is read as
   * anyOf, unknown formats and keywords are annotations, and limits of length above 2,000
   * are not held to. Properties come in their order, others only where
   * additionalProperties says so. Up to 256 KiB, 64 levels. See docs/json-schema.md.
   */
  readonly jsonSchema?: Readonly<Record<string, unknown>> | undefined;
  /**
   * A regular expression for the whole text, read as with the flag u; a RegExp may
   * have the flags u and s. No references back, no looking behind, no \b.
   */
  readonly regex?: string | RegExp | undefined;
  /** The text is one of these: up to 1024 non-empty strings. */
  readonly choice?: readonly string[] | undefined;
}

const maximumBytes = 256 * 1024;
const maximumSchemaDepth = 64;
const maximumChoices = 1024;
const maximumRegexLength = 16_384;

const grammarPhrase = "GBNF text of at most 256 KiB";
const schemaPhrase = `a JSON schema of at most 256 KiB and ${maximumSchemaDepth} levels, all of it JSON`;
const regexPhrase = `a regular expression of at most ${maximumRegexLength} characters, with no flags but u and s`;
const choicePhrase = `1 to ${maximumChoices} non-empty strings of at most 256 KiB together`;

function isGrammar(value: unknown): boolean {
  return typeof value === "string" && value !== "" && Buffer.byteLength(value) <= maximumBytes;
}

/** A copy that is JSON through and through; undefined where there is none, or it is too large. */
function asJson(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || !isShallow(value)) return undefined;
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined || Buffer.byteLength(text) > maximumBytes) return undefined;
  const copy: unknown = JSON.parse(text);
  if (typeof copy !== "object" || copy === null || Array.isArray(copy)) return undefined;
  return isShallow(copy) ? (copy as Readonly<Record<string, unknown>>) : undefined;
}

const jsonSchema = z.unknown().transform((value, context) => {
  try {
    const copy = asJson(value);
    if (copy !== undefined) return copy;
  } catch {
    // a bigint, or what a toJSON() or a getter throws
  }
  context.addIssue({ code: "custom", message: schemaPhrase });
  return z.NEVER;
});

/** Looks no deeper than the limit, so that a circle ends too. */
function isShallow(value: object): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= maximumSchemaDepth && level.length <= maximumBytes; depth += 1) {
    level = level.flatMap((each) =>
      Object.values(each as object).filter((item) => typeof item === "object" && item !== null),
    );
    if (level.length === 0) return true;
  }
  return false;
}

function isRegex(value: unknown): boolean {
  if (value instanceof RegExp) return /^[su]*$/.test(value.flags) && isRegex(value.source);
  return typeof value === "string" && value.length <= maximumRegexLength;
}

function isChoice(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > maximumChoices) return false;
  if (!Array.from(value).every((text) => typeof text === "string" && text !== "")) return false;
  return value.reduce((sum: number, text: string) => sum + Buffer.byteLength(text), 0) <= maximumBytes;
}

/** The fields of ConstraintOptions in a request's schema. */
export const constraintShape = {
  grammar: z.custom<string>(isGrammar, grammarPhrase).optional(),
  jsonSchema: jsonSchema.optional(),
  regex: z.custom<string | RegExp>(isRegex, regexPhrase).optional(),
  choice: z.custom<readonly string[]>(isChoice, choicePhrase).optional(),
};

/** A constraint in judged form. */
export interface JudgedConstraint {
  /** GBNF; "" where nothing is given. */
  readonly grammar: string;
  /** The JSON schema that the grammar is made of. */
  readonly schema: Readonly<Record<string, unknown>> | undefined;
  /** The option it was given by. */
  readonly field: string | undefined;
}

/** @throws InferenceError INVALID_OPTION */
export function judgeConstraint(
  { grammar, jsonSchema, regex, choice }: ConstraintOptions,
  call = "generate()",
): JudgedConstraint {
  const given = Object.entries({ grammar, jsonSchema, regex, choice }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1) {
    const problem = (name: (option: string) => string) =>
      `give one of ${given.map(([option]) => name(option)).join(" and ")}, not both`;
    throw invalidOption(call, [], problem);
  }
  const field = given[0]?.[0];
  if (jsonSchema !== undefined) return { grammar: schemaGrammar(jsonSchema), schema: jsonSchema, field };
  return { grammar: grammar ?? fromRegex(regex) ?? fromChoice(choice) ?? "", schema: undefined, field };
}

function fromRegex(regex: string | RegExp | undefined): string | undefined {
  if (regex instanceof RegExp) return regexGrammar(regex.source, regex.dotAll);
  return regex === undefined ? undefined : regexGrammar(regex);
}

function fromChoice(choice: readonly string[] | undefined): string | undefined {
  return choice === undefined ? undefined : choiceGrammar(choice);
}
