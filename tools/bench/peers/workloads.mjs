// What every contender computes, and which figure is made of it. A workload is { id, title,
// requests, promptTokens, newTokens, repeats }: `requests` prompts are handed over at once, `repeats`
// times one after another. Decoding counts generated tokens, a prompt's workload its prompt tokens,
// each over the time from the first request until the last token.
import { BenchFailure } from "../failure.mjs";
import { promptText } from "../workload.mjs";

const decode = (requests) => ({
  id: `decode-${requests}`,
  title: `decode, ${requests} at once`,
  requests,
  promptTokens: 16,
  newTokens: 128,
  repeats: 1,
});

// The second of three prompts hides what the first one finds cold.
const prompt = (tokens) => ({
  id: `prompt-${tokens}`,
  title: `prompt of ${tokens}`,
  requests: 1,
  promptTokens: tokens,
  newTokens: 1,
  repeats: 3,
});

const kTries = 1000;

export const kDecode = [decode(1), decode(8), decode(32)];
export const kPrompt = prompt(512);

// The text that contenders with the same weights are compared by, greedily.
export const kTextPrompt = "The capital of France is";
export const kTextTokens = 32;

export const isPrompt = (workload) => workload.newTokens === 1;

// The same workload in a second or less, for trying things out: its figures mean nothing.
export function shortened(workload) {
  if (isPrompt(workload)) return { ...workload, promptTokens: 64, repeats: 1 };
  return { ...workload, newTokens: 8 };
}

// Tokens per second of what a contender answered to a workload.
export function speedOf(workload, answers) {
  const milliseconds = answers.reduce((sum, answer) => sum + answer.wallMs, 0);
  const tokens = isPrompt(workload) ? workload.promptTokens : workload.newTokens;
  return (workload.requests * answers.length * tokens * 1000) / milliseconds;
}

// Throws where a contender did other work than it was asked for. `countedTokens` are what the
// side that reads counted: tokens in this process, pieces of text through HTTP, where one piece
// may carry several tokens.
export function judgeWork(name, workload, { promptTokens, generatedTokens, countedTokens }) {
  const { requests, newTokens } = workload;
  const isExact = (counts, expected) => counts.length === requests && counts.every((one) => one === expected);
  if (!isExact(promptTokens, workload.promptTokens) || !isExact(generatedTokens, newTokens)) {
    throw new BenchFailure(
      `${name} did other work: expected ${requests} x (${workload.promptTokens} + ${newTokens}) tokens, ` +
        `it counted prompts of ${promptTokens} and ${generatedTokens} new tokens.`,
    );
  }
  if (countedTokens?.some((counted) => counted < 1 || counted > newTokens)) {
    throw new BenchFailure(
      `${name} counted ${newTokens} new tokens a request, but ${countedTokens} were received.`,
    );
  }
}

// Prompts of exactly so many tokens, each one different, by the tokenizer of a loaded model:
// what one contender reads, all others read too, and no cache helps any of them.
export function promptSource(model) {
  let index = 0;
  const next = (tokens) => {
    for (let tries = 0; tries < kTries; tries += 1) {
      const text = cutTo(tokens, promptText(index, tokens + 1), model);
      index += 1;
      if (text !== undefined) return text;
    }
    throw new BenchFailure(`No prompt of ${tokens} tokens could be made with this model's vocabulary.`);
  };
  return (workload) =>
    Array.from({ length: workload.repeats }, () =>
      Array.from({ length: workload.requests }, () => next(workload.promptTokens)),
    );
}

// Words are one token each, or more in a small vocabulary: the last ones are cut off until the
// number is right, which it may never be.
function cutTo(tokens, text, model) {
  const words = text.split(" ");
  while (words.length > 0) {
    const cut = words.join(" ");
    const { length } = model.tokenize(cut);
    if (length === tokens) return cut;
    if (length < tokens) return undefined;
    words.pop();
  }
  return undefined;
}
