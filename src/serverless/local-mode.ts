// Which way a worker runs: the HTTP API, one local job, or the platform's jobs,
// in that order of precedence; and what the local ways have in common.
import { describeThrown } from "../thrown.js";
import type { WorkerConfig } from "./config.js";
import type { WorkerOptions } from "./contract.js";
import type { LocalArguments } from "./local-arguments.js";
import type { Logger } from "./logger.js";

export type Mode =
  | {
      readonly type: "api";
      readonly host: string;
      readonly port: number;
      /** Jobs at once; undefined: as many as the concurrency modifier says. */
      readonly concurrency: number | undefined;
      /** Whether it serves the platform, which is pinged then. */
      readonly realtime: boolean;
    }
  | { readonly type: "job"; readonly testInput: string | undefined }
  | { readonly type: "production" };

export function chooseMode(given: LocalArguments, config: WorkerConfig): Mode {
  if (given.serveApi) {
    const { apiHost: host, apiPort: port, apiConcurrency: concurrency } = given;
    return { type: "api", host, port, concurrency, realtime: false };
  }
  if (config.realtimePort !== undefined) {
    const { realtimePort: port, realtimeConcurrency: concurrency } = config;
    return { type: "api", host: "0.0.0.0", port, concurrency, realtime: true };
  }
  if (given.testInput !== undefined || config.takeTemplate === undefined) {
    return { type: "job", testInput: given.testInput };
  }
  return { type: "production" };
}

/** Awaits the preparation. @returns whether it went well or the signal ended it; if not, the log says why */
export async function preparedLocally(
  options: WorkerOptions,
  logger: Logger,
  signal: AbortSignal = new AbortController().signal,
): Promise<boolean> {
  try {
    await options.prepare?.(logger, signal);
    return true;
  } catch (thrown) {
    if (signal.aborted) return true;
    logger.error(`The worker cannot be prepared: ${describeThrown(thrown)}`);
    return false;
  }
}
