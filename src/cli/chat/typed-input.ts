// The keys of a terminal on their way to readline: at most one line for each that is asked
// for, so that what is typed ahead waits for its turn; and pasted text in one piece, its
// line breaks shown as ␊, a long one as a short name that stands for it.

import { Transform, type TransformCallback } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Shown for a line break inside a line. */
export const shownBreak = "\u240a";
/** Shown for a tab that was pasted: typed, it completes. */
const shownTab = "\u2409";

const pasteStart = "\x1b[200~";
const pasteEnd = "\x1b[201~";
/** The terminal then marks what is pasted. */
export const markPastes = "\x1b[?2004h";
export const leavePastes = "\x1b[?2004l";

/** readline needs quadratic time for what comes character by character. */
const shownPaste = 1000;
/** An Escape key may be the beginning of a mark; readline itself waits longer. */
const escapeMs = 50;

/** Keys that end a line: Enter, and Ctrl-C. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const lineEnd = /\r\n?|\n|\x03/;

/** A terminal as readline's input. */
export class TypedInput extends Transform {
  readonly #terminal: NodeJS.ReadStream;
  readonly #decoder = new StringDecoder("utf8");
  readonly #pastes = new Map<string, string>();
  #typed = "";
  #open = false;
  #pasting: string | undefined;
  #escape: NodeJS.Timeout | undefined;

  constructor(terminal: NodeJS.ReadStream) {
    super({ readableObjectMode: true });
    this.#terminal = terminal;
  }

  /** Lets the next line through. */
  openLine(): void {
    this.#open = true;
    this.#deliver();
  }

  /** Keeps back what is typed from now on. */
  closeLine(): void {
    this.#open = false;
  }

  /** readline asks for it. */
  setRawMode(raw: boolean): this {
    if (this.#terminal.isTTY) this.#terminal.setRawMode(raw);
    return this;
  }

  /** A line with all that stands for something else in it replaced. */
  expand(line: string): string {
    let text = line;
    for (const [name, pasted] of this.#pastes) text = text.replaceAll(name, () => pasted);
    return text.replaceAll(shownBreak, "\n").replaceAll(shownTab, "\t");
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#typed += this.#decoder.write(chunk);
    this.#deliver();
    done();
  }

  override _flush(done: TransformCallback): void {
    this.#typed += this.#decoder.end();
    this.#open = true;
    this.#deliver(true);
    done();
  }

  #deliver(isLast = false): void {
    clearTimeout(this.#escape);
    while (this.#open && this.#typed !== "") {
      const went = this.#pasting === undefined ? this.#deliverKeys(isLast) : this.#deliverPaste(isLast);
      if (!went) return;
    }
  }

  /** Keys up to the end of a line or the beginning of a paste. @returns whether there were any */
  #deliverKeys(isLast: boolean): boolean {
    const found = lineEnd.exec(this.#typed);
    const start = this.#typed.indexOf(pasteStart);
    if (start >= 0 && (found === null || start < found.index)) {
      this.#take(start);
      this.#typed = this.#typed.slice(pasteStart.length);
      this.#pasting = "";
      return true;
    }
    if (found !== null) {
      this.#open = false;
      this.#take(found.index + found[0].length);
      return true;
    }
    const held = isLast ? 0 : heldBack(this.#typed);
    if (held > 0) this.#escape = setTimeout(() => this.#deliver(true), escapeMs);
    return this.#take(this.#typed.length - held);
  }

  #take(length: number): boolean {
    if (length === 0) return false;
    this.#press(this.#typed.slice(0, length));
    this.#typed = this.#typed.slice(length);
    return true;
  }

  #deliverPaste(isLast: boolean): boolean {
    const end = this.#typed.indexOf(pasteEnd);
    if (end < 0 && !isLast) return false;
    const text = end < 0 ? this.#typed : this.#typed.slice(0, end);
    this.#typed = end < 0 ? "" : this.#typed.slice(end + pasteEnd.length);
    this.#pasting = undefined;
    this.#press(this.#shown(printable(text)));
    return true;
  }

  /** One character at a time: of several, Node 20 puts all but the last at the line's end, wherever the cursor is. */
  #press(keys: string): void {
    if (keys.length > 2 * shownPaste) this.push(keys);
    else for (const character of keys) this.push(character);
  }

  #shown(text: string): string {
    if (text.length <= shownPaste) return text.replaceAll("\n", shownBreak).replaceAll("\t", shownTab);
    const name = `[pasted text ${this.#pastes.size + 1}, ${text.length} characters]`;
    this.#pastes.set(name, text);
    return name;
  }
}

/** Length of the end of `typed` that may become a paste's mark. */
function heldBack(typed: string): number {
  for (let length = Math.min(pasteStart.length - 1, typed.length); length > 0; length -= 1) {
    if (pasteStart.startsWith(typed.slice(-length))) return length;
  }
  return 0;
}

/** What may be pasted: no key but line breaks and tabs. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is dropped
  return text.replace(/\r\n?/g, "\n").replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "");
}
