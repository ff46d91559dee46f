// What a chat shows in a terminal: answers as they come, thoughts apart from them, and notes
// of the chat's own in parentheses. Text of models and files never reaches the terminal as
// control sequences.
import type { ChatMessage } from "../../index.js";
import { print } from "../terminal.js";
import { type AnswerListener, textOf } from "./conversation.js";

const dim = "\x1b[2m";
const plain = "\x1b[0m";

/** Where a terminal's text stands. */
type Part = "none" | "thoughts" | "answer";

/** One terminal. */
export class Screen {
  readonly #colored: boolean;

  constructor(colored: boolean) {
    this.#colored = colored;
  }

  /** A line of the chat's own. */
  note(line: string): void {
    this.#write(`${this.#dimmed(`(${visible(line)})`)}\n`);
  }

  /** Lines to be read as they are. */
  lines(text: string): void {
    this.#write(`${visible(text)}\n`);
  }

  /** Something that did not work. */
  failure(sentence: string): void {
    this.#write(`${visible(sentence)}\n`);
  }

  /** Messages of before, as they looked. */
  history(messages: readonly ChatMessage[]): void {
    for (const message of messages) {
      const text = visible(textOf(message).trim());
      if (message.role === "user") this.#write(`> ${text.replaceAll("\n", "\n… ")}\n`);
      else if (message.role === "assistant") this.#write(`${text}\n\n`);
      else this.note(`${message.role}: ${text}`);
    }
  }

  /** An answer that is about to come. */
  answer(signal: AbortSignal, showsReasoning: boolean): AnswerOnScreen {
    return new AnswerOnScreen(signal, this.#colored, showsReasoning);
  }

  #dimmed(text: string): string {
    return this.#colored ? `${dim}${text}${plain}` : text;
  }

  #write(text: string): void {
    process.stdout.write(text);
  }
}

/** One answer as it comes. Thoughts are dim, or marked where there are no colors. */
export class AnswerOnScreen implements AnswerListener {
  readonly #signal: AbortSignal;
  readonly #colored: boolean;
  readonly #showsReasoning: boolean;
  #part: Part = "none";
  #last = "";

  constructor(signal: AbortSignal, colored: boolean, showsReasoning: boolean) {
    this.#signal = signal;
    this.#colored = colored;
    this.#showsReasoning = showsReasoning;
  }

  async reasoning(text: string): Promise<void> {
    if (!this.#showsReasoning) return;
    if (this.#part === "none") {
      if (text.trim() === "") return;
      this.#part = "thoughts";
      await this.#put(this.#colored ? dim : "[thoughts]\n");
      return this.#put(visible(text.trimStart()));
    }
    await this.#put(visible(text));
  }

  async text(text: string): Promise<void> {
    if (this.#part === "answer") return this.#put(visible(text));
    if (text.trim() === "") return;
    const before = this.#part;
    this.#part = "answer";
    if (before === "thoughts") await this.#leaveThoughts();
    await this.#put(visible(text.trimStart()));
  }

  async #leaveThoughts(): Promise<void> {
    if (this.#colored) await this.#put(plain);
    if (!this.#last.endsWith("\n")) await this.#put("\n");
    await this.#put(this.#colored ? "\n" : "[answer]\n");
  }

  /** An empty line after it, where anything was shown. */
  async end(): Promise<void> {
    if (this.#part === "none") return;
    if (this.#part === "thoughts" && this.#colored) await this.#put(plain);
    await this.#put(this.#last.endsWith("\n") ? "\n" : "\n\n");
  }

  async #put(text: string): Promise<void> {
    if (text === "") return;
    // Escape sequences are no text.
    if (!text.startsWith("\x1b")) this.#last = text;
    await print(text, this.#signal);
  }
}

const firstPicture = 0x2400;
const deletePicture = "\u2421";

/** Text without control characters but line breaks and tabs: pictures stand for the others. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replace(/\r\n/g, "\n").replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (control) => {
    const code = control.charCodeAt(0);
    if (code === 0x7f) return deletePicture;
    return code < 0x20 ? String.fromCharCode(firstPicture + code) : "\ufffd";
  });
}
