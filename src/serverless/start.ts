// serverless.start(): judges the options, reads the configuration and chooses
// how to run. On the platform it ends the process with the worker's exit code,
// since whatever a handler left open must not keep a finished worker alive.
import { readConfig } from "./config.js";
import { judgeStartOptions, type StartOptions } from "./contract.js";
import { type Host, processHost } from "./host.js";
import { Logger } from "./logger.js";
import { runInProduction } from "./production.js";

/**
 * Runs jobs until the worker is told to leave, then ends the process.
 * @throws InferenceError INVALID_OPTION
 */
export async function start(options: StartOptions, host: Host = processHost()): Promise<void> {
  const judged = judgeStartOptions(options);
  const config = readConfig(host.environment);
  const write = (line: string) => host.write(line);
  write(`--- Starting Serverless Worker |  Version ${config.protocolVersion} ---\n`);
  const logger = new Logger(write, config.logLevel, config.endpointId !== undefined);
  for (const warning of config.warnings) logger.warn(warning);
  host.end(await runInProduction(judged, config, logger, host));
}
