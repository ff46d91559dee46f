// How many slots fit into a memory: from sizes that were measured for some numbers of slots.
// Pure.

/** Bytes that a number of slots needs in all. */
export interface SizedSlots {
  readonly slots: number;
  readonly bytes: number;
}

/** Numbers of slots to measure; sizes in between are interpolated. */
export const measuredSlots: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/**
 * @param sizes by rising slots
 * @returns the most slots whose bytes are at most `room`; 0: not even one
 */
export function slotsThatFit(sizes: readonly SizedSlots[], room: number): number {
  let most = 0;
  for (const [at, { slots, bytes }] of sizes.entries()) {
    if (bytes > room) break;
    most = slots;
    const next = sizes[at + 1];
    if (next === undefined || next.bytes <= room || next.bytes === bytes) continue;
    const more = ((room - bytes) / (next.bytes - bytes)) * (next.slots - slots);
    most = slots + Math.floor(more);
  }
  return most;
}
