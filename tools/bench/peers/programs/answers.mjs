// The protocol of worker.mjs, for programs in JavaScript: one line of JSON in, one out.
import { createInterface } from "node:readline";

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

// `start(prompts, newTokens)` starts one request for each prompt and returns their promises: of
// { ended, counted, promptTokens, generatedTokens, text }.
export async function answerTasks(version, start) {
  say({ ready: true, version });
  for await (const line of createInterface({ input: process.stdin })) {
    const { prompts, newTokens } = JSON.parse(line);
    const began = performance.now();
    const done = await Promise.all(start(prompts, newTokens));
    say({
      wallMs: Math.max(...done.map(({ ended }) => ended)) - began,
      promptTokens: done.map(({ promptTokens }) => promptTokens),
      generatedTokens: done.map(({ generatedTokens }) => generatedTokens),
      countedTokens: done.map(({ counted }) => counted),
      texts: done.map(({ text }) => text),
    });
  }
}

// Counts the tokens that arrive, and remembers when the last one did.
export function tokenCounter() {
  return {
    ended: 0,
    counted: 0,
    count(tokens = 1) {
      this.ended = performance.now();
      this.counted += tokens;
    },
  };
}
