// A text file that a benchmark reads its requests from: its lines with their numbers, and what
// identifies it in a result.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { InferenceError } from "../errors.js";
import { messageOfThrown } from "../thrown.js";

/** A line that is not empty. */
export interface InputLine {
  readonly text: string;
  /** "requests.jsonl:3", for sentences. */
  readonly place: string;
}

/** A file that was read. */
export interface InputFile {
  readonly lines: readonly InputLine[];
  /** Of its bytes, hexadecimal. */
  readonly sha256: string;
}

/** @throws InferenceError INVALID_OPTION where the file cannot be read, or has no line */
export function readInput(flag: string, path: string): InputFile {
  const bytes = bytesOf(flag, path);
  const lines = bytes
    .toString("utf8")
    .split("\n")
    .map((text, index) => ({ text: text.trim(), place: `${path}:${index + 1}` }))
    .filter(({ text }) => text !== "");
  if (lines.length === 0) throw inputRefusal(flag, `${path} must have a request on each line, and is empty`);
  return { lines, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** An error about the file that a flag names. */
export function inputRefusal(flag: string, sentence: string): InferenceError {
  return new InferenceError("INVALID_OPTION", `${flag}: ${sentence}`);
}

/** The value of a line of JSON; undefined where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function bytesOf(flag: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    throw inputRefusal(flag, `${path} cannot be read: ${messageOfThrown(thrown)}`);
  }
}
