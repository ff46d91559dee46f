#!/usr/bin/env node
// The `infernode` command: wires the subcommands, and turns every failure into
// one sentence on stderr and an exit code: 0 done, 1 failed, 2 used wrongly,
// 130 interrupted.
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { generateCommand } from "./generate.js";
import { inspectCommand } from "./inspect.js";
import { exitCodes, failWithOutput, guardOutput, reportFailure } from "./terminal.js";
import { workerCommand } from "./worker.js";

function packageVersion(): string {
  const require = createRequire(import.meta.url);
  const { version } = require("../../package.json") as { readonly version: string };
  return version;
}

function program(): Command {
  const root = new Command("infernode")
    .description("GPU inference for Node.js on llama.cpp")
    .version(packageVersion(), "-v, --version")
    .addHelpText(
      "after",
      `
Examples:
  infernode generate                              a story from the embedded model
  infernode generate -m model.gguf -p "Hello" -n 64
  echo "Hello" | infernode generate -m model.gguf --json
  infernode inspect model.gguf
  MODEL_NAME=model.gguf infernode worker          jobs from the platform`,
    );
  for (const command of [generateCommand(), inspectCommand(), workerCommand()]) root.addCommand(command);
  for (const command of [root, ...root.commands]) command.exitOverride();
  return root;
}

async function main(): Promise<void> {
  guardOutput();
  try {
    await program().parseAsync(process.argv);
  } catch (thrown) {
    process.exitCode = thrown instanceof CommanderError ? commanderCode(thrown) : reportFailure(thrown);
  }
  failWithOutput();
}

/** Commander has printed its sentence; help and version are no failures. */
function commanderCode(error: CommanderError): number {
  return error.exitCode === exitCodes.ok ? exitCodes.ok : exitCodes.usage;
}

void main();
