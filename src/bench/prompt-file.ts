// A JSONL file of prompts: one object a line, with `prompt` or `messages`, and `max_tokens`
// where the answer's length is the prompt's own.
import { readFileSync } from "node:fs";
import { z } from "zod";
import { InferenceError } from "../errors.js";
import { messageOfThrown } from "../thrown.js";
import type { Ask } from "./record.js";

/** A line of the file. */
export interface FilePrompt {
  readonly content: Ask["content"];
  /** Undefined: as the options say. */
  readonly outputTokens: number | undefined;
}

const count = z
  .int()
  .min(1)
  .max(2 ** 20);
const message = z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() });
const line = z.union([
  z.object({ prompt: z.string().min(1), max_tokens: count.optional() }),
  z.object({ messages: z.array(message).min(1), max_tokens: count.optional() }),
]);

/** @throws InferenceError INVALID_OPTION naming the file and the line */
export function readPrompts(path: string): readonly FilePrompt[] {
  const lines = readLines(path)
    .map((text, index) => ({ text: text.trim(), number: index + 1 }))
    .filter(({ text }) => text !== "");
  if (lines.length === 0) throw refusal(`${path} must have a JSON object on each line, and is empty`);
  return lines.map(({ text, number }) => promptOf(text, `${path}:${number}`));
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (thrown) {
    throw refusal(`${path} cannot be read: ${messageOfThrown(thrown)}`);
  }
}

function promptOf(text: string, place: string): FilePrompt {
  const { data } = line.safeParse(parsed(text));
  if (data === undefined) {
    throw refusal(
      `${place} must be an object such as {"prompt": "…", "max_tokens": 64} or {"messages": [{"role": "user", "content": "…"}]}`,
    );
  }
  const content = "prompt" in data ? { prompt: data.prompt } : { messages: data.messages };
  return { content, outputTokens: data.max_tokens };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(sentence: string): InferenceError {
  return new InferenceError("INVALID_OPTION", `--prompts: ${sentence}`);
}
