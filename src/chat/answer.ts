// How an answer is written in a template's format, and what it says once it is
// taken apart. Both come from the process that renders conversations, whose word is
// not taken for it: the schemas say what it must look like.
import { z } from "zod";

/** What the parser of a format needs to know; opaque here. */
export interface AnswerParser {
  readonly format: number;
  readonly parser: string;
  readonly generationPrompt: string;
}

/** A text from which on a grammar binds. */
export interface TriggerWord {
  /** A space stands for white space of any length, none included. */
  readonly word: string;
  /** The beginning of the grammar's text that it stands for. */
  readonly begins: string;
}

/** The format of an answer that is more than text. */
export interface AnswerFormat extends AnswerParser {
  /** Texts that end a part that may hold anything else. */
  readonly ends: readonly string[];
  /** The format's other words: where one stands, another part may begin. */
  readonly words: readonly string[];
  /** Texts of control tokens that the format is told by. */
  readonly visible: readonly string[];
  /** GBNF of the whole answer, after generationPrompt; "": anything goes. */
  readonly grammar: string;
  /** The grammar binds from one of `triggers` on, which may be none. */
  readonly lazy: boolean;
  readonly triggers: readonly TriggerWord[];
  readonly thinkingStart: string;
  readonly thinkingEnds: readonly string[];
  /** The prompt ends inside a thought. */
  readonly thinking: boolean;
}

/** The schema of an AnswerFormat. */
export const answerFormatSchema = z.object({
  format: z.int(),
  parser: z.string(),
  generationPrompt: z.string(),
  ends: z.array(z.string()),
  words: z.array(z.string()),
  visible: z.array(z.string()),
  grammar: z.string(),
  lazy: z.boolean(),
  triggers: z.array(z.object({ word: z.string().min(1), begins: z.string().min(1) })),
  thinkingStart: z.string(),
  thinkingEnds: z.array(z.string()),
  thinking: z.boolean(),
});

/** An answer, or the beginning of one, taken apart. */
export interface ParsedAnswer {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  /** The part that the next character belongs to, where that is sure. */
  readonly open: "content" | "reasoning" | "";
}

/** The schema of a ParsedAnswer. */
export const parsedAnswerSchema = z.object({
  content: z.string(),
  reasoning: z.string(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })),
  open: z.enum(["content", "reasoning", ""]),
});

/** Some more of an answer. */
export type AnswerDelta =
  | { readonly type: "content" | "reasoning"; readonly text: string }
  | {
      readonly type: "tool-call";
      readonly index: number;
      readonly id: string;
      readonly name: string;
      /** More of its arguments' JSON text; the first delta of a call may have none. */
      readonly text: string;
    };
