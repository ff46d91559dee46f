// Lines typed at a prompt, by readline: editing, history, completion. Between prompts the
// terminal is as it was, so that Ctrl-C is a signal there and a crash leaves it usable.
import { createInterface, type Interface } from "node:readline/promises";
import { mostEntries, oneLine } from "./input-history.js";
import { leavePastes, markPastes, TypedInput } from "./typed-input.js";

/** What a prompt brought: a line (what it means, and as it was typed), Ctrl-C, or the end of input. */
export type Typed =
  | { readonly type: "line"; readonly line: string; readonly typed: string }
  | { readonly type: "interrupt"; readonly wasEmpty: boolean }
  | { readonly type: "end" };

/** A terminal that lines are typed at. */
export class LineInput {
  readonly #input = new TypedInput(process.stdin);
  readonly #readline: Interface;
  readonly #marksPastes: boolean;
  #history: string[];
  #answer: ((typed: Typed) => void) | undefined;
  #ended = false;

  /**
   * @param history newest first
   * @param complete the words that a line may become
   */
  constructor(history: string[], complete: (line: string) => readonly string[]) {
    this.#history = history;
    this.#marksPastes = process.env.TERM !== "dumb";
    process.stdin.pipe(this.#input);
    this.#readline = createInterface({
      input: this.#input,
      output: process.stdout,
      terminal: true,
      history,
      historySize: mostEntries,
      completer: (line: string): [string[], string] => [[...complete(line)], line],
    });
    this.#readline.on("history", (entries: string[]) => {
      this.#history = entries;
    });
    this.#readline.on("line", (typed) => {
      this.#settle({ type: "line", line: this.#input.expand(typed), typed });
    });
    this.#readline.on("SIGINT", () => this.#interrupt());
    // After Ctrl-Z readline is paused until it is asked again.
    this.#readline.on("SIGCONT", () => this.#readline.prompt(true));
    this.#readline.on("close", () => {
      this.#ended = true;
      this.#settle({ type: "end" });
    });
    this.#rest();
  }

  /** Asks for a line. */
  async ask(prompt: string): Promise<Typed> {
    if (this.#ended) return { type: "end" };
    const typed = new Promise<Typed>((resolve) => {
      this.#answer = resolve;
    });
    if (this.#marksPastes) process.stdout.write(markPastes);
    this.#input.setRawMode(true);
    this.#readline.setPrompt(prompt);
    this.#readline.prompt();
    this.#input.openLine();
    return typed;
  }

  #settle(typed: Typed): void {
    this.#rest();
    this.#answer?.(typed);
    this.#answer = undefined;
  }

  /** The terminal between two prompts. */
  #rest(): void {
    this.#input.closeLine();
    if (this.#answer !== undefined && this.#marksPastes) process.stdout.write(leavePastes);
    if (this.#ended) return;
    this.#readline.pause();
    this.#input.setRawMode(false);
  }

  /** Ctrl-C clears a line, as in a shell. */
  #interrupt(): void {
    const { line } = this.#readline;
    process.stdout.write("^C\n");
    if (line !== "") {
      this.#readline.write(null, { ctrl: true, name: "e" });
      this.#readline.write(null, { ctrl: true, name: "u" });
    }
    this.#settle({ type: "interrupt", wasEmpty: line === "" });
  }

  /** Replaces the lines that a message was typed as by the message, in the history of the arrow keys. */
  remember(message: string, lines: readonly string[]): void {
    for (const line of lines.toReversed()) {
      if (this.#history[0] === line) this.#history.shift();
    }
    this.#history.unshift(oneLine(message));
  }

  close(): void {
    this.#readline.close();
    process.stdin.unpipe(this.#input);
    process.stdin.pause();
  }
}
