// How an answer is written in a template's format, and what it says once it is
// taken apart. Both come from the process that renders conversations.

/** What the parser of a format needs to know; opaque here. */
export interface AnswerParser {
  readonly format: number;
  readonly parser: string;
  readonly generationPrompt: string;
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
  readonly triggers: readonly string[];
  readonly thinkingStart: string;
  readonly thinkingEnds: readonly string[];
  /** The prompt ends inside a thought. */
  readonly thinking: boolean;
}

/** An answer, or the beginning of one, taken apart. */
export interface ParsedAnswer {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  /** The part that the next character belongs to, where that is sure. */
  readonly open: "content" | "reasoning" | "";
}

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
