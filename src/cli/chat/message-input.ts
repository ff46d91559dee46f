// Messages out of typed lines: a line, lines that end in a backslash, or a block between
// two """.
import type { InputHistory } from "./input-history.js";
import type { LineInput } from "./line-input.js";

/** What was typed: a message or command, Ctrl-C at an empty line, or the end of input. */
export type Entered =
  | { readonly type: "message"; readonly text: string; readonly isBlock: boolean }
  | { readonly type: "interrupt" }
  | { readonly type: "end" };

const prompt = "> ";
const morePrompt = "… ";
const fence = '"""';

/** Reads messages from a terminal, and remembers them. */
export class MessageInput {
  readonly #lines: LineInput;
  readonly #history: InputHistory;

  constructor(lines: LineInput, history: InputHistory) {
    this.#lines = lines;
    this.#history = history;
  }

  /** The next message; empty ones are passed over. Ctrl-C gives a begun message up. */
  async next(): Promise<Entered> {
    const block = new MessageBlock();
    const typed: string[] = [];
    for (;;) {
      const got = await this.#lines.ask(block.isEmpty ? prompt : morePrompt);
      if (got.type === "end") return got;
      if (got.type === "interrupt") {
        if (block.isEmpty && got.wasEmpty) return { type: "interrupt" };
        return { type: "message", text: "", isBlock: true };
      }
      typed.push(got.typed);
      block.add(got.line);
      if (!block.isComplete) continue;
      return this.#remember(block, typed);
    }
  }

  #remember({ text, isBlock }: MessageBlock, typed: readonly string[]): Entered {
    if (text.trim() !== "") {
      this.#lines.remember(text, typed);
      this.#history.add(text);
    }
    return { type: "message", text, isBlock };
  }
}

/** A message as it grows line by line. */
export class MessageBlock {
  #lines: string[] = [];
  #fenced = false;
  #complete = false;

  get isEmpty(): boolean {
    return this.#lines.length === 0 && !this.#fenced;
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  /** Whether it stood between fences, where nothing is a command. */
  get isBlock(): boolean {
    return this.#fenced;
  }

  get text(): string {
    const lines = this.#fenced && this.#lines[0] === "" ? this.#lines.slice(1) : this.#lines;
    return lines.join("\n");
  }

  add(line: string): void {
    if (this.isEmpty && line.trimStart().startsWith(fence)) {
      this.#fenced = true;
      this.#addFenced(line.trimStart().slice(fence.length));
    } else if (this.#fenced) {
      this.#addFenced(line);
    } else {
      this.#addPlain(line);
    }
  }

  #addFenced(line: string): void {
    const end = line.trimEnd();
    this.#complete = end.endsWith(fence);
    if (!this.#complete) this.#lines.push(line);
    else if (end.length > fence.length) this.#lines.push(end.slice(0, -fence.length));
  }

  #addPlain(line: string): void {
    this.#complete = !line.endsWith("\\");
    this.#lines.push(this.#complete ? line : line.slice(0, -1));
  }
}
