// A generation as somebody sees who only counts: the waiting between its deltas, and its end.
import type { EndEvent, GenerationEvent } from "../engine/events.js";
import type { Run } from "../openai/text-model.js";

/** What an end tells an observer. */
export type ObservedEnd = Pick<EndEvent, "finishReason" | "usage" | "timings">;

/** Told of generations; it must not throw. */
export interface GenerationObserver {
  /**
   * A delta with tokens came.
   * @param seconds since the one before, of the same answer
   * @param tokens that it brought: several, where the reader was slower than the engine
   */
  waited(seconds: number, tokens: number): void;
  /** Not told of generations that failed or whose reader left: the engine counts those. */
  ended(end: ObservedEnd): void;
}

/** The run itself where nothing is computed for it: an earlier answer has no figures of its own. */
export function observed(run: Run, observer: GenerationObserver): Run {
  if (run.repeated) return run;
  return {
    repeated: run.repeated,
    [Symbol.asyncIterator]: () => observedEvents(run, observer),
    // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
    then: (onFulfilled, onRejected) =>
      Promise.resolve(run)
        .then((result) => {
          observer.ended(result);
          return result;
        })
        .then(onFulfilled, onRejected),
  };
}

async function* observedEvents(
  run: Run,
  observer: GenerationObserver,
): AsyncGenerator<GenerationEvent, void, undefined> {
  const last = new Map<number, number>();
  for await (const event of run) {
    if (event.type === "end") observer.ended(event);
    else if ("choiceIndex" in event && "tokens" in event && event.tokens.length > 0) {
      const now = performance.now();
      const before = last.get(event.choiceIndex);
      if (before !== undefined) observer.waited((now - before) / 1000, event.tokens.length);
      last.set(event.choiceIndex, now);
    }
    yield event;
  }
}
