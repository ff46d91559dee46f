// A worker's life on the platform: checks, heartbeat, preparation, the loop,
// and the ways it ends. @returns the exit code; ending the process is start.ts's.
import type { WorkerConfig } from "./config.js";
import type { WorkerOptions } from "./contract.js";
import { passes, registeredChecks } from "./fitness.js";
import { describe, Heartbeat } from "./heartbeat.js";
import { ExitCalled, type Host } from "./host.js";
import type { Logger } from "./logger.js";
import { Worker } from "./worker.js";

/** Runs jobs until the worker is told to leave. */
export async function runInProduction(
  options: WorkerOptions,
  config: WorkerConfig,
  logger: Logger,
  host: Host,
): Promise<number> {
  const heartbeat = new Heartbeat(config, logger);
  const worker = new Worker({ options, config, logger, onJobs: (ids) => heartbeat.setJobs(ids) });
  const leaving = listen(worker, logger, host);
  try {
    const ready = await Promise.race([prepared(options, heartbeat, logger), leaving.asked.then(() => true)]);
    if (!ready) return 1;
    await Promise.race([worker.run(), leaving.forced]);
    return leaving.code();
  } finally {
    leaving.stop();
    await heartbeat.stop();
  }
}

/** Checks first, then pings while everything is loaded and warmed. @returns whether all went well */
async function prepared(options: WorkerOptions, heartbeat: Heartbeat, logger: Logger): Promise<boolean> {
  for (const check of registeredChecks()) {
    if (!(await passes(check, "check", heartbeat, logger))) return false;
  }
  await heartbeat.start();
  return options.prepare === undefined || (await passes(options.prepare, "prepare", heartbeat, logger));
}

/** What the process is told, and the exit code that follows. */
interface Leaving {
  /** Resolves when the worker is first told to leave. */
  readonly asked: Promise<void>;
  /** Resolves when the worker is to end at once, its jobs failed. */
  readonly forced: Promise<void>;
  code(): number;
  stop(): void;
}

function listen(worker: Worker, logger: Logger, host: Host): Leaving {
  let exitCode = 0;
  let signals = 0;
  let ask: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  let force: () => void = () => {};
  const forced = new Promise<void>((resolve) => {
    force = resolve;
  });
  const failAll = (reason: string, code: number) => {
    exitCode = code;
    ask();
    void worker.failAll(reason).then(force);
  };
  const stop = host.listen({
    onSignal(signal) {
      signals += 1;
      if (signals > 1) return failAll("worker shutting down", signal === "SIGINT" ? 130 : 0);
      logger.info(`${signal}: taking no more jobs, finishing ${worker.jobs}.`);
      worker.stop();
      ask();
    },
    onBroken(thrown) {
      if (thrown instanceof ExitCalled) return;
      logger.error(
        `Uncaught: ${thrown instanceof Error ? (thrown.stack ?? describe(thrown)) : describe(thrown)}`,
      );
      failAll(`the worker broke down: ${describe(thrown)}`, 1);
    },
    onExit(code) {
      if (worker.jobs === 0) return false;
      failAll(`the worker's code called process.exit(${code})`, code);
      return true;
    },
  });
  return { asked, forced, code: () => exitCode, stop };
}
