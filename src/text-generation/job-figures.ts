// Tells a job's log what its generations took: tokens, waiting, first token, rate.
import type { EndEvent, GenerationEvent } from "../engine/events.js";
import { changedModel, type Run, type TextModel } from "../openai/text-model.js";
import type { JobContext } from "../serverless/contract.js";

/** The model, with its generations' figures in the job's line. */
export function counted(model: TextModel, context: JobContext): TextModel {
  const tell = ({ usage, timings }: Pick<EndEvent, "usage" | "timings">) =>
    context.figures({
      promptTokens: usage.promptTokens,
      cachedTokens: usage.cachedPromptTokens,
      completionTokens: usage.completionTokens,
      queueMs: Math.round(timings.queueMs),
      timeToFirstTokenMs: Math.round(timings.timeToFirstTokenMs),
      tokensPerSecond: Math.round(timings.tokensPerSecond * 10) / 10,
    });
  return changedModel(model, { generate: (request) => watched(model.generate(request), tell) });
}

function watched(run: Run, tell: (end: Pick<EndEvent, "usage" | "timings">) => void): Run {
  return {
    repeated: run.repeated,
    async *[Symbol.asyncIterator](): AsyncGenerator<GenerationEvent, void, undefined> {
      for await (const event of run) {
        if (event.type === "end") tell(event);
        yield event;
      }
    },
    // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
    then: (onFulfilled, onRejected) =>
      Promise.resolve(run)
        .then((result) => {
          tell(result);
          return result;
        })
        .then(onFulfilled, onRejected),
  };
}
