// What was typed in chats of before: a file in the user's state folder that only its owner
// may read, one entry a line, newest last. Without the file a chat still has its own history.
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { shownBreak } from "./typed-input.js";

/** Entries kept. */
export const mostEntries = 1000;
/** Longer entries are for this chat only. */
const longestEntry = 8192;

const onlyOwner = 0o600;
const onlyOwnersFolder = 0o700;

/** Where the history lies: below XDG_STATE_HOME, which must be absolute to count. */
export function historyPath(): string {
  const named = process.env.XDG_STATE_HOME;
  const state = named !== undefined && isAbsolute(named) ? named : join(homedir(), ".local/state");
  return join(state, "infernode", "chat-history");
}

/** The history file; undefined paths remember nothing. */
export class InputHistory {
  readonly #path: string | undefined;
  readonly #onFailure: (error: Error) => void;
  #failed = false;

  /** @param onFailure told once why the file cannot be used */
  constructor(path: string | undefined, onFailure: (error: Error) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  /** Entries of before, newest first, as readline takes them. */
  read(): string[] {
    return this.#tried((path) => this.#entries(path)) ?? [];
  }

  #entries(path: string): string[] {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
    chmodSync(path, onlyOwner);
    const entries = text.split("\n").filter((line) => line !== "");
    const kept = entries.slice(-mostEntries);
    if (entries.length > mostEntries) replace(path, kept);
    return kept.reverse();
  }

  /** Adds an entry, which may have several lines. */
  add(entry: string): void {
    if (entry.length > longestEntry) return;
    this.#tried((path) => {
      mkdirSync(dirname(path), { recursive: true, mode: onlyOwnersFolder });
      appendFileSync(path, `${oneLine(entry)}\n`, { mode: onlyOwner });
    });
  }

  #tried<Value>(work: (path: string) => Value): Value | undefined {
    if (this.#path === undefined || this.#failed) return undefined;
    try {
      return work(this.#path);
    } catch (thrown) {
      this.#failed = true;
      this.#onFailure(thrown as Error);
      return undefined;
    }
  }
}

function replace(path: string, entries: readonly string[]): void {
  const partial = `${path}.${process.pid}.partial`;
  writeFileSync(partial, `${entries.join("\n")}\n`, { mode: onlyOwner });
  renameSync(partial, path);
}

/** A message as one line of readline's. */
export function oneLine(entry: string): string {
  return entry.replaceAll("\n", shownBreak);
}
