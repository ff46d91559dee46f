// How an engine's KV cache lies in memory, where the caller leaves it open: by the kind
// of model and by what was measured (docs/decisions/0020). Pure.
import { invalidOption } from "../errors.js";
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
 * @returns the cells of one pool for all slots, 0 for streams
 * @throws InferenceError INVALID_OPTION
 */
export function chooseKvCells(call: string, question: KvLayoutQuestion, cacheKind: CacheKind): number {
  const { kvLayout, kvCells, slots, contextLength, deterministic } = question;
  if (kvLayout === "streams" && kvCells !== undefined) {
    const problem = `must be left out when kvLayout is "streams", whose slots have contextLength cells each, got ${kvCells}`;
    throw invalidOption(call, ["kvCells"], problem);
  }
  if (kvLayout === "streams" || (kvLayout === "auto" && kvCells === undefined)) return 0;
  const option = kvLayout === "unified" ? "kvLayout" : "kvCells";
  const asked = kvLayout === "unified" ? 'must be "streams"' : "must be left out";
  if (deterministic) {
    const problem = `${asked} when deterministic is true, which needs a stream for each slot`;
    throw invalidOption(call, [option], problem);
  }
  if (cacheKind !== "full") {
    const problem = `${asked} for this model, whose cache is of kind "${cacheKind}": a pool needs layers that keep every position`;
    throw invalidOption(call, [option], problem);
  }
  if (kvCells !== undefined && kvCells < contextLength) {
    const problem = `must be contextLength (${contextLength}) or more, got ${kvCells}`;
    throw invalidOption(call, ["kvCells"], problem);
  }
  return kvCells ?? slots * contextLength;
}
