// Whether two results may be compared: what differs between them, by name. Another model, another
// workload or another machine makes a comparison meaningless unless the person says that this is
// what is compared; another build or other settings are what comparisons are for, and are told.
import type { BenchmarkResult } from "./benchmark.js";
import { type Nll, nllDifference } from "./nll.js";

/** What must be equal, unless it is named as what is compared. */
export type Identity = "model" | "workload" | "machine" | "answers";

/** All of them. */
export const identities: readonly Identity[] = ["model", "workload", "machine", "answers"];

/** One thing that differs. */
export interface Difference {
  /** Null: it may differ, and is told. */
  readonly of: Identity | null;
  /** Such as "promptTokens". */
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** Options that make another workload of it; of loads, only equal ones are compared. */
const workloadOptions = [
  ...["promptTokens", "outputTokens", "sharedPrefix", "temperature", "turns", "users"],
  ...["cancelRate", "cancelAfter"],
  ...["requests", "duration", "warmup", "sloTtft", "sloItl", "api"],
] as const;

const toldOptions = ["seed", "repeats", "timeout"] as const;

/** Everything that differs between two results, apart from what was measured. */
export function differencesOf(before: BenchmarkResult, after: BenchmarkResult): readonly Difference[] {
  const compare = (of: Identity | null, name: string, value: (result: BenchmarkResult) => unknown) => {
    const [left, right] = [spelled(value(before)), spelled(value(after))];
    return left === right ? [] : [{ of, name, before: left, after: right }];
  };
  const option = (of: Identity | null) => (name: string) =>
    compare(of, name, ({ options }) => options[name] ?? null);
  return [
    ...compare("model", "model", modelOf),
    ...workloadOptions.flatMap(option("workload")),
    ...compare("workload", "requests' file", ({ workloadFile }) => workloadFile?.sha256 ?? null),
    ...compare("workload", "ignoreEos", ({ target }) => target.ignoreEos ?? null),
    ...compare("machine", "cpu", ({ machine }) => machine.cpu),
    ...compare("machine", "cpus", ({ machine }) => machine.cpus),
    ...compare("machine", "architecture", ({ machine }) => machine.architecture),
    ...compare("machine", "devices", ({ target }) => record(target.model).devices ?? null),
    ...compare("machine", "gpus", ({ target, options }) => target.gpus ?? [options.gpu, options.gpus]),
    ...answersDifference(before, after),
    ...lossDifference(before, after),
    ...toldOptions.flatMap(option(null)),
    ...(["infernode", "llamaCpp"] as const).flatMap((name) =>
      compare(null, name, ({ build }) => build[name]),
    ),
    ...(["system", "node", "memoryBytes"] as const).flatMap((name) =>
      compare(null, name, ({ machine }) => machine[name]),
    ),
    ...compare(null, "url", ({ target }) => target.url ?? null),
    ...engineNames(before, after).flatMap((name) =>
      compare(null, `engine.${name}`, ({ target }) => record(target.engine)[name] ?? null),
    ),
  ];
}

/** Weights by their fingerprint; of an endpoint no more than the model's name is known. */
function modelOf({ target }: BenchmarkResult): string {
  if (target.type === "endpoint") return `${spelled(target.model)} of an endpoint`;
  const { name, description, fingerprint } = record(target.model);
  return `${spelled(name)}, ${spelled(description)}, fingerprint ${spelled(fingerprint)}`;
}

/** A digest that one side lacks proves nothing. */
function answersDifference(before: BenchmarkResult, after: BenchmarkResult): readonly Difference[] {
  const [left, right] = [before.greedyDigest, after.greedyDigest];
  if (left?.sha256 === right?.sha256 && left !== null) return [];
  const none = "not taken";
  return [
    {
      of: left === null || right === null ? null : "answers",
      name: "greedyDigest",
      before: left?.sha256 ?? none,
      after: right?.sha256 ?? none,
    },
  ];
}

/** A result without losses proves nothing either. */
function lossDifference(
  { nll: before }: BenchmarkResult,
  { nll: after }: BenchmarkResult,
): readonly Difference[] {
  if (before === null || after === null) {
    if (before === after) return [];
    const told = (nll: Nll | null) => (nll === null ? "not measured" : nll.mean.toFixed(4));
    return [{ of: null, name: "nll", before: told(before), after: told(after) }];
  }
  const difference = nllDifference(before, after);
  if (difference === null) return [];
  return [
    {
      of: "answers",
      name: "nll",
      before: before.mean.toFixed(4),
      after: `${after.mean.toFixed(4)}: ${difference}`,
    },
  ];
}

function engineNames(...results: readonly BenchmarkResult[]): readonly string[] {
  return [...new Set(results.flatMap(({ target }) => Object.keys(record(target.engine))))];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function spelled(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
