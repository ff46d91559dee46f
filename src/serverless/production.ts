// A worker's life on the platform: checks, heartbeat, preparation and the loop.
// @returns the exit code; ending the process is start.ts's.
import { describeThrown } from "../thrown.js";
import type { WorkerConfig } from "./config.js";
import type { WorkerOptions } from "./contract.js";
import { passes, registeredChecks } from "./fitness.js";
import { Heartbeat } from "./heartbeat.js";
import type { Host } from "./host.js";
import { listenForLeaving } from "./leaving.js";
import type { Logger } from "./logger.js";

import { noMetrics, type ServedMetrics, serveMetrics, type WorkerState } from "./metrics.js";
import { unlessLeaving } from "./preparing.js";
import { builtInChecks } from "./system-checks.js";
import { Worker } from "./worker.js";

/** Runs jobs until the worker is told to leave. */
export async function runInProduction(
  options: WorkerOptions,
  config: WorkerConfig,
  logger: Logger,
  host: Host,
): Promise<number> {
  const heartbeat = new Heartbeat(config, logger);
  let metrics: ServedMetrics | undefined;
  const worker: Worker = new Worker({
    options,
    config,
    logger,
    onJobs: (ids) => heartbeat.setJobs(ids),
    metrics: () => metrics ?? noMetrics,
  });
  const leaving = listenForLeaving(worker, config, logger, host);
  // A job may wait for something Node does not count, and end with the process.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    metrics = await openMetrics(config, logger, () => worker.state);
    const ready = await unlessLeaving(leaving, (signal) =>
      prepared(options, config, heartbeat, logger, signal),
    );
    if (!ready) return 1;
    await Promise.race([worker.run(), leaving.forced]);
    return leaving.code();
  } finally {
    clearInterval(alive);
    leaving.stop();
    await heartbeat.stop();
    await metrics?.close();
  }
}

/** Jobs matter more than their figures: a port that is taken is a warning. */
async function openMetrics(
  { metricsPort }: WorkerConfig,
  logger: Logger,
  state: () => WorkerState,
): Promise<ServedMetrics | undefined> {
  if (metricsPort === undefined) return undefined;
  try {
    const metrics = await serveMetrics(metricsPort, state);
    logger.info(`Metrics are at port ${metrics.port}, /metrics.`);
    return metrics;
  } catch (thrown) {
    logger.warn(`The metrics port ${metricsPort} cannot be had: ${describeThrown(thrown)}`);
    return undefined;
  }
}

/** Checks first, then pings while everything is loaded and warmed. @returns whether all went well */
async function prepared(
  options: WorkerOptions,
  config: WorkerConfig,
  heartbeat: Heartbeat,
  logger: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  for (const check of registeredChecks()) {
    if (!(await passes(check, check.name || "check", heartbeat, logger))) return false;
  }
  for (const check of builtInChecks(config, logger)) {
    if (!(await passes(check, check.name || "check", heartbeat, logger))) return false;
  }
  if (!(await passes(() => heartbeat.start(), "heartbeat", heartbeat, logger))) return false;
  const { prepare } = options;
  if (prepare === undefined) return true;
  const unlessStopped = async () => {
    await Promise.resolve(prepare(logger, signal)).catch((thrown: unknown) => {
      if (!signal.aborted) throw thrown;
    });
  };
  return passes(unlessStopped, prepare.name || "prepare", heartbeat, logger);
}
