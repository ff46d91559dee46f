// What `import { serverless } from "infernode"` gives: the worker's public
// functions under their own names and Python's.
import type { Check, StartOptions } from "./contract.js";
import { registerFitnessCheck } from "./fitness.js";
import { progressUpdate } from "./progress.js";
import { start } from "./start.js";
import { type InputRule, type ValidatedInput, validate } from "./validate.js";

/** The functions of a RunPod worker, under their own names and Python's. */
export interface Serverless {
  /**
   * Runs a handler as a RunPod worker until the worker is told to leave, then ends the
   * process. Without a platform it runs one job (`--test_input`, `test_input.json`) or
   * serves the platform's API (`--rp_serve_api`).
   * @throws InferenceError (rejects) INVALID_OPTION
   */
  // biome-ignore lint/suspicious/noExplicitAny: without a schema the handler names its input's type
  start<Input = any>(options: StartOptions<Input>): Promise<void>;
  /**
   * Adds a check that must pass before the first job is taken; checks run in the order of
   * their registration, on the platform only. @returns the check
   */
  registerFitnessCheck<Given extends Check>(check: Given): Given;
  /** Python's spelling of registerFitnessCheck. */
  register_fitness_check<Given extends Check>(check: Given): Given;
  /**
   * Shows a value as a running job's output, found by the job's id; the context's progress()
   * does the same. Ignored for a job that does not run here.
   */
  progressUpdate(job: { readonly id: string }, value: unknown): void;
  /** Python's spelling of progressUpdate. */
  progress_update(job: { readonly id: string }, value: unknown): void;
  /** Judges an input by rules in the Python worker's spelling; nothing of what is given is changed. */
  validate(
    raw: Readonly<Record<string, unknown>>,
    rules: Readonly<Record<string, InputRule>>,
  ): ValidatedInput;
}

/** A RunPod worker. */
export const serverless: Readonly<Serverless> = Object.freeze({
  // biome-ignore lint/suspicious/noExplicitAny: without a schema the handler names its input's type
  start: <Input = any>(options: StartOptions<Input>): Promise<void> => start(options),
  registerFitnessCheck,
  register_fitness_check: <Given extends Check>(check: Given): Given => registerFitnessCheck(check),
  progressUpdate,
  progress_update: progressUpdate,
  validate,
});
