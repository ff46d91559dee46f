// serverless.start(): judges the options, reads configuration and arguments and
// chooses how to run. It ends the process with the worker's exit code, since
// whatever a handler left open must not keep a finished worker alive.
import { readConfig } from "./config.js";
import { judgeStartOptions, type StartOptions } from "./contract.js";
import { type Host, processHost } from "./host.js";
import { readLocalArguments } from "./local-arguments.js";
import { chooseMode } from "./local-mode.js";
import { runOneJob } from "./local-run.js";
import { serveApi } from "./local-server.js";
import { Logger } from "./logger.js";
import { runInProduction } from "./production.js";
import { takerOfStarts } from "./start-taker.js";

const exitMisused = 2;

/**
 * Runs jobs until the worker is told to leave, then ends the process.
 * @throws InferenceError INVALID_OPTION
 */
export async function start(options: StartOptions, host: Host = processHost()): Promise<void> {
  const take = takerOfStarts();
  if (take !== undefined) {
    take(options);
    return new Promise(() => {}); // as a worker, which ends with the process
  }
  const judged = judgeStartOptions(options);
  const given = readLocalArguments(host.arguments);
  const config = readConfig(host.environment);
  const write = (line: string) => host.write(line);
  write(`--- Starting Serverless Worker |  Version ${config.protocolVersion} ---\n`);
  const logger = new Logger(write, given.logLevel ?? config.logLevel, config.endpointId !== undefined);
  for (const warning of [...config.warnings, ...given.warnings]) logger.warn(warning);
  for (const problem of given.problems) logger.error(problem);
  if (given.problems.length > 0) return host.end(exitMisused);
  const mode = chooseMode(given, config);
  switch (mode.type) {
    case "api":
      return host.end(await serveApi(mode, judged, config, logger, host));
    case "job":
      return host.end(await runOneJob(mode.testInput, judged, config, logger, host));
    default:
      return host.end(await runInProduction(judged, config, logger, host));
  }
}
