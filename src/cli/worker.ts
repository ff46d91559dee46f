// `infernode worker`: serves a model's text generation as a RunPod worker. Its
// configuration is the environment's; its arguments are the local modes'.
import { Command } from "commander";
import type { ErrorCode } from "../errors.js";
import { serverless } from "../index.js";
import { flagHint, strangeArguments } from "../serverless/local-arguments.js";
import { textGenerationWorker } from "../text-generation/worker.js";
import { exitCodes } from "./terminal.js";

/** What the process ends with when the engine has stopped by this error. */
export function exitCodeOf(code: ErrorCode): number {
  if (code === "DEVICE_FAILED") return exitCodes.deviceFailed;
  return code === "OUT_OF_MEMORY" ? exitCodes.deviceMemory : exitCodes.failure;
}

function complaint(argument: string): string {
  if (!argument.startsWith("-")) {
    return `error: unknown argument ${argument}; the model is named by MODEL_NAME`;
  }
  return `error: unknown flag ${argument}${flagHint(argument, true)}`;
}

/** The command; it ends the process. */
export function workerCommand(): Command {
  return new Command("worker")
    .description("serve text generation as a RunPod worker, configured by the environment")
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      "after",
      `
Without a platform:
  --test_input '{"input": {…}}'   runs one job (or that of test_input.json) and exits
  --rp_serve_api                  serves the platform's public API on localhost:8000;
                                  --rp_api_host, --rp_api_port, --rp_api_concurrency
  --rp_log_level <level>          ERROR, WARN, INFO, DEBUG or TRACE

Environment, among others:
  MODEL_NAME        a GGUF file, a folder, owner/name[:type] or an address (default: the story model)
  MAX_MODEL_LEN     tokens of prompt and answer together
  MAX_NUM_SEQS      requests computed at once
  MAX_CONCURRENCY   jobs taken at once
  CHAT_TEMPLATE     in place of the model's own
All of them: docs/options.md in the package.

Exit codes: 0 success, 1 failure or a broken engine, 2 wrong usage, 3 the device failed,
4 the device had no memory for a pass.`,
    )
    .action(async (_options: unknown, command: Command) => {
      const [strange] = strangeArguments(process.argv.slice(process.argv.indexOf("worker") + 1));
      if (strange !== undefined) command.error(complaint(strange), { exitCode: exitCodes.usage });
      // The jobs that run are failed before the process ends.
      const worker = textGenerationWorker(process.env, (code) => process.exit(exitCodeOf(code)));
      await serverless.start(worker.options);
    });
}
