// A run whose thoughts are kept from the reader: what vLLM's include_reasoning false
// asks for.
import type { GenerateResult, GenerationEvent } from "../engine/events.js";
import type { Run } from "./text-model.js";

export function withoutReasoning(run: Run): Run {
  return {
    repeated: run.repeated,
    async *[Symbol.asyncIterator](): AsyncGenerator<GenerationEvent, void, undefined> {
      for await (const event of run) if (event.type !== "reasoning-delta") yield event;
    },
    // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
    then: (onFulfilled, onRejected) => Promise.resolve(run).then(spoken).then(onFulfilled, onRejected),
  };
}

function spoken(result: GenerateResult): GenerateResult {
  const { reasoning: _, ...rest } = result;
  return { ...rest, choices: result.choices.map(({ reasoning: _hidden, ...choice }) => choice) };
}
