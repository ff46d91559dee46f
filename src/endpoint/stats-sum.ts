// The figures of a model that is unloaded and loaded again: each load begins an engine whose counters
// begin at 0, and a scraper is to see counters that only grow.
import type { EngineStats } from "../engine/stats.js";

/** What is of now, and gone with its engine. */
const states: ReadonlySet<string> = new Set([
  "running",
  "waiting",
  "kvCellsUsed",
  "kvCellsCached",
  "kvCellsTotal",
  "hostCacheBytes",
  "rowsPerStep",
  "passesPerStep",
] satisfies (keyof EngineStats)[]);

/** Counters of both, and the states of the second. */
export function summed(past: EngineStats | undefined, now: EngineStats): EngineStats {
  if (past === undefined) return now;
  const before = new Map(Object.entries(past));
  const sums = Object.entries(now).map(([name, value]) => [
    name,
    states.has(name) ? value : value + (before.get(name) ?? 0),
  ]);
  return Object.fromEntries(sums) as EngineStats;
}

/** The same counters without an engine: nothing runs, and there are no cells. */
export function resting(past: EngineStats): EngineStats {
  const kept = Object.entries(past).map(([name, value]) => [name, states.has(name) ? 0 : value]);
  return Object.fromEntries(kept) as EngineStats;
}
