// The types of kill-soak.mjs, for tests in TypeScript.
export interface KillSoakOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Jobs accepted in a round before the server is killed, at least and at most. */
  readonly accepted: readonly [number, number];
  readonly clients?: number;
}

export interface KillSoakReport {
  readonly wrong: readonly string[];
  readonly rounds: number;
  readonly accepted: number;
  /** Jobs whose end was seen before a kill and asked for after it. */
  readonly seenAgain: number;
  /** Jobs that show retries at the end. */
  readonly reruns: number;
  /** Webhooks that were owed, and how often they were told. */
  readonly webhooks: { readonly owed: number; readonly told: number };
}

export function soakKills(options: KillSoakOptions): Promise<KillSoakReport>;
