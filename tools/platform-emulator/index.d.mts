// The types of index.mjs, for tests in TypeScript.
import type { IncomingHttpHeaders } from "node:http";

export interface FaultOptions {
  readonly seed: number;
  /** Of calls that go wrong, 0 to 1. */
  readonly rate: number;
  readonly routes?: readonly string[];
  readonly slowMs?: number;
}

export interface PlatformOptions {
  readonly endpointId?: string;
  readonly workerId?: string;
  readonly apiKey?: string;
  readonly holdMs?: number;
  readonly pingIntervalMs?: number;
  readonly missedPings?: number;
  readonly faults?: FaultOptions;
}

/** How the next call of a route goes another way. */
export interface Trouble {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly delayMs?: number;
  readonly drop?: "before" | "after";
  readonly lateMs?: number;
  readonly truncate?: boolean;
  readonly redirect?: boolean;
  readonly pass?: boolean;
}

export interface Call {
  readonly at: number;
  readonly route: string;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly parameters: {
    readonly workerId?: string;
    readonly jobId?: string;
    readonly query?: URLSearchParams;
  };
  readonly status: number | "dropped" | undefined;
  readonly answeredAt: number | undefined;
}

/** One hand-out of a job. */
export interface Lease {
  readonly workerId: string;
  readonly destroyed: "take" | "result" | "worker" | undefined;
  readonly lapsed: boolean;
}

export interface BookedJob {
  readonly id: string;
  readonly payload: object;
  readonly status: "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED";
  readonly takes: number;
  readonly leases: readonly Lease[];
  readonly history: readonly string[];
  readonly done: readonly {
    readonly output?: unknown;
    readonly error?: string;
    readonly stopPod?: boolean;
  }[];
  readonly stream: readonly unknown[];
  readonly progress: readonly unknown[];
  readonly workerId: string | undefined;
}

export interface Platform {
  readonly url: string;
  readonly trace: readonly Call[];
  readonly violations: readonly string[];
  readonly faults: {
    readonly injected: number;
    stop(): void;
  };
  readonly book: { readonly queued: number; readonly ended: number; readonly all: readonly BookedJob[] };
  close(): Promise<void>;
  env(over?: Readonly<Record<string, string | undefined>>): Record<string, string>;
  enqueue(job: object): string;
  stop(id: string): void;
  workerKilled(workerId: string): void;
  job(id: string): BookedJob;
  script(route: string, responses: readonly Trouble[]): void;
  calls(...routes: string[]): readonly Call[];
  nextChange(milliseconds?: number): Promise<void>;
  until(condition: () => unknown, what?: string, limitMs?: number): Promise<void>;
}

export function createPlatform(options?: PlatformOptions): Promise<Platform>;
