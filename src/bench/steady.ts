// The steady state of a repeat: the time in which the load was what it was to be, without the
// beginning (warm-up) and the end, when fewer and fewer requests are in flight.
import type { Load } from "./load.js";
import type { RequestRecord } from "./record.js";

/** From when to when; milliseconds of performance.now(). */
export interface Window {
  readonly startMs: number;
  readonly endMs: number;
}

/** The share of a closed loop's streams that must be busy. */
const fullShare = 0.95;

/** @returns null where the load was never steady, or for no time */
export function steadyWindow(load: Load, records: readonly RequestRecord[]): Window | null {
  const measured = records.filter(({ isWarmup }) => !isWarmup);
  if (measured.length === 0) return null;
  const window =
    load.type === "concurrency" ? busyWindow(load.concurrency, records) : arrivalWindow(measured);
  return window !== null && window.endMs > window.startMs ? window : null;
}

/** From the end of the warm-up to the last moment with 95 % of the streams busy. */
function busyWindow(concurrency: number, records: readonly RequestRecord[]): Window | null {
  const wanted = fullShare * concurrency;
  let startMs = -Infinity;
  for (const record of records) if (record.isWarmup) startMs = Math.max(startMs, record.endMs);
  let endMs = -Infinity;
  let busy = 0;
  let firstFullMs = Infinity;
  for (const { atMs, change } of changes(records)) {
    const before = busy;
    busy += change;
    if (busy >= wanted && before < wanted) firstFullMs = Math.min(firstFullMs, atMs);
    if (busy < wanted && before >= wanted) endMs = atMs;
  }
  startMs = Math.max(startMs, firstFullMs);
  return Number.isFinite(startMs) && Number.isFinite(endMs) ? { startMs, endMs } : null;
}

/** From the first measured arrival to the last. */
function arrivalWindow(measured: readonly RequestRecord[]): Window {
  const due = Float64Array.from(measured, ({ dueMs }) => dueMs).sort();
  return { startMs: due[0] ?? 0, endMs: due.at(-1) ?? 0 };
}

interface Change {
  readonly atMs: number;
  readonly change: 1 | -1;
}

/** Sends and ends in order of time; at the same time, ends first. */
function changes(records: readonly RequestRecord[]): Change[] {
  const all = records.flatMap(({ sentMs, endMs }): Change[] => [
    { atMs: sentMs, change: 1 },
    { atMs: endMs, change: -1 },
  ]);
  return all.sort((left, right) => left.atMs - right.atMs || left.change - right.change);
}

/** The mean number of requests in flight inside a window. */
export function meanInFlight(records: readonly RequestRecord[], { startMs, endMs }: Window): number {
  const inside = (record: RequestRecord) =>
    Math.max(0, Math.min(record.endMs, endMs) - Math.max(record.sentMs, startMs));
  return records.reduce((sum, record) => sum + inside(record), 0) / (endMs - startMs);
}
