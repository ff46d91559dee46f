// `infernode plan`: what a model needs and how fast it can be on GPUs and on this CPU, from
// its headers alone.
import { Command, Option } from "commander";
import { kvTypes } from "../engine/options.js";
import { type PlanOptions, planModel } from "../index.js";
import { parseNumber } from "./flags.js";
import { planText } from "./plan-text.js";

interface Flags extends Pick<PlanOptions, "slots" | "contextLength" | "kvType"> {
  readonly context?: number;
  readonly cpu: boolean;
  readonly json?: boolean;
}

/** The command. */
export function planCommand(): Command {
  return new Command("plan")
    .description("estimate a model's memory and speed on GPUs and on this CPU, without loading it")
    .argument("<model>", "GGUF model or reference")
    .option("--slots <count>", "requests computed at once (default: 8)", parseNumber)
    .option(
      "-c, --context-length <tokens>",
      "tokens of prompt and answer of one request (default: the model's, at most 4096)",
      parseNumber,
    )
    .addOption(new Option("--kv-type <type>", "number type of the KV cache (default: f16)").choices(kvTypes))
    .addOption(new Option("--context <tokens>", "the same").argParser(parseNumber).hideHelp())
    .option("--no-cpu", "do not measure this machine's CPU")
    .option("--json", "print one line of JSON instead")
    .action(plan);
}

async function plan(path: string, { cpu, json, context, ...flags }: Flags): Promise<void> {
  const contextLength = flags.contextLength ?? context;
  const made = await planModel(path, { ...flags, contextLength, measureCpu: cpu });
  process.stdout.write(`${json ? JSON.stringify(made) : planText(made)}\n`);
}
