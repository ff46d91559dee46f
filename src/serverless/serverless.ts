// What `import { serverless } from "infernode"` gives: the worker's public
// functions under their own names and Python's.
import type { Check, StartOptions } from "./contract.js";
import { registerFitnessCheck } from "./fitness.js";
import { start } from "./start.js";

export const serverless = Object.freeze({
  /** Runs a handler as a RunPod worker until the worker is told to leave. See StartOptions. */
  start: (options: StartOptions): Promise<void> => start(options),
  /** Adds a check that must pass before the first job is taken. */
  registerFitnessCheck,
  /** Python's spelling of registerFitnessCheck. */
  register_fitness_check: <Given extends Check>(check: Given): Given => registerFitnessCheck(check),
});
