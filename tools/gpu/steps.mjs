// What a step of an engine spends its time on, beside the least that the machine's bandwidth and
// matrix rate allow, and which of its parts costs most beyond that: what to work on next.

/**
 * @param before, after stats() of an engine; `wallMs` of the time between
 * @param floorMs the least time of one step by the machine's limits; null where none is known
 * @returns milliseconds of one step, by part, and `next`: the part that costs most beyond the floor
 */
export function stepTimes(before, after, wallMs, floorMs) {
  const steps = after.decodePasses - before.decodePasses;
  const spent = (name) => (after[name] - before[name]) / steps;
  const parts = {
    decode: spent("decodeMs"),
    sample: spent("sampleMs"),
    plan: spent("planMs"),
    emit: spent("emitMs"),
  };
  const told = Object.values(parts).reduce((sum, each) => sum + each, 0);
  parts.rest = Math.max(0, wallMs / steps - told);
  const excess = { ...parts, decode: parts.decode - (floorMs ?? 0) };
  const [next] = Object.entries(excess).sort(([, one], [, other]) => other - one)[0];
  return { steps, stepMs: wallMs / steps, floorMs, parts, next };
}
