// The process as the commands see it: standard streams that may close early, Ctrl-C and
// exit codes. Only src/cli reads these.
import { once } from "node:events";
import { fstatSync } from "node:fs";
import { InferenceError, isInvalidOption, type NameOption, type OptionPath, spelledPath } from "../errors.js";
import { messageOfThrown, stackOfThrown } from "../thrown.js";

/** Exit codes: the usual ones, two of a worker whose device is lost, and 128 + 2 for Ctrl-C. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  deviceFailed: 3,
  deviceMemory: 4,
  interrupted: 130,
} as const;

/** Whether stdout takes no more, and whether that is a failure: who closed a pipe has what it wanted. */
let outputState: "open" | "closed" | "failed" = "open";

/**
 * From now on neither stream ends the process with a stack trace: a reader such as `head`
 * may leave early, and of a full disk one sentence is told.
 */
export function guardOutput(): void {
  process.stderr.on("error", () => {}); // nobody can be told
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (outputState !== "open") return;
    outputState = error.code === "EPIPE" ? "closed" : "failed";
    if (outputState === "failed") notice(`the output cannot be written: ${error.message}`);
  });
}

/** Whether stdout still takes what is written. */
export function isOutputOpen(): boolean {
  return outputState === "open";
}

/** To be called once the command is done; what it wrote may fail later. */
export function failWithOutput(): void {
  process.once("exit", () => {
    if (outputState === "failed") process.exitCode ||= exitCodes.failure;
  });
}

/** A signal that aborts at Ctrl-C or when stdout takes no more. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** Whether it was Ctrl-C. */
  interrupted(): boolean;
  /** Leaves Ctrl-C to Node again. */
  stop(): void;
}

/** Listens until stopped; a second Ctrl-C ends the process at once. */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let interrupted = false;
  const onInterrupt = () => {
    interrupted = true;
    controller.abort();
  };
  const onOutputClosed = () => controller.abort();
  process.once("SIGINT", onInterrupt);
  process.stdout.on("error", onOutputClosed);
  return {
    signal: controller.signal,
    interrupted: () => interrupted,
    stop: () => process.off("SIGINT", onInterrupt),
  };
}

/** Writes to stdout; waits while its reader is slow, gives up at the signal. */
export async function print(text: string, signal: AbortSignal): Promise<void> {
  if (text === "" || process.stdout.write(text) || signal.aborted) return;
  await once(process.stdout, "drain", { signal }).catch((thrown: unknown) => {
    if (!signal.aborted) throw thrown;
  });
}

/** A line of news for the person, apart from the output. */
export function notice(line: string): void {
  process.stderr.write(`infernode: ${line}\n`);
}

/** Whether stdin is a pipe or a file, not a terminal or nothing. */
export function isInputPiped(): boolean {
  try {
    const stdin = fstatSync(0);
    return stdin.isFIFO() || stdin.isFile() || stdin.isSocket();
  } catch {
    return false;
  }
}

const silentMs = 1000;

/** All of stdin as text; says what it waits for where nothing comes at first. */
export async function readInput(): Promise<string> {
  const waiting = setTimeout(() => notice("waiting for the prompt on stdin"), silentMs);
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) {
    clearTimeout(waiting);
    chunks.push(Buffer.from(chunk));
  }
  clearTimeout(waiting);
  return Buffer.concat(chunks).toString("utf8");
}

/** Tells a failure in one sentence. @returns the exit code it deserves */
export function reportFailure(thrown: unknown): number {
  notice(failureText(thrown));
  return isInvalidOption(thrown) ? exitCodes.usage : exitCodes.failure;
}

/**
 * A failure in one sentence; a fault of ours with its stack.
 * @param nameOption as the sentence spells options; default: as flags
 */
export function failureText(thrown: unknown, nameOption: NameOption = flagOf): string {
  if (!(thrown instanceof InferenceError)) {
    return isOfSystem(thrown) ? messageOfThrown(thrown) : stackOfThrown(thrown);
  }
  if (thrown.code !== "INVALID_OPTION") return `${thrown.message} [${thrown.code}]`;
  return thrown.path === undefined ? thrown.message : thrown.sentence(nameOption);
}

/** The machine or Node's permission model refused something, such as a read; anything else is a fault of ours. */
function isOfSystem(thrown: unknown): boolean {
  return thrown instanceof Error && ("syscall" in thrown || "permission" in thrown);
}

/** The flag of an option, and of an item of it: --max-tokens of maxTokens, --stop of stop[0]. */
function flagOf(path: OptionPath): string {
  if (path[0] === "path") return "the model";
  return `--${kebab(path.filter((step) => typeof step === "string"))}`;
}

/** An option as the command line spells it: max-tokens of maxTokens. */
export function kebab(path: OptionPath): string {
  return spelledPath(path).replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
}

/** A mistake of the person at the command line, in one sentence. */
export function refusal(sentence: string): InferenceError {
  return new InferenceError("INVALID_OPTION", sentence);
}
