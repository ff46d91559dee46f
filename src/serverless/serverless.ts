// What `import { serverless } from "infernode"` gives: the worker's public
// functions under their own names and Python's.
import type { Check, StartOptions } from "./contract.js";
import { registerFitnessCheck } from "./fitness.js";
import { progressUpdate } from "./progress.js";
import { start } from "./start.js";
import { validate } from "./validate.js";

export const serverless = Object.freeze({
  /** Runs a handler as a RunPod worker until the worker is told to leave. See StartOptions. */
  // biome-ignore lint/suspicious/noExplicitAny: without a schema the handler names its input's type
  start: <Input = any>(options: StartOptions<Input>): Promise<void> => start(options),
  /** Adds a check that must pass before the first job is taken. */
  registerFitnessCheck,
  /** Python's spelling of registerFitnessCheck. */
  register_fitness_check: <Given extends Check>(check: Given): Given => registerFitnessCheck(check),
  /** Shows a value as a running job's output, found by the job's id; the context's progress() does the same. */
  progressUpdate,
  /** Python's spelling of progressUpdate. */
  progress_update: progressUpdate,
  /** Judges an input by rules in the Python worker's spelling. */
  validate,
});
