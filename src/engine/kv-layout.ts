// How an engine's KV cache lies in memory, where the caller leaves it open: by the kind
// of model and by what was measured (docs/decisions/0020). Pure.
import type { CacheKind } from "../native.js";

/** A pool of cells for all slots, or a stream of cells for each. */
export type KvLayout = "unified" | "streams";

/** The options of an engine that decide. */
export interface KvLayoutQuestion {
  readonly kvLayout: KvLayout | "auto";
  readonly kvCells?: number | undefined;
  readonly slots: number;
  readonly contextLength: number;
  readonly deterministic: boolean;
}

/**
 * Streams are as fast as a pool or faster for every number of slots, and the only
 * layout of models whose layers forget; a pool is for who wants fewer cells than all
 * slots could use, or one long beginning for many.
 * @returns the cells of one pool for all slots, 0 for streams; or the sentence that refuses
 */
export function chooseKvCells(question: KvLayoutQuestion, cacheKind: CacheKind): number | string {
  const { kvLayout, kvCells, slots, contextLength, deterministic } = question;
  if (kvLayout === "streams" && kvCells !== undefined) {
    return `kvCells must be left out when kvLayout is "streams", whose slots have contextLength cells each, got ${kvCells}`;
  }
  if (kvLayout === "streams" || (kvLayout === "auto" && kvCells === undefined)) return 0;
  const asked = kvLayout === "unified" ? 'kvLayout must be "streams"' : "kvCells must be left out";
  if (deterministic) return `${asked} when deterministic is true, which needs a stream for each slot`;
  if (cacheKind !== "full") {
    return `${asked} for this model, whose cache is of kind "${cacheKind}": a pool needs layers that keep every position`;
  }
  if (kvCells !== undefined && kvCells < contextLength) {
    return `kvCells must be contextLength (${contextLength}) or more, got ${kvCells}`;
  }
  return kvCells ?? slots * contextLength;
}
