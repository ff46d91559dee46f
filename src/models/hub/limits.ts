// How patient and how parallel a pull is. The defaults are for real hubs; tests pass others.

/** Bounds of a pull. */
export interface PullLimits {
  /** Requests for file contents at once. */
  readonly connections: number;
  /** Files at once. */
  readonly files: number;
  /** Bytes that one request asks for. */
  readonly partBytes: number;
  /** Failures in a row, each bringing less than `progressBytes`, before a request is given up. */
  readonly attempts: number;
  /** What counts as progress. */
  readonly progressBytes: number;
  /** How often a whole file is begun again because its digest was wrong or the server changed it. */
  readonly restarts: number;
  /** The first pause after a failure; doubles. */
  readonly firstPauseMs: number;
  /** The longest pause, unless the server names one. */
  readonly lastPauseMs: number;
  /** The longest pause that a server may name (Retry-After); a longer one ends the pull. */
  readonly longestAskedMs: number;
  /** No answer, or fewer than `stallBytes` of a body, for this long is a failure. */
  readonly stallMs: number;
  /** The least that must arrive within `stallMs`. */
  readonly stallBytes: number;
  /** How often a process says that it still works at its partial file. */
  readonly beatMs: number;
  /** A partial file without a sign of life for this long belongs to nobody. */
  readonly leaseMs: number;
}

const mebi = 1024 * 1024;

/** Of real pulls. */
export const pullLimits: PullLimits = Object.freeze({
  connections: 8,
  files: 3,
  partBytes: 16 * mebi,
  attempts: 8,
  progressBytes: mebi,
  restarts: 2,
  firstPauseMs: 500,
  lastPauseMs: 20_000,
  longestAskedMs: 300_000,
  stallMs: 30_000,
  stallBytes: 4096,
  beatMs: 5000,
  leaseMs: 60_000,
});
