// `infernode bench compare`: what changed between two results, whether it is more than chance, and
// an exit code for continuous integration.
import { Command, InvalidArgumentError, Option } from "commander";
import type { BenchmarkResult } from "../bench/benchmark.js";
import { type Difference, differencesOf, type Identity, identities } from "../bench/comparable.js";
import { type Change, type Comparison, compareResults } from "../bench/compare.js";
import { broken, type FailRule, parseRule } from "../bench/fail-rule.js";
import { loadText } from "../bench/load-text.js";
import { metricNames } from "../bench/metrics.js";
import { readResult } from "../bench/result-reader.js";
import { comparisonText } from "./bench-compare-text.js";
import { parseNumber } from "./flags.js";
import { exitCodes, notice, print, refusal } from "./terminal.js";

interface Flags {
  readonly failOn: readonly string[];
  readonly allow: readonly Identity[];
  readonly minChange: number;
  readonly json?: boolean;
}

const epilog = `
Figures: ${metricNames}.
Exit codes: 0 compared, 1 a rule of --fail-on is broken or the answers differ, 2 not comparable.`;

/** The command; it sets the process's exit code. */
export function benchCompareCommand(): Command {
  return new Command("compare")
    .description("tell what changed between two results, and whether that is more than chance")
    .argument("<before>", "a result of infernode bench --json FILE")
    .argument("<after>", "another one of the same model, workload and machine")
    .addOption(
      new Option("--fail-on <rule>", 'fail on such a change: "out_tok_s<-3%"; can be repeated')
        .argParser((text, before: readonly string[]) => [...before, text])
        .default([], "none"),
    )
    .addOption(
      new Option("--allow <list>", `what may differ: ${identities.join(",")}`)
        .argParser(parseIdentities)
        .default([], "nothing"),
    )
    .addOption(
      new Option("--min-change <percent>", "smaller changes are none").argParser(parsePercent).default(1),
    )
    .option("--json", "print one line of JSON instead of the table")
    .addHelpText("after", epilog)
    .action(async (before: string, after: string, flags: Flags) => {
      process.exitCode = await compare(before, after, flags);
    });
}

function parseIdentities(text: string): readonly Identity[] {
  return text.split(",").map((given) => {
    const found = identities.find((name) => name === given.trim());
    if (found === undefined) throw new InvalidArgumentError(`Expected ${identities.join(", ")}.`);
    return found;
  });
}

function parsePercent(text: string): number {
  const value = parseNumber(text);
  if (value < 0 || value > 1000) throw new InvalidArgumentError("Expected a number from 0 to 1000.");
  return value;
}

async function compare(beforePath: string, afterPath: string, flags: Flags): Promise<number> {
  const rules = flags.failOn.map(parseRule);
  const [before, after] = [readResult(beforePath), readResult(afterPath)];
  const differences = differencesOf(before, after);
  refuseOthers(differences, flags.allow);
  const comparison = compareResults(before, after, flags.minChange / 100);
  if (comparison.changes.length === 0) throw refusal(nothingCommon(comparison));
  const breaches = rules.map((rule) => ({ rule, changes: broken(rule, comparison) }));
  const shown = flags.json
    ? JSON.stringify({ differences, ...comparison, changes: comparison.changes.map(plain) })
    : comparisonText([before, after], differences, comparison);
  await print(`${shown}\n`, new AbortController().signal);
  return verdict(breaches, differences, flags.allow, [before, after]);
}

/** Answers are judged after the figures are shown. */
function refuseOthers(differences: readonly Difference[], allow: readonly Identity[]): void {
  const wrong = differences.filter(({ of }) => of !== null && of !== "answers" && !allow.includes(of));
  if (wrong.length === 0) return;
  const told = wrong.map(({ of, name, before, after }) => `another ${of} (${name}: ${before} and ${after})`);
  const names = [...new Set(wrong.map(({ of }) => of))].join(",");
  throw refusal(
    `these results cannot be compared: ${told.join(", ")}; if that is what you compare, add --allow ${names}`,
  );
}

function nothingCommon({ skipped }: Comparison): string {
  const told = skipped.map(({ load, reason }) => `${loadText(load)}: ${reason}`);
  return `these results have no complete load point in common (${told.join("; ") || "there are none"})`;
}

function plain({ metric, ...rest }: Change) {
  return { metric: metric.name, unit: metric.unit, ...rest };
}

function verdict(
  breaches: readonly { readonly rule: FailRule; readonly changes: readonly Change[] }[],
  differences: readonly Difference[],
  allow: readonly Identity[],
  results: readonly BenchmarkResult[],
): number {
  const said: string[] = [];
  for (const { rule, changes } of breaches) {
    for (const { load, change } of changes)
      said.push(`${rule.text}: ${((change ?? 0) * 100).toFixed(1)} % at ${loadText(load)}`);
  }
  if (!allow.includes("answers")) {
    const differing = differences.filter(({ of }) => of === "answers").map(({ name }) => name);
    const named = differing.map((name) => (name === "nll" ? "the losses" : "the answers at temperature 0"));
    if (named.length > 0)
      said.push(
        `${named.join(" and ")} differ, so the faster one may compute something else; if they must differ, add --allow answers`,
      );
  }
  for (const sentence of said) notice(sentence);
  if (results.some(({ ended }) => ended.reason !== "finished"))
    notice("one of the results is partial; its complete load points were compared");
  return said.length === 0 ? exitCodes.ok : exitCodes.failure;
}
