// Types of table.mjs, for the tests.

/** One malformed checkpoint, or a valid neighbour of one. */
export interface MalformedEntry {
  /** Its number in the table and what is wrong with it. */
  readonly entry: string;
  /** Codes that fit; none: it must load. */
  readonly refused?: readonly string[];
  /** What the message must say; "a|b" for either. */
  readonly names?: readonly string[];
  /** Of loadModel(). */
  readonly options?: object;
}

export const table: readonly MalformedEntry[];

/** Writes an entry's directory below `out` and returns its path. */
export function writeEntry(entry: MalformedEntry, out: string): string;
