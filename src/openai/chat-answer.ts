// Generations as chat.completion objects and as streams of chunks.
import type { DeltaEvent, GenerateChoice, GenerateResult } from "../engine/events.js";
import {
  chatLogProbs,
  finishReason,
  heading,
  promptLogProbs,
  type TokenName,
  usageObject,
} from "./answer-parts.js";
import { type Shown, tokenName } from "./shown.js";
import type { Run, TextModel } from "./text-model.js";

/** What an answer tells, and how. */
export interface ChatForm {
  readonly shown: Shown;
  readonly n: number;
  /** Who speaks. */
  readonly role: string;
  /** What stands before the text; "": nothing. */
  readonly echo: string;
}

/** The whole answer. */
export async function chatCompletion(model: TextModel, run: Run, form: ChatForm): Promise<object> {
  const result = await run;
  return {
    ...heading("chatcmpl", "chat.completion", model),
    choices: result.choices.map((choice) => choiceObject(model, choice, form)),
    usage: usageObject(result.usage, run.repeated),
    ...promptObject(result, form.shown, tokenName(model, form.shown)),
  };
}

function promptObject(
  { promptTokens, promptLogProbs: told }: GenerateResult,
  shown: Shown,
  nameOf: TokenName,
): object {
  return {
    ...(shown.promptLogProbs && { prompt_logprobs: promptLogProbs(told, nameOf) }),
    ...(shown.tokenIds && { prompt_token_ids: promptTokens ?? null }),
  };
}

function choiceObject(model: TextModel, choice: GenerateChoice, { shown, role, echo }: ChatForm): object {
  const { index, reasoning, toolCalls, logProbs, tokens } = choice;
  const text = echo + choice.text;
  const calls = toolCalls?.map(({ id, name, arguments: given }) => ({
    id,
    type: "function",
    function: { name, arguments: given },
  }));
  const message = {
    role,
    content: text === "" && calls !== undefined ? null : text,
    refusal: null,
    reasoning: reasoning ?? null,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(calls !== undefined && { tool_calls: calls }),
  };
  return {
    index,
    message,
    logprobs: chatLogProbs(model, logProbs, tokenName(model, shown)),
    finish_reason: finishReason(choice.finishReason),
    ...(shown.tokenIds && { token_ids: tokens }),
  };
}

/** The answer as chunk objects. @param includeUsage as a chunk of its own */
export async function* chatChunks(
  model: TextModel,
  run: Run,
  { shown, n, role, echo }: ChatForm,
  includeUsage: boolean,
): AsyncGenerator<object, void, undefined> {
  const head = heading("chatcmpl", "chat.completion.chunk", model);
  const nameOf = tokenName(model, shown);
  const chunk = (index: number, delta: object, reason: string | null, more: object = {}) => ({
    ...head,
    choices: [{ index, delta, logprobs: null, finish_reason: reason, ...more }],
  });
  const last = shown.tokenIds ? { token_ids: [] } : {};
  const started = new Set<string>();
  let opened = false;
  for await (const event of run) {
    // Not before something came: a request that is refused begins no answer.
    const told = event.type === "prompt" && shown.tokenIds ? { prompt_token_ids: event.tokens } : {};
    for (let index = 0; !opened && index < n; index += 1) {
      yield { ...chunk(index, { role, content: "" }, null), ...told };
      if (echo !== "") yield chunk(index, { content: echo }, null);
    }
    opened = true;
    if (event.type === "choice-end") {
      yield chunk(event.choiceIndex, {}, finishReason(event.finishReason), last);
    } else if (event.type === "end") {
      if (n === 1) yield chunk(0, {}, finishReason(event.finishReason), last);
      if (includeUsage) yield { ...head, choices: [], usage: usageObject(event.usage, run.repeated) };
    } else if (event.type !== "prompt" && saysSomething(event, shown)) {
      yield chunk(event.choiceIndex, deltaObject(event, started), null, {
        logprobs: chatLogProbs(model, event.logProbs, nameOf),
        ...(shown.tokenIds && { token_ids: event.tokens }),
      });
    }
  }
}

function saysSomething(event: DeltaEvent, { tokenIds }: Shown): boolean {
  if (event.type === "tool-call-delta" || event.text !== "" || event.logProbs !== undefined) return true;
  return tokenIds && event.tokens.length > 0;
}

/** @param started calls whose name was told */
function deltaObject(event: DeltaEvent, started: Set<string>): object {
  if (event.type === "text-delta") return { content: event.text };
  if (event.type === "reasoning-delta") return { reasoning: event.text, reasoning_content: event.text };
  const { choiceIndex, toolCallIndex: index, id, name, arguments: text } = event;
  const key = `${choiceIndex} ${index}`;
  if (started.has(key)) return { tool_calls: [{ index, function: { arguments: text } }] };
  started.add(key);
  return { tool_calls: [{ id, type: "function", index, function: { name, arguments: text } }] };
}
