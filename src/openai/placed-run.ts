// A run of one of several prompts, whose errors say of which.
import type { GenerateResult, GenerationEvent } from "../engine/events.js";
import { InferenceError, type NameOption, type OptionPath } from "../errors.js";
import type { Run } from "./text-model.js";

export function placedRun(run: Run, prompt: number): Run {
  const fail = (thrown: unknown): never => {
    throw placed(thrown, prompt);
  };
  return {
    repeated: run.repeated,
    async *[Symbol.asyncIterator](): AsyncGenerator<GenerationEvent, void, undefined> {
      try {
        yield* run;
      } catch (thrown) {
        fail(thrown);
      }
    },
    // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
    then: (onFulfilled, onRejected) =>
      Promise.resolve<GenerateResult>(run).catch(fail).then(onFulfilled, onRejected),
  };
}

function placed(thrown: unknown, prompt: number): unknown {
  if (!(thrown instanceof InferenceError) || thrown.path?.[0] !== "prompt") return thrown;
  const at = ([head = "", ...rest]: OptionPath): OptionPath =>
    head === "prompt" ? [head, prompt, ...rest] : [head, ...rest];
  const sentence = (name: NameOption) => thrown.sentence((path) => name(at(path)));
  return new InferenceError(thrown.code, thrown.message, { path: at(thrown.path), sentence });
}
