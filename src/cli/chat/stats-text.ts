// The figures of a conversation for a person to read. Pure: values in, text out.
import { table } from "../format.js";
import type { ConversationStats } from "./conversation.js";

/** What /stats shows. */
export function statsText(stats: ConversationStats, contextLength: number): string {
  const { messages, hidden, answers, last } = stats;
  const rows = [
    ["messages", hidden === 0 ? `${messages}` : `${messages}, the first ${hidden} not shown to the model`],
  ];
  if (last !== undefined) rows.push(...lastRows(last, contextLength));
  rows.push([
    "all answers",
    `${answers}: ${stats.promptTokens} prompt tokens (${stats.cachedPromptTokens} cached), ` +
      `${stats.completionTokens} tokens generated`,
  ]);
  return table(rows);
}

function lastRows(
  { usage, timings, finishReason }: NonNullable<ConversationStats["last"]>,
  contextLength: number,
) {
  const used = usage.promptTokens + usage.completionTokens;
  return [
    ["context", `${used} of ${contextLength} tokens`],
    [
      "last answer",
      `${usage.promptTokens} prompt tokens (${usage.cachedPromptTokens} cached), ` +
        `${usage.completionTokens} tokens generated, ${timings.tokensPerSecond.toFixed(1)} tokens/s, ` +
        `first token after ${timings.timeToFirstTokenMs.toFixed(1)} ms, finished: ${finishReason}`,
    ],
  ];
}
