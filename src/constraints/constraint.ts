// What a generation's text must look like: types, limits, and the judged form,
// which is a grammar or a JSON schema that becomes one.
import { z } from "zod";
import { refuseWhole } from "../engine/judge.js";
import { invalidOption } from "../errors.js";
import { choiceGrammar } from "./gbnf.js";
import { type JsonSchema, type SchemaOption, type WrittenSchema, writtenSchema } from "./output-schema.js";
import { regexGrammar } from "./regex.js";
import { schemaGrammar } from "./schema.js";
import { keywordProblem } from "./schema-keywords.js";

/** What the text must look like, in one of four ways; the generation ends where nothing may follow. */
export interface ConstraintOptions<Schema extends SchemaOption | undefined = SchemaOption | undefined> {
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
   *
   * A schema of zod 4.2 and later, arktype, or valibot by `toStandardJsonSchema()` too: the
   * text is JSON of what the schema takes, and awaiting the generation gives what it makes of
   * that as `object`, typed and validated, or rejects with OUTPUT_INVALID.
   */
  readonly jsonSchema?: Schema | undefined;
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
const choicePhrase = `an array of 1 to ${maximumChoices} non-empty strings of at most 256 KiB together`;

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

/** A `jsonSchema` in judged form. */
export interface JudgedSchema {
  /** Its JSON. */
  readonly keywords: JsonSchema;
  /** Judges the answer; undefined where a JSON schema was given. */
  readonly judge: WrittenSchema["judge"];
}

const jsonSchema = z.unknown().transform((value, context): JudgedSchema => {
  let message = schemaPhrase;
  try {
    const written = writtenSchema(value);
    const problem = typeof written === "string" ? undefined : keywordProblem(written.json);
    if (problem !== undefined) {
      context.addIssue({ code: "custom", message: problem, params: { whole: true } });
      return z.NEVER;
    }
    if (typeof written === "string") message = written;
    else {
      const keywords = asJson(written.json);
      if (keywords !== undefined) return { keywords, judge: written.judge };
    }
  } catch {
    // a bigint, or what a toJSON() or a getter throws
  }
  context.addIssue({ code: "custom", message });
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

const regexSchema = z.custom<string | RegExp>().superRefine((regex: unknown, context) => {
  const isRegExp = regex instanceof RegExp;
  const flag = isRegExp ? /[^su]/.exec(regex.flags)?.[0] : undefined;
  if (flag !== undefined) {
    const instead = flag === "i" ? "write both cases, such as [aA]" : "leave it away";
    return refuseWhole(context, `has the flag ${flag}, which is not supported; ${instead}`);
  }
  const source: unknown = isRegExp ? regex.source : regex;
  if (typeof source === "string" && source.length <= maximumRegexLength) return;
  context.addIssue({ code: "custom", message: regexPhrase });
});

const choiceSchema = z.custom<readonly string[]>().superRefine((choice: unknown, context) => {
  const refuse = (message: string, path: number[] = []) =>
    context.addIssue({ code: "custom", message, path, continue: false });
  if (!Array.isArray(choice) || choice.length === 0 || choice.length > maximumChoices) {
    return refuse(choicePhrase);
  }
  const wrong = Array.from(choice).findIndex((text) => typeof text !== "string" || text === "");
  if (wrong >= 0) return refuse("a non-empty string", [wrong]);
  const bytes = choice.reduce((sum: number, text: string) => sum + Buffer.byteLength(text), 0);
  if (bytes > maximumBytes) refuse(choicePhrase);
});

/** The fields of ConstraintOptions in a request's schema. */
export const constraintShape = {
  grammar: z.custom<string>(isGrammar, grammarPhrase).optional(),
  jsonSchema: jsonSchema.optional(),
  regex: regexSchema.optional(),
  choice: choiceSchema.optional(),
};

/** A constraint in judged form. */
export interface JudgedConstraint {
  /** GBNF; "" where nothing is given. */
  readonly grammar: string;
  /** The JSON schema that the grammar is made of. */
  readonly schema: JsonSchema | undefined;
  /** The option it was given by. */
  readonly field: string | undefined;
}

interface GivenConstraint extends Omit<ConstraintOptions, "jsonSchema"> {
  readonly jsonSchema?: JudgedSchema | undefined;
}

/** @throws InferenceError INVALID_OPTION */
export function judgeConstraint(
  { grammar, jsonSchema, regex, choice }: GivenConstraint,
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
  if (jsonSchema !== undefined) {
    const { keywords } = jsonSchema;
    return { grammar: schemaGrammar(keywords), schema: keywords, field };
  }
  return { grammar: grammar ?? fromRegex(regex) ?? fromChoice(choice) ?? "", schema: undefined, field };
}

function fromRegex(regex: string | RegExp | undefined): string | undefined {
  if (regex instanceof RegExp) return regexGrammar(regex.source, regex.dotAll);
  return regex === undefined ? undefined : regexGrammar(regex);
}

function fromChoice(choice: readonly string[] | undefined): string | undefined {
  return choice === undefined ? undefined : choiceGrammar(choice);
}
