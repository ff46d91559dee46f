// Generations as text_completion objects and as streams of chunks. Several
// prompts make one answer: prompt p's choice c is choice p * n + c.
import type {
  GenerateChoice,
  GenerateResult,
  GenerationEvent,
  PromptEvent,
  TextDeltaEvent,
  Usage,
} from "../engine/events.js";
import {
  bytesText,
  completionLogProbs,
  finishReason,
  heading,
  promptLogProbs,
  type TokenName,
  usageObject,
} from "./answer-parts.js";
import type { CompletionRequest } from "./completion-request.js";
import { merged } from "./merged.js";
import { tokenName } from "./shown.js";
import type { Run, TextModel } from "./text-model.js";

/** A prompt's generation, and what stands before its text. */
export interface PromptRun {
  readonly run: Run;
  /** The prompt where it is to be echoed, else ""; not asked before the engine took it. */
  readonly echoed: () => string;
}

/** What an answer tells. */
export interface CompletionForm extends Pick<CompletionRequest, "shown" | "hasLogProbs" | "readsOnly"> {
  /** Choices per prompt. */
  readonly n: number;
}

/** The whole answer. */
export async function completion(
  model: TextModel,
  runs: readonly PromptRun[],
  form: CompletionForm,
): Promise<object> {
  const results = await Promise.all(runs.map(({ run }) => run));
  const echoes = runs.map(({ echoed }) => echoed());
  const choices = results.flatMap((result, prompt) =>
    result.choices.map((choice) => ({
      ...choiceObject(model, result, choice, echoes[prompt] ?? "", form),
      index: prompt * form.n + choice.index,
    })),
  );
  return {
    ...heading("cmpl", "text_completion", model),
    choices,
    usage: usageOfAll(
      results.map(({ usage }) => usage),
      runs,
      form,
    ),
  };
}

function choiceObject(
  model: TextModel,
  result: GenerateResult,
  choice: GenerateChoice,
  echo: string,
  { shown, hasLogProbs, readsOnly }: CompletionForm,
): object {
  const nameOf = tokenName(model, shown);
  const told = shown.echo ? (result.promptLogProbs ?? []) : [];
  const said = readsOnly ? [] : (choice.logProbs ?? []);
  const start = told.length > 0 ? echo.length - lengthOf(model, told) : 0;
  return {
    index: choice.index,
    text: echo + (readsOnly ? "" : choice.text),
    logprobs: hasLogProbs ? completionLogProbs(model, [...told, ...said], start, nameOf) : null,
    finish_reason: finishReason(choice.finishReason),
    ...(shown.promptLogProbs && { prompt_logprobs: promptLogProbs(result.promptLogProbs, nameOf) }),
    ...(shown.tokenIds && {
      prompt_token_ids: result.promptTokens ?? null,
      token_ids: readsOnly ? [] : choice.tokens,
    }),
  };
}

function lengthOf(model: TextModel, tokens: readonly { readonly token: number }[]): number {
  return tokens.reduce((sum, { token }) => sum + bytesText(model.tokenBytes(token)).length, 0);
}

/** The answer as chunk objects. */
export async function* completionChunks(
  model: TextModel,
  runs: readonly PromptRun[],
  form: CompletionForm,
  includeUsage: boolean,
): AsyncGenerator<object, void, undefined> {
  const { n, readsOnly } = form;
  const head = heading("cmpl", "text_completion", model);
  const writer = new ChunkWriter(model, head, form);
  const usages: Usage[] = [];
  const opened = new Set<number>();
  for await (const [prompt, event] of merged<GenerationEvent>(runs.map(({ run }) => run))) {
    // Not before something came: a request that is refused begins no answer.
    if (!opened.has(prompt)) yield* writer.opening(prompt, runs[prompt]?.echoed() ?? "", event);
    opened.add(prompt);
    if (event.type === "end") {
      usages.push(event.usage);
      if (n === 1) yield writer.chunk(prompt, "", finishReason(event.finishReason));
    } else if (event.type === "choice-end") {
      yield writer.chunk(prompt * n + event.choiceIndex, "", finishReason(event.finishReason));
    } else if (event.type === "text-delta" && !readsOnly && writer.says(event)) {
      yield writer.delta(prompt * n + event.choiceIndex, event);
    }
  }
  if (includeUsage) yield { ...head, choices: [], usage: usageOfAll(usages, runs, form) };
}

/** Writes the chunks of one answer. */
class ChunkWriter {
  readonly #model: TextModel;
  readonly #head: object;
  readonly #form: CompletionForm;
  readonly #nameOf: TokenName;
  readonly #offsets = new Map<number, number>();

  constructor(model: TextModel, head: object, form: CompletionForm) {
    this.#model = model;
    this.#head = head;
    this.#form = form;
    this.#nameOf = tokenName(model, form.shown);
  }

  chunk(index: number, text: string, reason: string | null, more: object = {}): object {
    return { ...this.#head, choices: [{ index, text, logprobs: null, finish_reason: reason, ...more }] };
  }

  /** What stands before the text of a prompt's choices; `event` is the first that came. */
  *opening(prompt: number, echo: string, event: GenerationEvent): Generator<object, void, undefined> {
    const { n, shown } = this.#form;
    if (echo === "" && !shown.tokenIds && event.type !== "prompt") return;
    const told = event.type === "prompt" ? this.#prompt(event, echo) : {};
    if (echo === "" && Object.keys(told).length === 0) return;
    for (let choice = 0; choice < n; choice += 1) {
      this.#offsets.set(prompt * n + choice, echo.length);
      yield this.chunk(prompt * n + choice, echo, null, told);
    }
  }

  #prompt({ tokens, logProbs }: PromptEvent, echo: string): object {
    const { shown, hasLogProbs } = this.#form;
    const start = echo.length - lengthOf(this.#model, logProbs ?? []);
    return {
      ...(shown.echo &&
        hasLogProbs && { logprobs: completionLogProbs(this.#model, logProbs, start, this.#nameOf) }),
      ...(shown.tokenIds && { prompt_token_ids: tokens, token_ids: [] }),
    };
  }

  says({ text, tokens, logProbs }: TextDeltaEvent): boolean {
    return text !== "" || logProbs !== undefined || (this.#form.shown.tokenIds && tokens.length > 0);
  }

  delta(index: number, { text, tokens, logProbs }: TextDeltaEvent): object {
    const offset = this.#offsets.get(index) ?? 0;
    this.#offsets.set(index, offset + text.length);
    return this.chunk(index, text, null, {
      logprobs: completionLogProbs(this.#model, logProbs, offset, this.#nameOf),
      ...(this.#form.shown.tokenIds && { token_ids: tokens }),
    });
  }
}

function usageOfAll(
  usages: readonly Usage[],
  runs: readonly PromptRun[],
  { readsOnly }: CompletionForm,
): object {
  const sum = (count: (usage: Usage) => number) => usages.reduce((total, usage) => total + count(usage), 0);
  const whole = {
    promptTokens: sum((usage) => usage.promptTokens),
    cachedPromptTokens: sum((usage) => usage.cachedPromptTokens),
    completionTokens: readsOnly ? 0 : sum((usage) => usage.completionTokens),
  };
  return usageObject(
    whole,
    runs.every(({ run }) => run.repeated),
  );
}
