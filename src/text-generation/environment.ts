// Values of an environment, judged: each reader names the variable, what was
// expected and what came. "" and "None" are as good as unset, as in worker-vllm.
import { InferenceError } from "../errors.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The first of these variables that is set, by name and value. */
export function firstOf(environment: Environment, names: readonly string[]): [string, string] | undefined {
  for (const name of names) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== "" && value !== "None") return [name, value];
  }
  return undefined;
}

export function textOf(environment: Environment, ...names: readonly string[]): string | undefined {
  return firstOf(environment, names)?.[1];
}

/** @throws InferenceError INVALID_OPTION */
export function integerOf(
  environment: Environment,
  least: number,
  ...names: readonly string[]
): number | undefined {
  const found = firstOf(environment, names);
  if (found === undefined) return undefined;
  const value = Number(found[1]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw wrong(found[0], `an integer of at least ${least}`, found[1]);
}

/** @throws InferenceError INVALID_OPTION */
export function numberOf(environment: Environment, ...names: readonly string[]): number | undefined {
  const found = firstOf(environment, names);
  if (found === undefined) return undefined;
  const value = Number(found[1]);
  if (Number.isFinite(value)) return value;
  throw wrong(found[0], "a number", found[1]);
}

const yes: ReadonlySet<string> = new Set(["true", "1", "yes", "on"]);
const no: ReadonlySet<string> = new Set(["false", "0", "no", "off"]);

/** @throws InferenceError INVALID_OPTION */
export function flagOf(environment: Environment, ...names: readonly string[]): boolean | undefined {
  const found = firstOf(environment, names);
  if (found === undefined) return undefined;
  const word = found[1].toLowerCase();
  if (yes.has(word)) return true;
  if (no.has(word)) return false;
  throw wrong(found[0], "true or false", found[1]);
}

/** @throws InferenceError INVALID_OPTION */
export function choiceOf<Choice extends string>(
  environment: Environment,
  choices: readonly Choice[],
  ...names: readonly string[]
): Choice | undefined {
  const found = firstOf(environment, names);
  if (found === undefined) return undefined;
  const choice = choices.find((each) => each === found[1].toLowerCase());
  if (choice !== undefined) return choice;
  throw wrong(found[0], `one of ${choices.join(", ")}`, found[1]);
}

export function wrong(name: string, phrase: string, given: string): InferenceError {
  return new InferenceError("INVALID_OPTION", `${name} must be ${phrase}, got ${JSON.stringify(given)}`);
}
