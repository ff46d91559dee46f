// Generations as chat.completion objects and as streams of chunks.
import type { DeltaEvent, GenerateChoice, GenerationEvent } from "../engine/events.js";
import { chatLogProbs, finishReason, heading, usageObject } from "./answer-parts.js";
import type { Run, TextModel } from "./text-model.js";

/** The whole answer. */
export async function chatCompletion(model: TextModel, run: Run): Promise<object> {
  const { choices, usage } = await run;
  return {
    ...heading("chatcmpl", "chat.completion", model),
    choices: choices.map((choice) => choiceObject(model, choice)),
    usage: usageObject(usage, run.repeated),
  };
}

function choiceObject(model: TextModel, choice: GenerateChoice): object {
  const { index, text, reasoning, toolCalls, logProbs } = choice;
  const calls = toolCalls?.map(({ id, name, arguments: given }) => ({
    id,
    type: "function",
    function: { name, arguments: given },
  }));
  const message = {
    role: "assistant",
    content: text === "" && calls !== undefined ? null : text,
    refusal: null,
    reasoning: reasoning ?? null,
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...(calls !== undefined && { tool_calls: calls }),
  };
  const reason = finishReason(choice.finishReason);
  return { index, message, logprobs: chatLogProbs(model, logProbs), finish_reason: reason };
}

/** The answer as chunk objects. @param includeUsage as a chunk of its own */
export async function* chatChunks(
  model: TextModel,
  run: Run,
  choices: number,
  includeUsage: boolean,
): AsyncGenerator<object, void, undefined> {
  const head = heading("chatcmpl", "chat.completion.chunk", model);
  const chunk = (index: number, delta: object, reason: string | null, logprobs: object | null = null) => ({
    ...head,
    choices: [{ index, delta, logprobs, finish_reason: reason }],
  });
  const started = new Set<string>();
  let opened = false;
  for await (const event of run) {
    // Not before something came: a request that is refused begins no answer.
    for (let index = 0; !opened && index < choices; index += 1) {
      yield chunk(index, { role: "assistant", content: "" }, null);
    }
    opened = true;
    if (event.type === "choice-end") {
      yield chunk(event.choiceIndex, {}, finishReason(event.finishReason));
    } else if (event.type === "end") {
      if (choices === 1) yield chunk(0, {}, finishReason(event.finishReason));
      if (includeUsage) yield { ...head, choices: [], usage: usageObject(event.usage, run.repeated) };
    } else if (saysSomething(event)) {
      yield chunk(event.choiceIndex, deltaObject(event, started), null, chatLogProbs(model, event.logProbs));
    }
  }
}

function saysSomething(event: DeltaEvent): boolean {
  return event.type === "tool-call-delta" || event.text !== "" || event.logProbs !== undefined;
}

/** @param started calls whose name was told */
function deltaObject(
  event: Exclude<GenerationEvent, { type: "end" | "choice-end" }>,
  started: Set<string>,
): object {
  if (event.type === "text-delta") return { content: event.text };
  if (event.type === "reasoning-delta") return { reasoning: event.text, reasoning_content: event.text };
  const { choiceIndex, toolCallIndex: index, id, name, arguments: text } = event;
  const key = `${choiceIndex} ${index}`;
  if (started.has(key)) return { tool_calls: [{ index, function: { arguments: text } }] };
  started.add(key);
  return { tool_calls: [{ id, type: "function", index, function: { name, arguments: text } }] };
}
