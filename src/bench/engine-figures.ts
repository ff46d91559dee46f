// The engine's own view of a repeat: its counters after the repeat less those before it, and ratios
// of them. Pure.
import type { TargetCounters } from "./target.js";

/** Null is what the target does not tell, and a ratio that would divide by nothing. */
export interface EngineFigures extends Omit<TargetCounters, "queuedMs" | "queuedRequests"> {
  readonly prefixHitShare: number | null;
  readonly rowsPerStep: number | null;
  readonly graphReuseShare: number | null;
  readonly draftAcceptance: number | null;
  readonly queueMsMean: number | null;
  readonly kvUseMax: number | null;
}

/** What engineFigures() needs of what was measured beside the requests. */
export interface EngineSurroundings {
  readonly before: TargetCounters | null;
  readonly after: TargetCounters | null;
  readonly kvUseMax: number | null;
}

/** Targets tell more than these. */
const counterNames = [
  ...["steps", "decodePasses", "prefillPasses", "decodeRows", "promptTokensComputed", "promptTokensCached"],
  ...["generatedTokens", "draftedTokens", "acceptedTokens", "preemptions", "graphsReused", "finished"],
  ...["failed", "refused", "cancelled", "planMs", "prefillMs", "decodeMs", "sampleMs", "emitMs"],
  ...["queuedMs", "queuedRequests"],
] as readonly (keyof TargetCounters)[];

/** @returns null where the target tells nothing */
export function engineFigures({ before, after, kvUseMax }: EngineSurroundings): EngineFigures | null {
  if (before === null || after === null) return null;
  const entries = counterNames.map((name) => {
    const [then, now] = [before[name], after[name]];
    return [name, then === null || now === null ? null : now - then] as const;
  });
  const { queuedMs, queuedRequests, ...counted } = Object.fromEntries(entries) as unknown as TargetCounters;
  const { promptTokensCached, promptTokensComputed, decodeRows, steps } = counted;
  return {
    ...counted,
    prefixHitShare: share(promptTokensCached, added(promptTokensCached, promptTokensComputed)),
    rowsPerStep: share(decodeRows, steps),
    graphReuseShare: share(counted.graphsReused, added(counted.decodePasses, counted.prefillPasses)),
    draftAcceptance: share(counted.acceptedTokens, counted.draftedTokens),
    queueMsMean: share(queuedMs, queuedRequests),
    kvUseMax,
  };
}

function share(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : part / whole;
}

function added(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other;
}
