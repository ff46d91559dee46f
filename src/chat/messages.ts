// A conversation: its type, its limits, and the form llama.cpp's templates take
// (OpenAI's). Judged whole before it leaves this process, so that the only
// errors left are the template's own.
import { z } from "zod";
import type { Keywords } from "../constraints/schema-parts.js";
import { flag, refuseWhole } from "../engine/judge.js";
import { invalidOption } from "../errors.js";
import type { StandIns } from "./stand-ins.js";
import {
  callToWire,
  type JudgedTools,
  type PastToolCall,
  pastToolCallSchema,
  type ToolForm,
  type ToolOptions,
  toolChoiceSchema,
  toolFormSchema,
  toolsSchema,
  toolsToWire,
} from "./tools.js";

/** A part of a message's content. */
export interface TextPart {
  /** Text is the only kind. */
  readonly type: "text";
  /** The part's text. */
  readonly text: string;
}

/** One message of a conversation. */
export interface ChatMessage {
  /** Who speaks, in the template's words: "system", "user", "assistant", "tool". */
  readonly role: string;
  /**
   * What is said; parts are joined by the template or, where it knows none, by
   * newlines. May be left out beside toolCalls.
   */
  readonly content?: string | readonly TextPart[] | undefined;
  /** What an assistant thought before it spoke, for templates that show it. */
  readonly reasoning?: string | undefined;
  /** The tools an assistant called. */
  readonly toolCalls?: readonly PastToolCall[] | undefined;
  /** The call that a tool's message answers. */
  readonly toolCallId?: string | undefined;
  /** The speaker's name, for templates that use one. */
  readonly name?: string | undefined;
}

/** How a conversation becomes a prompt. */
export interface ChatOptions extends ToolOptions {
  /** End with the beginning of the assistant's answer. Default true. */
  readonly addGenerationPrompt?: boolean | undefined;
  /**
   * End in the middle of the last message, which the answer continues. Not with
   * addGenerationPrompt true. Default false.
   */
  readonly continueFinalMessage?: boolean | undefined;
  /** Further variables of the template, such as `enable_thinking`. Values are JSON. Default none. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

/** A conversation as text. */
export interface RenderedChat {
  /** The prompt, without the begin-of-sequence token that the tokenizer adds. */
  readonly prompt: string;
  /** Strings at which the answer ends besides the model's end tokens. */
  readonly stop: readonly string[];
}

const maximumMessages = 4096;
const maximumRole = 64;
const maximumName = 256;
const maximumCalls = 128;
const maximumTextBytes = 16 * 2 ** 20;

const rolePhrase = `a role of 1 to ${maximumRole} characters such as "user"`;
const textPhrase = `a string of at most ${maximumTextBytes >> 20} MiB`;
const contentPhrase = 'a string or an array of { type: "text", text } parts';
const callsPhrase = `an array of at most ${maximumCalls} tool calls`;
const messagesPhrase = `an array of 1 to ${maximumMessages} messages such as [{ role: "user", content: "…" }]`;
const variablesPhrase = "an object whose values are JSON";

function isText(value: unknown): boolean {
  return typeof value === "string" && Buffer.byteLength(value) <= maximumTextBytes;
}

const text = () => z.custom<string>(isText, textPhrase);

/** Kinds of parts that other interfaces know. */
const otherParts: ReadonlyMap<unknown, string> = new Map(
  Object.entries({
    images: ["image_url", "image", "input_image"],
    "sound is": ["input_audio", "audio"],
    videos: ["video_url", "video"],
    files: ["file", "input_file", "document"],
  }).flatMap(([what, types]) => types.map((type) => [type, what.endsWith(" is") ? what : `${what} are`])),
);

const partType = z.custom<"text">().superRefine((type: unknown, context) => {
  const other = otherParts.get(type);
  if (other !== undefined)
    return refuseWhole(context, `is ${JSON.stringify(type)}: ${other} not supported; send text`);
  if (type !== "text") context.addIssue({ code: "custom", message: '"text"' });
});
const part = z.strictObject({ type: partType, text: text() }, contentPhrase);

const message = z.strictObject(
  {
    role: z.string(rolePhrase).min(1, rolePhrase).max(maximumRole, rolePhrase),
    content: z.union([text(), z.array(part)], contentPhrase).optional(),
    reasoning: text().optional(),
    toolCalls: z.array(pastToolCallSchema, callsPhrase).max(maximumCalls, callsPhrase).optional(),
    toolCallId: z.string("a string").max(256, "a string of at most 256 characters").optional(),
    name: z.string(`a string of at most ${maximumName} characters`).max(maximumName).optional(),
  },
  "a message of { role, content }",
);

function saysSomething({ content, toolCalls }: z.infer<typeof message>): boolean {
  return content !== undefined || (toolCalls !== undefined && toolCalls.length > 0);
}

/** The schema of a conversation. */
export const messagesSchema = z
  .array(message.refine(saysSomething, "a message with content or toolCalls"), messagesPhrase)
  .min(1, messagesPhrase)
  .max(maximumMessages, messagesPhrase);

/** The schema of a template's variables. */
export const variablesSchema = z.custom<Readonly<Record<string, unknown>>>(isJsonObject, variablesPhrase);

/** The fields of ToolOptions in a request's schema. */
export const toolShape = {
  tools: toolsSchema.optional(),
  toolChoice: toolChoiceSchema.optional(),
  parallelToolCalls: flag().optional(),
  toolForm: toolFormSchema.optional(),
};

/** How a prompt ends, in a request's schema. */
export const openingShape = {
  addGenerationPrompt: flag().optional(),
  continueFinalMessage: flag().default(false),
};

/**
 * Whether a prompt ends with the beginning of an answer.
 * @param call for messages
 * @throws InferenceError INVALID_OPTION
 */
export function opensAnswer(
  call: string,
  messages: readonly ChatMessage[],
  options: Pick<ChatOptions, "addGenerationPrompt" | "continueFinalMessage" | "tools">,
): boolean {
  if (!options.continueFinalMessage) return options.addGenerationPrompt ?? true;
  const refuse = (problem: string | ((name: (option: string) => string) => string)) =>
    invalidOption(call, ["continueFinalMessage"], problem);
  if (options.addGenerationPrompt)
    throw refuse(
      (name) => `must come with ${name("addGenerationPrompt")} false: an answer is continued or begun`,
    );
  if (options.tools?.length)
    throw refuse((name) => `must come without ${name("tools")}: a text is continued`);
  if (finalText(messages).trim() === "") throw refuse("must come with a last message that has text");
  return false;
}

/** What the last message says last. */
export function finalText(messages: readonly ChatMessage[]): string {
  const content = messages.at(-1)?.content ?? "";
  return typeof content === "string" ? content : (content.at(-1)?.text ?? "");
}

/** The schema of ChatOptions. */
export const chatOptionsSchema = z.strictObject({
  ...openingShape,
  variables: variablesSchema.default({}),
  ...toolShape,
});

function isJsonObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  try {
    return Object.values(value).every((item) => JSON.stringify(item) !== undefined);
  } catch {
    return false; // circular, or a bigint
  }
}

/** A conversation in judged form. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly variables: Readonly<Record<string, unknown>>;
  readonly addGenerationPrompt: boolean;
  /** End in the middle of the last message. Default false. */
  readonly continuesFinal?: boolean | undefined;
  readonly tools?: JudgedTools | undefined;
  /** Default "auto". */
  readonly toolForm?: ToolForm | undefined;
  /** Tell what is thought apart from what is said. */
  readonly splitReasoning: boolean;
  /** A JSON schema that the answer is to follow. */
  readonly schema?: Keywords | undefined;
}

/**
 * A judged conversation in the spelling of the process that renders it.
 * @param standIns what its answer's form is made of; the prompt shows what they stand for
 */
export function conversationToWire(
  { messages, tools, schema, continuesFinal: _, ...rest }: Conversation,
  standIns: StandIns | undefined,
): object {
  return {
    ...rest,
    messages: messages.map(messageToWire),
    ...(schema !== undefined && { schema: standIns?.schema, shownSchema: schema }),
    ...(tools !== undefined && {
      tools: standIns?.tools,
      shownTools: toolsToWire(tools.tools),
      toolChoice: tools.choice,
      ...(tools.parallel !== undefined && { parallelToolCalls: tools.parallel }),
    }),
  };
}

function messageToWire({ reasoning, toolCalls, toolCallId, ...rest }: ChatMessage): object {
  return {
    ...rest,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(toolCalls !== undefined && toolCalls.length > 0 && { tool_calls: toolCalls.map(callToWire) }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
  };
}
