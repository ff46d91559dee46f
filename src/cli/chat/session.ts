// A chat in a terminal: reads messages and commands in turn, shows answers, and is
// interrupted by Ctrl-C. What goes wrong is one sentence; the conversation goes on.
import { InferenceError } from "../../index.js";
import type { OpenedModel } from "../opened-model.js";
import { exitCodes, failureText, isOutputOpen, kebab } from "../terminal.js";
import type { Answered, AnswerListener, Conversation } from "./conversation.js";
import { loadConversation } from "./conversation-file.js";
import type { MessageInput } from "./message-input.js";
import type { Screen } from "./screen.js";
import type { Settings } from "./settings.js";
import { isCommand, messageOf, runCommand } from "./slash-commands.js";

/** What a chat in a terminal is made of. */
export interface ChatParts {
  readonly opened: OpenedModel;
  readonly modelName: string;
  readonly conversation: Conversation;
  readonly settings: Settings;
  readonly screen: Screen;
  readonly showsReasoning: boolean;
}

/** Messages shown of a conversation that is resumed. */
const shownMessages = 10;

/** A chat in a terminal. */
export class ChatSession {
  readonly opened: OpenedModel;
  readonly modelName: string;
  readonly conversation: Conversation;
  readonly settings: Settings;
  readonly screen: Screen;
  readonly #showsReasoning: boolean;
  /** The answer that is coming. */
  #answering: AbortController | undefined;
  /** Ctrl-C was the last key: the next one leaves. */
  #interrupted = false;
  #retries = 0;

  constructor(parts: ChatParts) {
    this.opened = parts.opened;
    this.modelName = parts.modelName;
    this.conversation = parts.conversation;
    this.settings = parts.settings;
    this.screen = parts.screen;
    this.#showsReasoning = parts.showsReasoning;
  }

  /** Runs until the person leaves. @returns the exit code */
  async run(input: MessageInput): Promise<number> {
    const onInterrupt = () => this.#onInterrupt();
    process.on("SIGINT", onInterrupt);
    try {
      return await this.#turns(input);
    } finally {
      process.off("SIGINT", onInterrupt);
    }
  }

  async #turns(input: MessageInput): Promise<number> {
    while (isOutputOpen()) {
      const entered = await input.next();
      if (entered.type === "end") {
        process.stdout.write("\n");
        return exitCodes.ok;
      }
      if (entered.type === "interrupt") {
        if (this.#interrupted) return exitCodes.interrupted;
        this.#interrupted = true;
        this.screen.note("Ctrl-C again or Ctrl-D leaves");
        continue;
      }
      this.#interrupted = false;
      if (entered.text.trim() === "") continue;
      if ((await this.#turn(entered.text, entered.isBlock)) === "leave") return exitCodes.ok;
    }
    return exitCodes.ok;
  }

  async #turn(text: string, isBlock: boolean) {
    try {
      if (!isBlock && isCommand(text)) return await runCommand(this, text);
      await this.#say(isBlock ? text : messageOf(text));
    } catch (thrown) {
      if (!(thrown instanceof InferenceError)) throw thrown;
      this.screen.failure(failureText(thrown, kebab));
    }
    return "go on";
  }

  async #say(text: string): Promise<void> {
    this.#retries = 0;
    await this.#show((listener, signal) =>
      this.conversation.ask(text, this.settings.values, listener, signal),
    );
  }

  /** Answers the last message again; with a fixed seed, by the seeds that follow it. */
  async retry(): Promise<void> {
    this.#retries += 1;
    const { seed, ...rest } = this.settings.values;
    const next = seed === undefined ? undefined : BigInt.asUintN(64, BigInt(seed) + BigInt(this.#retries));
    await this.#show((listener, signal) =>
      this.conversation.retry({ ...rest, ...(next !== undefined && { seed: next }) }, listener, signal),
    );
  }

  /** Goes on from a saved conversation, and shows it. */
  async load(path: string): Promise<void> {
    const messages = await loadConversation(path);
    await this.opened.model.renderChat(messages); // judges them
    this.conversation.replace(messages);
    const hidden = Math.max(0, messages.length - shownMessages);
    if (hidden > 0) this.screen.note(`${hidden} messages before these`);
    this.screen.history(messages.slice(hidden));
    this.screen.note(`continues ${path}, ${messages.length} messages`);
  }

  async #show(answer: (listener: AnswerListener, signal: AbortSignal) => Promise<Answered>): Promise<void> {
    const controller = new AbortController();
    this.#answering = controller;
    const shown = this.screen.answer(controller.signal, this.#showsReasoning);
    try {
      const answered = await answer(shown, controller.signal);
      await shown.end();
      this.#tell(answered);
    } catch (thrown) {
      await shown.end();
      throw thrown;
    } finally {
      this.#answering = undefined;
    }
  }

  /** What the person should know of an answer. */
  #tell({ kept, newlyHidden, finishReason }: Answered): void {
    const { screen } = this;
    if (!kept) screen.note("stopped before the answer; the message is taken back. Ctrl-C again leaves");
    else if (finishReason === "cancelled") screen.note("stopped; Ctrl-C again leaves");
    else if (finishReason === "length") screen.note(this.#lengthReason());
    if (newlyHidden > 0) {
      const { contextLength } = this.opened.engine.options;
      screen.note(
        `the context of ${contextLength} tokens is full: the model no longer sees the ${newlyHidden} oldest messages`,
      );
    }
  }

  #lengthReason(): string {
    const { maxTokens } = this.settings.values;
    const last = this.conversation.stats().last?.usage.completionTokens;
    if (maxTokens !== undefined && last !== undefined && last >= maxTokens) {
      return `cut off at max-tokens ${maxTokens}; /set max-tokens changes it`;
    }
    return "cut off: the context is full; -c makes it larger, /clear empties it";
  }

  #onInterrupt(): void {
    if (this.#interrupted || this.#answering === undefined) {
      if (this.#interrupted) process.exit(exitCodes.interrupted);
      this.#interrupted = true;
      return;
    }
    this.#interrupted = true;
    this.#answering.abort();
  }
}
