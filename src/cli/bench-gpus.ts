// `infernode bench gpus`: results of several machines side by side, with what their tokens cost, and
// the guides' table filled from them.
import { Command, InvalidArgumentError, Option } from "commander";
import type { BenchmarkResult } from "../bench/benchmark.js";
import { differencesOf } from "../bench/comparable.js";
import { type MachineRow, machineRow } from "../bench/machines.js";
import { readResult } from "../bench/result-reader.js";
import { byCost, guideMarkdown, machinesText } from "./bench-gpus-text.js";
import { exitCodes, notice, print, refusal } from "./terminal.js";

interface Flags {
  readonly allow?: "workload";
  readonly markdown?: boolean;
  readonly json?: boolean;
}

interface ReadFile {
  readonly path: string;
  readonly result: BenchmarkResult;
}

/** The command; it sets the process's exit code. */
export function benchGpusCommand(): Command {
  return new Command("gpus")
    .description("lay results of several machines side by side, with what their tokens cost")
    .argument("<results...>", "results of infernode bench --json FILE, of one workload")
    .addOption(
      new Option("--allow <what>", "show results of different workloads, too: workload").argParser(
        parseAllowed,
      ),
    )
    .option("--markdown", "print the table of model sizes, GPUs, throughput and latency that guides have")
    .option("--json", "print one line of JSON instead of the table")
    .action(async (paths: readonly string[], flags: Flags) => {
      process.exitCode = await showMachines(paths, flags);
    });
}

function parseAllowed(text: string): "workload" {
  if (text === "workload") return text;
  throw new InvalidArgumentError("Expected workload.");
}

async function showMachines(paths: readonly string[], { allow, markdown, json }: Flags): Promise<number> {
  if (markdown && json) throw refusal("give --markdown or --json, not both");
  const files = paths.map((path): ReadFile => ({ path, result: readResult(path) }));
  if (allow === undefined) refuseOtherWorkloads(files);
  const rows = files.flatMap(rowOf);
  if (rows.length === 0) throw refusal("these results have no complete load point: there is nothing to show");
  const text = json ? JSON.stringify(byCost(rows)) : markdown ? guideMarkdown(rows) : machinesText(rows);
  await print(`${text}\n`, new AbortController().signal);
  return exitCodes.ok;
}

/** Another model or machine is what is shown; another workload makes figures that do not compare. */
function refuseOtherWorkloads([first, ...others]: readonly ReadFile[]): void {
  if (first === undefined) return;
  for (const { path, result } of others) {
    const other = differencesOf(first.result, result).find(({ of }) => of === "workload");
    if (other === undefined) continue;
    throw refusal(
      `${path} is of another workload than ${first.path} (${other.name}: ${other.after} and ${other.before}); measure both alike, or add --allow workload`,
    );
  }
}

function rowOf({ path, result }: ReadFile): readonly MachineRow[] {
  const row = machineRow(result);
  if (row === null) notice(`${path} has no complete load point and is left out`);
  return row === null ? [] : [row];
}
