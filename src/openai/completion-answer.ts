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
    if (!opened.has(prompt)) writer.open(prompt, runs[prompt]?.echoed() ?? "", event);
    opened.add(prompt);
    if (event.type === "end") {
      usages.push(event.usage);
      if (n === 1) yield* writer.end(prompt, finishReason(event.finishReason));
    } else if (event.type === "choice-end") {
      yield* writer.end(prompt * n + event.choiceIndex, finishReason(event.finishReason));
    } else if (event.type === "text-delta" && !readsOnly && writer.says(event)) {
      yield writer.delta(prompt * n + event.choiceIndex, event);
    }
  }
  if (includeUsage) yield { ...head, choices: [], usage: usageOfAll(usages, runs, form) };
}

/** What is told of a prompt with the first text of its choices. */
interface Opening {
  readonly echo: string;
  /** Of the prompt in it. */
  readonly logProbs: PromptEvent["logProbs"];
  readonly ids: readonly number[] | undefined;
}

/** Writes the chunks of one answer. */
class ChunkWriter {
  readonly #model: TextModel;
  readonly #head: object;
  readonly #form: CompletionForm;
  readonly #nameOf: TokenName;
  readonly #offsets = new Map<number, number>();
  readonly #openings = new Map<number, Opening>();

  constructor(model: TextModel, head: object, form: CompletionForm) {
    this.#model = model;
    this.#head = head;
    this.#form = form;
    this.#nameOf = tokenName(model, form.shown);
  }

  /** Takes what is to be told of a prompt; `event` is the first that came of it. */
  open(prompt: number, echo: string, event: GenerationEvent): void {
    const { n, shown, hasLogProbs } = this.#form;
    const told = event.type === "prompt" ? event : undefined;
    const logProbs = shown.echo && hasLogProbs ? told?.logProbs : undefined;
    const ids = shown.tokenIds ? told?.tokens : undefined;
    if (echo === "" && logProbs === undefined && ids === undefined) return;
    for (let choice = 0; choice < n; choice += 1)
      this.#openings.set(prompt * n + choice, { echo, logProbs, ids });
  }

  says({ text, tokens, logProbs }: TextDeltaEvent): boolean {
    return text !== "" || logProbs !== undefined || (this.#form.shown.tokenIds && tokens.length > 0);
  }

  delta(index: number, { text, tokens, logProbs }: Omit<TextDeltaEvent, "type" | "choiceIndex">): object {
    const { echo = "", logProbs: before, ids } = this.#openings.get(index) ?? {};
    this.#openings.delete(index);
    const told = before ?? [];
    const offset = (this.#offsets.get(index) ?? echo.length) - lengthOf(this.#model, told);
    this.#offsets.set(index, (this.#offsets.get(index) ?? echo.length) + text.length);
    const all = logProbs === undefined ? before : [...told, ...logProbs];
    return this.#chunk(index, echo + text, null, {
      logprobs: completionLogProbs(this.#model, all, offset, this.#nameOf),
      ...(ids !== undefined && { prompt_token_ids: ids }),
      ...(this.#form.shown.tokenIds && { token_ids: tokens }),
    });
  }

  /** A choice's last chunks. */
  *end(index: number, reason: string | null): Generator<object, void, undefined> {
    // An answer without text has nothing else to tell it with.
    if (this.#openings.has(index)) yield this.delta(index, { text: "", tokens: [] });
    yield this.#chunk(index, "", reason, { ...(this.#form.shown.tokenIds && { token_ids: [] }) });
  }

  #chunk(index: number, text: string, reason: string | null, more: object): object {
    return { ...this.#head, choices: [{ index, text, logprobs: null, finish_reason: reason, ...more }] };
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
