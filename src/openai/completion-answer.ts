// Generations as text_completion objects and as streams of chunks. Several
// prompts make one answer: prompt p's choice c is choice p * n + c.
import type { GenerationEvent, Usage } from "../engine/events.js";
import { completionLogProbs, finishReason, heading, usageObject } from "./answer-parts.js";
import { merged } from "./merged.js";
import type { Run, TextModel } from "./text-model.js";

/** A prompt's generation, and what stands before its text. */
export interface PromptRun {
  readonly run: Run;
  /** The prompt where it is to be echoed, else ""; not asked before the engine took it. */
  readonly echoed: () => string;
}

/** The whole answer. @param n choices per prompt */
export async function completion(model: TextModel, runs: readonly PromptRun[], n: number): Promise<object> {
  const results = await Promise.all(runs.map(({ run }) => run));
  const echoes = runs.map(({ echoed }) => echoed());
  const choices = results.flatMap((result, prompt) =>
    result.choices.map(({ index, text, logProbs, finishReason: reason }) => ({
      index: prompt * n + index,
      text: (echoes[prompt] ?? "") + text,
      logprobs: completionLogProbs(model, logProbs, 0),
      finish_reason: finishReason(reason),
    })),
  );
  return {
    ...heading("cmpl", "text_completion", model),
    choices,
    usage: usageOfAll(
      results.map(({ usage }) => usage),
      runs,
    ),
  };
}

/** The answer as chunk objects. */
export async function* completionChunks(
  model: TextModel,
  runs: readonly PromptRun[],
  n: number,
  includeUsage: boolean,
): AsyncGenerator<object, void, undefined> {
  const head = heading("cmpl", "text_completion", model);
  const chunk = (index: number, text: string, reason: string | null, logprobs: object | null = null) => ({
    ...head,
    choices: [{ index, text, logprobs, finish_reason: reason }],
  });
  const offsets = new Map<number, number>();
  const usages: Usage[] = [];
  const opened = new Set<number>();
  for await (const [prompt, event] of merged<GenerationEvent>(runs.map(({ run }) => run))) {
    // Not before something came: a request that is refused begins no answer.
    const echoed = opened.has(prompt) ? "" : (runs[prompt]?.echoed() ?? "");
    opened.add(prompt);
    for (let choice = 0; echoed !== "" && choice < n; choice += 1)
      yield chunk(prompt * n + choice, echoed, null);
    if (event.type === "end") {
      usages.push(event.usage);
      if (n === 1) yield chunk(prompt, "", finishReason(event.finishReason));
      continue;
    }
    const index = prompt * n + event.choiceIndex;
    if (event.type === "choice-end") yield chunk(index, "", finishReason(event.finishReason));
    if (event.type !== "text-delta" || (event.text === "" && event.logProbs === undefined)) continue;
    const offset = offsets.get(index) ?? 0;
    offsets.set(index, offset + event.text.length);
    yield chunk(index, event.text, null, completionLogProbs(model, event.logProbs, offset));
  }
  if (includeUsage) yield { ...head, choices: [], usage: usageOfAll(usages, runs) };
}

function usageOfAll(usages: readonly Usage[], runs: readonly PromptRun[]): object {
  const sum = (count: (usage: Usage) => number) => usages.reduce((total, usage) => total + count(usage), 0);
  const whole = {
    promptTokens: sum((usage) => usage.promptTokens),
    cachedPromptTokens: sum((usage) => usage.cachedPromptTokens),
    completionTokens: sum((usage) => usage.completionTokens),
  };
  return usageObject(
    whole,
    runs.every(({ run }) => run.repeated),
  );
}
