// How far a model is downloaded or loaded: one line on stderr, where that is a terminal, gone
// at the end. Elsewhere a download says a line now and then, a load nothing.
import type { PullProgress } from "../models/hub/remote-file.js";
import { bytes } from "./format.js";
import { notice } from "./terminal.js";

const eraseLine = "\r\x1b[K";
const plainEveryMs = 10_000;

/** The line. */
export class LoadingLine {
  readonly #name: string;
  readonly #verb: string;
  #shown = "";
  #started: { readonly ms: number; readonly receivedBytes: number } | undefined;
  #plainMs = 0;

  constructor(name: string, verb = "loading") {
    this.#name = name;
    this.#verb = verb;
  }

  /** @param fraction loaded, 0 to 1 */
  show(fraction: number): void {
    this.#write(`${Math.floor(fraction * 100)} %`);
  }

  /** A download; one that is complete from the start is not shown. */
  showBytes({ bytes: there, totalBytes, receivedBytes }: PullProgress): void {
    if (there >= totalBytes && this.#started === undefined) return;
    const now = performance.now();
    this.#started ??= { ms: now, receivedBytes };
    const perMs = (receivedBytes - this.#started.receivedBytes) / Math.max(now - this.#started.ms, 1);
    const left = perMs > 0 ? `, ${Math.ceil((totalBytes - there) / perMs / 1000)} s left` : "";
    const percent = totalBytes > 0 ? Math.floor((there / totalBytes) * 100) : 0;
    const text = `${percent} % of ${bytes(totalBytes)}, ${bytes(perMs * 1000)}/s${left}`;
    this.#write(text);
    if (process.stderr.isTTY || (this.#plainMs !== 0 && now - this.#plainMs < plainEveryMs)) return;
    this.#plainMs = now;
    notice(`${this.#verb} ${this.#name}: ${text}`);
  }

  /** A sentence above the line. */
  tell(sentence: string): void {
    this.erase();
    notice(sentence);
  }

  erase(): void {
    if (this.#shown !== "") process.stderr.write(eraseLine);
    this.#shown = "";
  }

  #write(text: string): void {
    if (!process.stderr.isTTY) return;
    const line = `${eraseLine}${fitting(`${this.#verb} ${this.#name}`, `: ${text}`)}`;
    if (line === this.#shown) return;
    this.#shown = line;
    process.stderr.write(line);
  }
}

/** In one row of the terminal, since a line that wraps is not erased: the name is cut, the figures are kept. */
export function fitting(name: string, figures: string): string {
  const room = (process.stderr.columns || 80) - 1 - figures.length;
  if (name.length <= room) return name + figures;
  return room < 12 ? figures.slice(2) : `${name.slice(0, room - 1)}…${figures}`;
}
