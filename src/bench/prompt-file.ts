// A JSONL file of prompts: one object a line, with `prompt` or `messages`, and `max_tokens`
// where the answer's length is the prompt's own.
import { z } from "zod";
import { type InputFile, type InputLine, inputRefusal, jsonOf } from "./input-file.js";
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
export function promptsIn({ lines }: InputFile): readonly FilePrompt[] {
  return lines.map(promptOf);
}

function promptOf({ text, place }: InputLine): FilePrompt {
  const { data } = line.safeParse(jsonOf(text));
  if (data === undefined) {
    throw inputRefusal(
      "--prompts",
      `${place} must be an object such as {"prompt": "…", "max_tokens": 64} or {"messages": [{"role": "user", "content": "…"}]}`,
    );
  }
  const content = "prompt" in data ? { prompt: data.prompt } : { messages: data.messages };
  return { content, outputTokens: data.max_tokens };
}
