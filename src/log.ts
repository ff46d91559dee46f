// llama.cpp's log lines, which otherwise go nowhere: nothing of this package
// writes to stdout or stderr. The listener is the process's; the last one set,
// by whichever thread, gets the lines.
import { InferenceError } from "./errors.js";
import { native } from "./native.js";

/** How much a log line matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One line of llama.cpp's log, without its newline. Never text of a prompt. */
export interface LogLine {
  readonly level: LogLevel;
  readonly text: string;
}

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
}
