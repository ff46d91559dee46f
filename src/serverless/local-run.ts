// Runs one job in this process: --test_input's, or test_input.json's. Streams
// and the result go to the log. @returns the exit code: 0 where the job succeeded.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOfThrown } from "../thrown.js";
import { Changes } from "./changes.js";
import type { WorkerConfig } from "./config.js";
import type { Job, WorkerOptions } from "./contract.js";
import type { Host } from "./host.js";
import { listenForLeaving } from "./leaving.js";
import { preparedLocally } from "./local-mode.js";
import { LocalOutlet } from "./local-outlet.js";
import type { Logger } from "./logger.js";
import type { DoneBody } from "./results.js";
import { type JobEnd, RunningJob } from "./running-job.js";

const fileName = "test_input.json";
const whatToDo =
  `No job to run: pass --test_input '{"input": {…}}', put ${fileName} here, or add ` +
  "--rp_serve_api to serve on localhost:8000.";
const keepAliveMs = 60_000;

/** @param testInput a whole job as JSON text; undefined: the file's */
export async function runOneJob(
  testInput: string | undefined,
  options: WorkerOptions,
  config: WorkerConfig,
  logger: Logger,
  host: Host,
): Promise<number> {
  const job = readJob(testInput, host.directory, logger);
  if (job === undefined || !(await preparedLocally(options, logger))) return 1;
  const changes = new Changes();
  const outlet = new LocalOutlet(() => changes.notify());
  const running = new RunningJob({ job, outbox: outlet, options, config, logger });
  let end: JobEnd | undefined;
  const ended = running.ended.then((given) => {
    end = given;
    changes.notify();
  });
  const fail = (reason: string) => running.fail(reason);
  const leaving = listenForLeaving(
    {
      get jobs() {
        return end === undefined ? 1 : 0;
      },
      stop: () => fail("interrupted"),
      failAll: async (reason) => fail(reason),
    },
    config,
    logger,
    host,
  );
  // A handler may wait for what no longer can come; only a signal ends that.
  const alive = setInterval(() => {}, keepAliveMs);
  running.start();
  await printed(outlet, () => end !== undefined, changes, job, logger);
  await ended;
  clearInterval(alive);
  leaving.stop();
  return leaving.code() || report(job, outlet, logger);
}

function readJob(testInput: string | undefined, directory: string, logger: Logger): Job | undefined {
  const source = testInput === undefined ? fileName : "--test_input";
  let text = testInput;
  try {
    text ??= readFileSync(join(directory, fileName), "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") {
      logger.warn(whatToDo);
      logger.warn(`${fileName} not found, exiting.`); // Python's words
    } else logger.error(`${fileName} cannot be read: ${messageOfThrown(thrown)}`);
    return undefined;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    logger.error(`${source} must be a job as JSON, such as {"input": {}}.`);
    return undefined;
  }
  const fields = (typeof parsed === "object" ? parsed : null) as Readonly<Record<string, unknown>> | null;
  if (fields?.input === undefined || fields.input === null) {
    logger.error("Job has no input parameter. Unable to run.");
    return undefined;
  }
  return { ...fields, id: String(fields.id ?? "local_test"), input: fields.input };
}

/** Prints items as they come, until the job has ended. */
async function printed(
  outlet: LocalOutlet,
  ended: () => boolean,
  changes: Changes,
  job: Job,
  logger: Logger,
): Promise<void> {
  for (let count = 0; ; ) {
    for (; count < outlet.posted.length; count += 1) {
      logger.within(job, () => logger.info(`Job stream: {"output":${outlet.posted[count]}}`));
    }
    if (ended()) return;
    await changes.next();
  }
}

function report(job: Job, outlet: LocalOutlet, logger: Logger): number {
  const json = outlet.resultJson ?? "{}";
  const { error } = JSON.parse(json) as DoneBody;
  if (error !== undefined) {
    logger.error(`Job ${job.id} failed with error: ${error}`);
    return 1;
  }
  logger.info(`Job ${job.id} completed successfully.`);
  logger.info(`Job result: ${json}`);
  logger.info("Local testing complete, exiting.");
  return 0;
}
