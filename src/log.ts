// llama.cpp's log lines, which otherwise go nowhere: nothing of this package
// writes to stdout or stderr. The listener is the process's; the last one set,
// by whichever thread, gets the lines. Some are ours: that a GPU goes unused, that an engine was made
// smaller, that a checkpoint has no place in the cache or its file there was changed, what its
// weights became, and what to know of it.
import { InferenceError } from "./errors.js";
import { hasGpu, whyNoGpu } from "./gpu-problems.js";
import { native } from "./native-addon.js";

/** How much a log line matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line of llama.cpp's log, without its newline. Never text of a prompt. */
export interface LogLine {
  /** How much it matters. */
  readonly level: LogLevel;
  /** The line, without its newline. */
  readonly text: string;
}

let advised = false;
let told: ((line: LogLine) => void) | null = null;
let toldWithout: ((line: LogLine) => void) | null = null;

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/**
 * Listens to llama.cpp's log lines; null stops listening, which is the default.
 * Lines arrive on the calling thread, soon after they were written.
 *
 * @throws InferenceError INVALID_OPTION, NATIVE_MISSING
 */
export function setLogListener(listener: ((line: LogLine) => void) | null): void {
  if (listener !== null && typeof listener !== "function") {
    throw new InferenceError("INVALID_OPTION", "setLogListener(): listener must be a function or null");
  }
  const sink = (level: number, text: string) => listener?.({ level: levels[level - 1] ?? "error", text });
  native().setLogSink(listener === null ? null : sink);
  told = listener;
  if (listener === null || advised) return;
  advised = true;
  const text = unusedGpu();
  if (text !== undefined) queueMicrotask(() => listener({ level: "warn", text }));
}

/** Hears this package's own lines while no listener is set: the command line, of its process. */
export function hearOwnLines(listener: (line: LogLine) => void): void {
  toldWithout = listener;
}

/** A line of this package's own, for this thread's listener. */
export function tellLog(line: LogLine): void {
  const listener = told ?? toldWithout;
  if (listener !== null) queueMicrotask(() => listener(line));
}

function unusedGpu(): string | undefined {
  const devices = native().devices();
  if (devices.some(({ type }) => type === "gpu") || !hasGpu()) return undefined;
  return `this machine has an NVIDIA GPU, and no CUDA backend uses it; ${whyNoGpu()}`;
}
