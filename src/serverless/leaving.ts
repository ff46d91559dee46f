// How a worker is told to leave: the first signal lets it finish, the second one
// fails its jobs; so does an exception nobody caught, and process.exit(). A rejection
// nobody caught, and what a listener of a job's signal throws, is logged: it is one
// job's, the others go on.
import { describeThrown, stackOfThrown } from "../thrown.js";
import type { WorkerConfig } from "./config.js";
import { type Host, isExitCalled } from "./host.js";
import { jobOfListener } from "./job-signal.js";
import type { Logger } from "./logger.js";

/** What runs jobs and can be told to end. */
export interface Stoppable {
  /** Jobs it still answers for. */
  readonly jobs: number;
  /** Takes no more jobs; those it has are finished. */
  stop(): void;
  /** Ends every job with an error; resolves when that is told. */
  failAll(reason: string): Promise<void>;
}

/** What the process is told, and the exit code that follows. */
export interface Leaving {
  /** Resolves when the worker is first told to leave. */
  readonly asked: Promise<void>;
  /** Resolves when the worker is to end at once, its jobs failed. */
  readonly forced: Promise<void>;
  code(): number;
  stop(): void;
}

export function listenForLeaving(
  worker: Stoppable,
  { exitsOnUnhandled }: WorkerConfig,
  logger: Logger,
  host: Host,
): Leaving {
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
  const breakDown = (thrown: unknown) => {
    if (isExitCalled(thrown)) return;
    logger.error(`Uncaught: ${stackOfThrown(thrown)}`);
    failAll(`the worker broke down: ${describeThrown(thrown)}`, 1);
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
      const job = jobOfListener();
      if (job === undefined || exitsOnUnhandled) return breakDown(thrown);
      logger.within(job, () =>
        logger.error(`A listener of the job's signal threw: ${stackOfThrown(thrown)}`),
      );
    },
    onRejected(thrown) {
      if (exitsOnUnhandled) return breakDown(thrown);
      if (isExitCalled(thrown)) return;
      logger.error(`A promise was rejected and nobody caught it: ${stackOfThrown(thrown)}`);
    },
    onExit(code) {
      if (worker.jobs === 0) return false;
      failAll(`the worker's code called process.exit(${code})`, code);
      return true;
    },
  });
  return { asked, forced, code: () => exitCode, stop };
}
