// What a vLLM 0.32 answered to 130 requests (SmolLM2-135M, AWQ, greedy, on a CPU),
// one a line; ids and times are made alike, long texts cut. The bodies of three
// requests were recorded in part and are made up after their first half. A stream's
// last event is "[DONE]" where it was recorded whole.
import { readFileSync } from "node:fs";
import type { Json, Reply } from "./scene.js";

export interface Recorded extends Reply {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

export const recorded: readonly Recorded[] = readFileSync(
  new URL("vllm-replies.jsonl", import.meta.url),
  "utf8",
)
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line, repeated) as Recorded);

/** A long text is written { repeat: [text, times] }. */
function repeated(_name: string, value: unknown): unknown {
  const { repeat } = (value ?? {}) as { readonly repeat?: readonly [string, number] };
  return Array.isArray(repeat) ? repeat[0].repeat(repeat[1]) : value;
}

export function errorOf({ reply }: Reply): Json | undefined {
  return reply?.error as Json | undefined;
}
