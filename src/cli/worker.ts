// `infernode worker`: serves a model's text generation as a RunPod worker. Its
// configuration is the environment's; its arguments are the local modes'.
import { Command } from "commander";
import { serverless } from "../index.js";
import { textGenerationWorker } from "../text-generation/worker.js";

const exitBroken = 1;

/** The command; it ends the process. */
export function workerCommand(): Command {
  return new Command("worker")
    .description("serve text generation as a RunPod worker, configured by the environment")
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      "after",
      `
Without a platform: --test_input '{"input": {…}}' or test_input.json runs one job,
--rp_serve_api (--rp_api_host, --rp_api_port, --rp_api_concurrency) serves the platform's
public API; --rp_log_level.

Environment: MODEL_NAME (a GGUF file, a folder, or a cached repository; default: the
embedded story model), MAX_MODEL_LEN, MAX_NUM_SEQS, MAX_CONCURRENCY, CHAT_TEMPLATE,
OPENAI_SERVED_MODEL_NAME_OVERRIDE, CACHE_SIZE and worker-vllm's others.`,
    )
    .action(async () => {
      // The jobs that run are failed before the process ends.
      const worker = textGenerationWorker(process.env, () => process.exit(exitBroken));
      await serverless.start(worker.options);
    });
}
