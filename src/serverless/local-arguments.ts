// The command-line arguments of the local modes, spelled as Python's worker
// spells them. Arguments that are not ours belong to the handler's program and
// are left alone.

import { distance } from "../engine/suggestion.js";
import type { WorkerLogLevel } from "./config.js";
import { levelOf } from "./config.js";

export interface LocalArguments {
  /** The text after --test_input: a whole job as JSON. */
  readonly testInput: string | undefined;
  readonly serveApi: boolean;
  /** Default "localhost". */
  readonly apiHost: string;
  /** Default 8000; 0: one that is free. */
  readonly apiPort: number;
  /** Jobs the API runs at once; undefined: as many as the concurrency modifier says. */
  readonly apiConcurrency: number | undefined;
  readonly logLevel: WorkerLogLevel | undefined;
  /** Sentences about what was replaced or has no effect. */
  readonly warnings: readonly string[];
  /** Sentences about what cannot be meant; the worker does not start. */
  readonly problems: readonly string[];
}

const withValue: ReadonlySet<string> = new Set([
  "--test_input",
  "--rp_api_host",
  "--rp_api_port",
  "--rp_api_concurrency",
  "--rp_log_level",
]);
const flags: ReadonlySet<string> = new Set(["--rp_serve_api", "--rp_debugger"]);

/** @param given the arguments after the script's path; "--name value" and "--name=value" are the same */
export function readLocalArguments(given: readonly string[]): LocalArguments {
  const problems: string[] = [];
  const warnings: string[] = [];
  const found = collect(given, problems);
  const level = found.get("--rp_log_level");
  if (level !== undefined && levelOf(level) === undefined) {
    warnings.push(`--rp_log_level must be ERROR, WARN, INFO, DEBUG or TRACE, got ${JSON.stringify(level)}.`);
  }
  for (const strange of strangeArguments(given)) {
    const meant = strange.startsWith("--") ? flagHint(strange) : "";
    if (meant !== "") warnings.push(`${strange.split("=")[0]} is no flag of the worker${meant}`);
  }
  if (found.has("--rp_debugger")) {
    warnings.push("--rp_debugger has no effect here; start the worker with node --inspect instead.");
  }
  const number = (name: string, minimum: number, maximum: number) => {
    const text = found.get(name);
    if (text === undefined) return undefined;
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    const range = `an integer from ${minimum} to ${maximum}`;
    problems.push(`${name} must be ${range}, got ${JSON.stringify(text)}.`);
    return undefined;
  };
  return Object.freeze({
    testInput: found.get("--test_input"),
    serveApi: found.has("--rp_serve_api"),
    apiHost: found.get("--rp_api_host") ?? "localhost",
    apiPort: number("--rp_api_port", 0, 65_535) ?? 8000,
    apiConcurrency: number("--rp_api_concurrency", 1, 100_000),
    logLevel: levelOf(level),
    warnings,
    problems,
  });
}

/** All flags of the local modes. */
const localFlags: readonly string[] = [...withValue, ...flags];
const mostSlips = 2;

/** The arguments that no local mode knows, in order; what follows a flag that has a value is none. */
export function strangeArguments(given: readonly string[]): readonly string[] {
  return given.filter((each, index) => {
    return !localFlags.includes(nameOf(each)) && !withValue.has(given[index - 1] ?? "");
  });
}

/** "; did you mean --rp_api_port?", or "" where no flag of ours is near. */
export function flagHint(argument: string, isLoose = false): string {
  const name = nameOf(argument).replaceAll("-", "_").replace(/^__/, "--");
  const meant =
    localFlags.find((flag) => distance(name, flag) <= mostSlips) ??
    (isLoose ? localFlags.find((flag) => flag.endsWith(`_${name.slice(2)}`)) : undefined);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

const nameOf = (argument: string) => argument.split("=")[0] ?? "";

/** Our arguments by name, the last of each. */
function collect(given: readonly string[], problems: string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let index = 0; index < given.length; index += 1) {
    const [name = "", ...rest] = (given[index] ?? "").split("=");
    if (flags.has(name) && rest.length === 0) found.set(name, "");
    if (!withValue.has(name)) continue;
    if (rest.length > 0) {
      found.set(name, rest.join("="));
      continue;
    }
    index += 1;
    const value = given[index];
    if (value === undefined) problems.push(`${name} must be followed by its value, got nothing.`);
    else found.set(name, value);
  }
  return found;
}
