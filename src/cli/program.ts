// The `infernode` command and its subcommands, without running any.
import { Command } from "commander";
import { benchCommand } from "./bench.js";
import { buildCommand } from "./build.js";
import { cacheCommand } from "./cache.js";
import { chatCommand } from "./chat/command.js";
import { convertCommand } from "./convert.js";
import { doctorCommand } from "./doctor/command.js";
import { generateCommand } from "./generate.js";
import { inspectCommand } from "./inspect.js";
import { listCommand } from "./list.js";
import { planCommand } from "./plan.js";
import { pullCommand } from "./pull.js";
import { serveCommand } from "./serve.js";
import { workerCommand } from "./worker.js";

const examples = `
Examples:
  infernode generate "Once upon a time"           a story, by the small model in the package
  infernode chat model.gguf
  infernode generate -m model.gguf -p "Hello" -n 64
  echo "Hello" | infernode generate -m model.gguf --json
  infernode inspect model.gguf
  infernode plan model.gguf --slots 16            memory and speed on GPUs, without loading it
  infernode bench model.gguf --concurrency 1,8    throughput and latency, measured
  infernode doctor                                this machine's devices, and what is wrong
  infernode pull hf:owner/name:Q4_K_M             downloads a model
  infernode convert ./checkpoint --out model.gguf
  infernode serve model.gguf                      OpenAI's API on 127.0.0.1:8000
  MODEL_NAME=model.gguf infernode worker          serves jobs of the platform

Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted by Ctrl-C.`;

/**
 * The root command.
 * @param version what --version prints
 */
export function program(version: string): Command {
  const root = new Command("infernode")
    .description("run language models (GGUF files) with llama.cpp")
    .version(version, "-v, --version", "print the versions of infernode and llama.cpp")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .enablePositionalOptions() // what follows a command is the command's
    .addHelpText("after", examples);
  const commands = [
    chatCommand(),
    generateCommand(),
    inspectCommand(),
    convertCommand(),
    planCommand(),
    benchCommand(),
    pullCommand(),
    listCommand(),
    cacheCommand(),
    serveCommand(),
    workerCommand(),
    buildCommand(),
    doctorCommand(),
  ];
  for (const command of commands) root.addCommand(command);
  for (const command of [root, ...everyBelow(root)]) {
    command.helpOption("-h, --help", "show this help").exitOverride();
  }
  return root;
}

function everyBelow(command: Command): readonly Command[] {
  return command.commands.flatMap((each) => [each, ...everyBelow(each)]);
}
