// Checks that must pass before a worker takes jobs. Run in the order of their
// registration, on the platform only; the first that throws ends the worker.
import { describeThrown } from "../thrown.js";
import type { Check } from "./contract.js";
import type { Heartbeat } from "./heartbeat.js";
import type { Logger } from "./logger.js";

const checks: Check[] = [];

/** Adds a check to all workers started later. @returns the check, for use as a decorator's twin */
export function registerFitnessCheck<Given extends Check>(check: Given): Given {
  checks.push(check);
  return check;
}

/** The checks registered so far. */
export function registeredChecks(): readonly Check[] {
  return [...checks];
}

/** Runs one check. @returns whether it passed; if not, log and platform know why */
export async function passes(
  check: Check,
  name: string,
  heartbeat: Heartbeat,
  logger: Logger,
): Promise<boolean> {
  try {
    await check(logger);
    return true;
  } catch (thrown) {
    logger.error(`Fitness check failed: ${name} | ${describeThrown(thrown)}`);
    await heartbeat.sayUnhealthy(name, thrown);
    logger.error("Worker is unhealthy, exiting.");
    return false;
  }
}
