// A host without an addon: records what a generation asks of its engine.
import type { GenerationHost } from "../../src/engine/generation-record.js";
import type { NativeEnd } from "../../src/native-events.js";

export class FakeHost implements GenerationHost {
  readonly cancelled: number[] = [];
  readonly acknowledged: number[] = [];
  waiting = 0;

  readonly native = {
    cancel: (id: number) => void this.cancelled.push(id),
    acknowledge: (_id: number, tokens: number) => void this.acknowledged.push(tokens),
  };
  readonly keepAlive = {
    hold: () => {
      this.waiting += 1;
    },
    release: () => {
      this.waiting -= 1;
    },
  };
}

export function nativeEnd(fields: Partial<NativeEnd> = {}): NativeEnd {
  return {
    id: 1,
    reason: "stop",
    failure: null,
    promptTokens: 3,
    cachedPromptTokens: 1,
    completionTokens: 2,
    queueMs: 1,
    prefillMs: 2,
    decodeMs: 4,
    totalMs: 7,
    ...fields,
  };
}
