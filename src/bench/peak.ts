// The busiest moments of a repeat, of the requests that finished, as vLLM's serving benchmark counts
// them. Its releases up to 0.32 tell as in flight at once all that were so within one second. Pure.
import type { RequestRecord } from "./record.js";

/** What was most. */
export interface Peak {
  /** Events with text in one second; seconds are counted from when the first of the requests was sent. */
  readonly eventsPerSecond: number;
  /** Requests between sending and last text. */
  readonly inFlight: number;
}

/** @param finished measured requests @returns null where none had text */
export function peakOf(finished: readonly RequestRecord[]): Peak | null {
  const spans = finished.flatMap(({ sentMs, arrivalsMs }) => {
    const endMs = arrivalsMs.at(-1);
    return endMs === undefined ? [] : [{ sentMs, endMs, arrivalsMs }];
  });
  if (spans.length === 0) return null;
  const beginMs = spans.reduce((least, { sentMs }) => Math.min(least, sentMs), Infinity);
  const seconds = new Map<number, number>();
  for (const atMs of spans.flatMap(({ arrivalsMs }) => arrivalsMs)) {
    const second = Math.floor((atMs - beginMs) / 1000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  return {
    eventsPerSecond: [...seconds.values()].reduce((most, count) => Math.max(most, count), 0),
    inFlight: mostAtOnce(spans),
  };
}

/** One that ends when another begins is not at once with it. */
function mostAtOnce(spans: readonly { readonly sentMs: number; readonly endMs: number }[]): number {
  const changes = spans
    .flatMap(({ sentMs, endMs }) => [
      { atMs: sentMs, by: 1 },
      { atMs: endMs, by: -1 },
    ])
    .sort((left, right) => left.atMs - right.atMs || left.by - right.by);
  let most = 0;
  let now = 0;
  for (const { by } of changes) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}
