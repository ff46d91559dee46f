// A program in a pseudo-terminal (by Python, which has them): what is typed goes in, what
// the terminal shows comes out, and a test waits for texts, never for time.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const helper = fileURLToPath(new URL("terminal.py", import.meta.url));
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Why there are no pseudo-terminals here; undefined where there are. */
export const noTerminals: string | undefined =
  spawnSync("python3", ["-c", "import pty, termios"]).status === 0
    ? undefined
    : "python3 with pty is missing: nothing is tested in a terminal";

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** Milliseconds without a byte; below the tests' own patience. */
const silenceMs = 90_000;

/** The command line in a terminal. */
export class Terminal {
  /** Everything shown so far, escape sequences included. */
  shown = "";
  readonly #child: ChildProcess;
  readonly #ending: Promise<number>;
  #news = "";
  /** Where the next text is looked for. */
  #seen = 0;
  #changed: (() => void)[] = [];

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, size?: Size) {
    const { rows, columns } = size ?? { rows: 24, columns: 240 };
    const command = [helper, `${rows}`, `${columns}`, process.execPath, main, ...args];
    this.#child = spawn("python3", command, { env: { ...process.env, TERM: "xterm", ...env } });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.shown += text;
      for (const each of this.#changed.splice(0)) each();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#news += text;
    });
    this.#ending = once(this.#child, "close").then(([code]) => {
      for (const each of this.#changed.splice(0)) each();
      return code as number;
    });
  }

  /** Types keys. Bytes may be parts of characters. */
  type(keys: string | Uint8Array): void {
    this.#order({ type: Buffer.from(keys as string).toString("base64") });
  }

  resize({ rows, columns }: Size): void {
    this.#order({ resize: [rows, columns] });
  }

  /** Sends the program a signal. */
  signal(name: NodeJS.Signals): void {
    this.#order({ signal: constants.signals[name] });
  }

  #order(order: object): void {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** Waits for a text after what was waited for before. @returns what was shown until its end */
  async until(text: string | RegExp): Promise<string> {
    for (;;) {
      const rest = this.shown.slice(this.#seen);
      const found = typeof text === "string" ? rest.indexOf(text) : rest.search(text);
      if (found >= 0) {
        const length = typeof text === "string" ? text.length : (text.exec(rest)?.[0].length ?? 0);
        this.#seen += found + length;
        return rest.slice(0, found + length);
      }
      if (this.#child.exitCode !== null) {
        throw new Error(`the program ended before it showed ${text}: ${JSON.stringify(rest)}`);
      }
      await this.#change(`it showed ${text}: ${JSON.stringify(rest)}`);
    }
  }

  /** @throws where nothing comes for longer than any answer takes, so that the test says what was there */
  async #change(before: string): Promise<void> {
    let silence: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      silence = setTimeout(() => reject(new Error(`the program fell silent before ${before}`)), silenceMs);
      this.#changed.push(resolve);
    }).finally(() => clearTimeout(silence));
  }

  /** The exit code, and whether the terminal was left as it was found. */
  async end(): Promise<{ readonly code: number; readonly modeKept: boolean }> {
    const code = await this.#ending;
    return { code, modeKept: this.#news.includes("mode kept") };
  }

  /** Ends a program that still runs. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null) this.signal("SIGKILL");
    await this.#ending;
  }
}

const introducer = "\x1b";
const sequences = new RegExp(`${introducer}\\[[0-9;?]*[ -/]*[@-~]`, "g");

/** Text without escape sequences. */
export function withoutEscapes(text: string): string {
  return text.replace(sequences, "");
}
