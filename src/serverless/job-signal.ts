// The signal that a handler gets. Node throws the error of an abort listener again as an
// uncaught exception; it is the fault of the job whose listener it is, and is told from
// one that leaves the process in an unknown state.
import { AsyncLocalStorage } from "node:async_hooks";
import type { LoggedJob } from "./logger.js";

const aborting = new AsyncLocalStorage<LoggedJob>();

export class JobSignal {
  readonly #controller = new AbortController();
  readonly #job: LoggedJob;

  constructor(job: LoggedJob) {
    this.#job = job;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: string): void {
    aborting.run(this.#job, () => this.#controller.abort(new Error(reason)));
  }
}

/** The job whose abort listener threw the uncaught exception that is being handled, if one did. */
export function jobOfListener(): LoggedJob | undefined {
  return aborting.getStore();
}
