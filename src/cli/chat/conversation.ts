// A conversation with one model: its messages, which of them the model still sees, and its
// answers. A message that gets no answer is taken back, so that the messages always
// alternate. It writes nothing; a listener does.
import type { ChatMessage, Engine, Model } from "../../index.js";
import type { AnswerFlags } from "../flags.js";
import type { RunSummary } from "../format.js";
import { refusal } from "../terminal.js";

/** Hears an answer as it comes. */
export interface AnswerListener {
  text(text: string): Promise<void>;
  reasoning(text: string): Promise<void>;
}

/** What became of a message. */
export interface Answered extends RunSummary {
  /** False: it was cancelled before its text began, and the message is taken back. */
  readonly kept: boolean;
  /** Messages that the model no longer sees, for want of context; 0 where none were dropped now. */
  readonly newlyHidden: number;
}

/** Tokens of all answers together, and of the last one. */
export interface ConversationStats {
  readonly messages: number;
  readonly hidden: number;
  readonly answers: number;
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly completionTokens: number;
  readonly last: RunSummary | undefined;
}

/** An answer may take this share of the context before older messages are dropped for it. */
const answerShare = 1 / 4;
/** What is kept when messages are dropped: room for several turns, whose prefix stays cached. */
const keptShare = 1 / 2;

const noTotals = { answers: 0, promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0 };

/** The messages exchanged with a model. */
export class Conversation {
  /** Told to the model before all messages; undefined: nothing. */
  system: string | undefined;
  readonly #model: Model;
  readonly #engine: Engine;
  #messages: readonly ChatMessage[] = [];
  /** Index of the first message that the model sees. */
  #first = 0;
  #totals = noTotals;
  #last: RunSummary | undefined;

  constructor(model: Model, engine: Engine, system: string | undefined) {
    this.#model = model;
    this.#engine = engine;
    this.system = system;
  }

  /** All messages, those that the model no longer sees too; the system prompt is the first. */
  get messages(): readonly ChatMessage[] {
    return this.#withSystem(this.#messages);
  }

  stats(): ConversationStats {
    const counts = { messages: this.#messages.length, hidden: this.#first };
    return { ...counts, ...this.#totals, last: this.#last };
  }

  /** Forgets all messages, not the system prompt. */
  clear(): void {
    this.#messages = [];
    this.#first = 0;
  }

  /** Goes on from other messages; a system prompt among them comes first. */
  replace(messages: readonly ChatMessage[]): void {
    const [first, ...rest] = messages;
    const hasSystem = first?.role === "system";
    this.system = hasSystem ? textOf(first) : undefined;
    this.#messages = hasSystem ? rest : messages;
    this.#first = 0;
  }

  /**
   * Takes the last message of the user and its answer back.
   * @returns the message
   * @throws InferenceError INVALID_OPTION where there is none
   */
  undo(): string {
    const index = this.#lastUser();
    const undone = this.#messages[index];
    if (undone === undefined) throw refusal("there is no message to take back");
    this.#keep(index);
    return textOf(undone);
  }

  /** Says something to the model. @throws InferenceError (rejects) as reading a generation does */
  async ask(
    text: string,
    flags: AnswerFlags,
    listener: AnswerListener,
    signal: AbortSignal,
  ): Promise<Answered> {
    const asked = [...this.#messages, { role: "user", content: text }];
    return this.#answer(asked, flags, listener, signal);
  }

  /** Has the last message answered again; the answer of before stays where none comes. */
  async retry(flags: AnswerFlags, listener: AnswerListener, signal: AbortSignal): Promise<Answered> {
    const index = this.#lastUser();
    if (index < 0) throw refusal("there is no message to answer again");
    return this.#answer(this.#messages.slice(0, index + 1), flags, listener, signal);
  }

  async #answer(
    asked: readonly ChatMessage[],
    flags: AnswerFlags,
    listener: AnswerListener,
    signal: AbortSignal,
  ): Promise<Answered> {
    const first = await this.#firstThatFits(asked, flags);
    const shown = this.#withSystem(asked.slice(first));
    const { summary, reasoning } = await read(
      this.#engine.generate({ ...flags, messages: shown, signal }),
      listener,
    );
    const kept = summary.finishReason !== "cancelled" || summary.text.trim() !== "";
    const newlyHidden = kept ? Math.max(0, first - this.#first) : 0;
    if (kept) {
      this.#messages = [...asked, answerMessage(summary.text, reasoning)];
      this.#first = first;
      this.#count(summary);
    }
    return { ...summary, kept, newlyHidden };
  }

  /** The first message from which the conversation leaves room for an answer. */
  async #firstThatFits(asked: readonly ChatMessage[], { maxTokens }: AnswerFlags): Promise<number> {
    const { contextLength } = this.#engine.options;
    const reserved = Math.min(maxTokens ?? contextLength, Math.floor(contextLength * answerShare));
    let first = Math.min(this.#first, asked.length - 1);
    if ((await this.#tokens(asked.slice(first))) + reserved <= contextLength) return first;
    for (;;) {
      const next = asked.findIndex(({ role }, index) => index > first && role === "user");
      if (next < 0) return first; // the engine says by how much it is too long
      first = next;
      if ((await this.#tokens(asked.slice(first))) <= contextLength * keptShare) return first;
    }
  }

  async #tokens(messages: readonly ChatMessage[]): Promise<number> {
    const { prompt } = await this.#model.renderChat(this.#withSystem(messages));
    return this.#model.tokenize(prompt, { parseSpecial: true }).length;
  }

  #count(summary: RunSummary): void {
    const { promptTokens, cachedPromptTokens, completionTokens } = summary.usage;
    const before = this.#totals;
    this.#last = summary;
    this.#totals = {
      answers: before.answers + 1,
      promptTokens: before.promptTokens + promptTokens,
      cachedPromptTokens: before.cachedPromptTokens + cachedPromptTokens,
      completionTokens: before.completionTokens + completionTokens,
    };
  }

  #withSystem(messages: readonly ChatMessage[]): readonly ChatMessage[] {
    return this.system === undefined ? messages : [{ role: "system", content: this.system }, ...messages];
  }

  #lastUser(): number {
    return this.#messages.findLastIndex(({ role }) => role === "user");
  }

  #keep(count: number): void {
    this.#messages = this.#messages.slice(0, count);
    this.#first = Math.min(this.#first, Math.max(0, count - 1));
  }
}

function answerMessage(content: string, reasoning: string): ChatMessage {
  return { role: "assistant", content, ...(reasoning !== "" && { reasoning }) };
}

/** What a message says, its parts joined. */
export function textOf({ content = "" }: ChatMessage): string {
  return typeof content === "string" ? content : content.map(({ text }) => text).join("\n");
}

/** Reads a generation to its end. */
async function read(generation: ReturnType<Engine["generate"]>, listener: AnswerListener) {
  let text = "";
  let reasoning = "";
  for await (const event of generation) {
    if (event.type === "text-delta") {
      text += event.text;
      await listener.text(event.text);
    } else if (event.type === "reasoning-delta") {
      reasoning += event.text;
      await listener.reasoning(event.text);
    } else if (event.type === "end") {
      const { finishReason, usage, timings } = event;
      return { summary: { text, finishReason, usage, timings }, reasoning };
    }
  }
  throw new Error("the generation had no end event");
}
