// The types of job-soak.mjs, for tests in TypeScript.
export interface JobSoakOptions {
  readonly jobs: number;
  readonly seed: number;
  readonly faultRate?: number;
  readonly workers?: number;
  readonly chaosMs?: number;
  readonly lost?: number;
  readonly limitMs?: number;
}

export interface JobSoakReport {
  readonly wrong: readonly string[];
  readonly jobs: number;
  /** Jobs queued again, by what of them was destroyed. */
  readonly reruns: { readonly takes: number; readonly results: number; readonly workers: number };
  readonly injected: number;
  readonly workers: number;
  readonly memoryGrowth: number | undefined;
  readonly seconds: number;
}

export function soakJobs(options: JobSoakOptions): Promise<JobSoakReport>;
