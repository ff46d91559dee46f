// Tools that a model may call: their type, their limits, and OpenAI's form, which
// llama.cpp's templates take.
import { z } from "zod";
import { type JsonSchema, type SchemaOption, writtenSchema } from "../constraints/output-schema.js";
import { keywordProblem } from "../constraints/schema-keywords.js";
import { invalidOption } from "../errors.js";
import { wellFormedJson } from "../well-formed.js";

/** A function that the model may ask its caller to run. */
export interface Tool {
  /** 1 to 64 letters, digits, "_", "-" and ".". */
  readonly name: string;
  /** What it does, for the model to read. */
  readonly description?: string | undefined;
  /**
   * A JSON schema of its arguments, an object's, or what `jsonSchema` takes of zod, arktype and
   * valibot, which is told to the model as JSON schema. Default: it takes none.
   */
  readonly parameters?: SchemaOption | undefined;
}

/**
 * Whether a tool is called: as the model likes, at least one, none, or this one.
 * "required" and a name bind the answer: its first text is a call, after the rest of a
 * thought where the prompt begins one.
 */
export type ToolChoice = "auto" | "required" | "none" | NamedToolChoice;

/** The tool that is to be called. */
export interface NamedToolChoice {
  /** One of the tools' names. */
  readonly name: string;
}

/**
 * Who says how calls are written: the template, where it has a place for tools, else the
 * generic form, which a system message tells the model ("auto"); the template alone, so that
 * tools are refused where it has no place for them ("template"); or always the generic form.
 */
export type ToolForm = "auto" | "template" | "generic";

/** A tool's call as a model wrote it. */
export interface ToolCall {
  /** The model's own id where its format has one, else one made up. */
  readonly id: string;
  /** The tool's. */
  readonly name: string;
  /** JSON text; of a generation that ended in the middle, as far as it came. */
  readonly arguments: string;
}

/** A call in a conversation's past. */
export interface PastToolCall {
  /** ToolCall.id of the answer that called. */
  readonly id?: string | undefined;
  /** The tool's. */
  readonly name: string;
  /** JSON text, or what it stands for; "" is "{}". Text that is no JSON is told to the template as it is. */
  readonly arguments: string | Readonly<Record<string, unknown>>;
}

const maximumTools = 128;
const maximumBytes = 256 * 1024;

const toolsPhrase = `an array of at most ${maximumTools} tools of { name, description, parameters }, ${maximumBytes >> 10} KiB at most`;
const namePhrase = 'a name of 1 to 64 letters, digits, "_", "-" and "."';
const formPhrase = '"auto", "template" or "generic"';
const choicePhrase = '"auto", "required", "none" or { name } of a tool';
const parametersPhrase = "a JSON schema of an object";
const argumentsPhrase = "text or an object, 16 MiB at most";
/** What a model wrote, in its answers' own bounds. */
const maximumPastName = 256;
const maximumPastBytes = 16 * 2 ** 20;
const pastNamePhrase = `a name of 1 to ${maximumPastName} characters`;

const name = () => z.string(namePhrase).regex(/^[\w.-]{1,64}$/, namePhrase);

function isSchema(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { type = "object" } = value as { readonly type?: unknown };
  return type === "object";
}

function isSmall(value: unknown, most = maximumBytes): boolean {
  try {
    return Buffer.byteLength(JSON.stringify(value) ?? "") <= most;
  } catch {
    return false; // circular, or a bigint
  }
}

function isArguments(value: unknown): boolean {
  if (typeof value === "string") return Buffer.byteLength(value) <= maximumPastBytes;
  return typeof value === "object" && value !== null && isSmall(value, maximumPastBytes);
}

/** JSON; one tool never fails a request for what stands deep in its schema. */
const parameters = z.unknown().transform((value, context): JsonSchema => {
  const written = writtenSchema(value);
  const problem = typeof written === "string" ? undefined : keywordProblem(written.json, false);
  if (problem !== undefined) {
    context.addIssue({ code: "custom", message: problem, params: { whole: true } });
  } else if (typeof written === "string" || !isSchema(written.json)) {
    context.addIssue({ code: "custom", message: typeof written === "string" ? written : parametersPhrase });
  } else {
    const { $schema, ...rest } = written.json as JsonSchema;
    return written.judge === undefined ? (written.json as JsonSchema) : rest;
  }
  return z.NEVER;
});

const tool = z.strictObject(
  {
    name: name(),
    description: z.string("a string").optional(),
    parameters: parameters.optional(),
  },
  "a tool of { name, description, parameters }",
);

/** The schema of a request's tools. */
export const toolsSchema = z
  .array(tool, toolsPhrase)
  .max(maximumTools, toolsPhrase)
  .refine((tools) => isSmall(tools), toolsPhrase);

/** The schema of a tool choice. */
export const toolChoiceSchema = z.union(
  [z.enum(["auto", "required", "none"]), z.strictObject({ name: name() })],
  choicePhrase,
);

/** The schema of a tool form. */
export const toolFormSchema = z.enum(["auto", "template", "generic"], formPhrase);

/** The schema of a call in a message. */
export const pastToolCallSchema = z.strictObject(
  {
    id: z.string("a string").max(256, "a string of at most 256 characters").optional(),
    name: z.string(pastNamePhrase).min(1, pastNamePhrase).max(maximumPastName, pastNamePhrase),
    arguments: z.custom<string | Readonly<Record<string, unknown>>>(isArguments, argumentsPhrase),
  },
  "a tool call of { id, name, arguments }",
);

/** What a request says about tools. */
export interface ToolOptions {
  /** Functions that the model may ask to be called, up to 128; [] as if left out. */
  readonly tools?: readonly Tool[] | undefined;
  /** Whether one is called. Default "auto". Only with `tools`. */
  readonly toolChoice?: ToolChoice | undefined;
  /** Several calls in one answer. Default: as the template has it, one if required. Only with `tools`. */
  readonly parallelToolCalls?: boolean | undefined;
  /** Whose form calls have, the template's or the generic one. Default "auto". */
  readonly toolForm?: ToolForm | undefined;
}

/** Tools in judged form. */
export interface JudgedTools {
  readonly tools: readonly Tool[];
  readonly choice: "auto" | "required" | "none";
  /** Undefined: as the template is made for. */
  readonly parallel: boolean | undefined;
}

/**
 * Tools as the template takes them: a named one is the only one, and required.
 * @param call for messages
 * @throws InferenceError INVALID_OPTION
 */
export function judgeTools(call: string, { tools, toolChoice, parallelToolCalls }: ToolOptions) {
  const refuse = (option: string, problem: string) => invalidOption(call, [option], problem);
  if (tools === undefined) {
    if (toolChoice !== undefined) throw refuse("toolChoice", "must come with tools");
    if (parallelToolCalls !== undefined) throw refuse("parallelToolCalls", "must come with tools");
    return undefined;
  }
  if (tools.length === 0) {
    if (toolChoice === undefined || toolChoice === "auto" || toolChoice === "none") return undefined;
    throw refuse("toolChoice", 'must be "auto" or "none" where tools is empty');
  }
  const names = tools.map((each) => each.name);
  const twice = names.find((each, index) => names.indexOf(each) < index);
  if (twice !== undefined) throw refuse("tools", `must have different names, got "${twice}" twice`);
  if (toolChoice === "required") {
    return { tools, choice: "required", parallel: parallelToolCalls ?? false } as const;
  }
  if (typeof toolChoice !== "object") {
    return { tools, choice: toolChoice ?? "auto", parallel: parallelToolCalls } as const;
  }
  const chosen = tools.filter((each) => each.name === toolChoice.name);
  if (chosen.length === 0) {
    throw refuse("toolChoice", `must name one of the tools, ${names.join(", ")}; got "${toolChoice.name}"`);
  }
  return { tools: chosen, choice: "required", parallel: false } as const;
}

/** Judged tools in OpenAI's spelling. */
export function toolsToWire(tools: readonly Tool[]): readonly object[] {
  return tools.map((each) => ({ type: "function", function: each }));
}

/** A past call in OpenAI's spelling. */
export function callToWire({ id, name, arguments: given }: PastToolCall): object {
  const text = typeof given === "string" ? given : JSON.stringify(given);
  return {
    ...(id !== undefined && { id }),
    type: "function",
    function: { name, arguments: wellFormedJson(text.trim() === "" ? "{}" : text) },
  };
}
