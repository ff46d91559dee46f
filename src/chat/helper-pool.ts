// The processes of `infernode-chat` that one model has: one, as a rule. Another
// starts where a request finds every process at work on something slow, so that
// whoever sent the slow one holds up nobody but himself. Requests with schemas and
// those without cannot take each other's last process: what a caller's schema costs
// is not known before. A process without work ends after a minute.
import { InferenceError, toInferenceError } from "../errors.js";
import { type HelperJob, HelperProcess } from "./helper-process.js";

const idleLimitMs = 60_000;
const maximumProcesses = 3;
/** Of one kind at a time; the third process is the other kind's. */
const maximumOfKind = 2;
/** A request that has run for longer is waited for no more. A common one takes less than one. */
const patienceMs = 50;

/** What a request may cost: a schema's conversion, or a template's and an answer's work. */
export type HelperKind = "schema" | "chat";

interface PooledJob extends HelperJob {
  readonly kind: HelperKind;
}

/** Answers requests to the helper program. */
export class HelperPool {
  readonly #program: string;
  readonly #limitMs: number;
  readonly #processes: HelperProcess[] = [];
  readonly #queue: PooledJob[] = [];
  readonly #running: Record<HelperKind, number> = { schema: 0, chat: 0 };
  #patience: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param program path of the helper program
   * @param limitMs milliseconds one request may take
   */
  constructor(program: string, limitMs: number) {
    this.#program = program;
    this.#limitMs = limitMs;
  }

  /**
   * The reply to a request; those of a kind begin in order.
   * @param failed the error to reject with, for what went wrong
   */
  ask(kind: HelperKind, line: string, failed: HelperJob["failed"]): Promise<string> {
    return new Promise((resolve, reject) => {
      const ended = () => {
        this.#running[kind] -= 1;
      };
      this.#queue.push({
        kind,
        line,
        failed,
        resolve: (reply) => {
          ended();
          resolve(reply);
        },
        reject: (error: InferenceError) => {
          ended();
          reject(error);
        },
      });
      this.#dispatch();
    });
  }

  /** Every process ends once it has no work. */
  close(): void {
    this.#closed = true;
    for (const process of [...this.#processes]) if (process.isIdle) process.stop();
  }

  #dispatch(): void {
    clearTimeout(this.#patience);
    for (let next = this.#next(); next >= 0; next = this.#next()) {
      const process = this.#processes.find((each) => each.isIdle) ?? this.#another();
      if (process === undefined) return;
      const [job] = this.#queue.splice(next, 1) as [PooledJob];
      this.#running[job.kind] += 1;
      if (process instanceof InferenceError) job.reject(process);
      else process.run(job);
    }
  }

  /** Place in the queue of the first request whose kind may have a process. */
  #next(): number {
    return this.#queue.findIndex(({ kind }) => this.#running[kind] < maximumOfKind);
  }

  /**
   * Another process, where all are slow; else it is looked for again when they would be.
   * An error where none can be started.
   */
  #another(): HelperProcess | InferenceError | undefined {
    if (this.#processes.length >= maximumProcesses) return undefined;
    const busyMs = Math.min(...this.#processes.map((process) => process.busyMs));
    if (busyMs < patienceMs) {
      this.#patience = setTimeout(() => this.#dispatch(), Math.ceil(patienceMs - busyMs));
      return undefined;
    }
    try {
      const process = new HelperProcess(this.#program, this.#limitMs, (changed) => this.#changed(changed));
      this.#processes.push(process);
      return process;
    } catch (thrown) {
      return toInferenceError(thrown);
    }
  }

  #changed(process: HelperProcess): void {
    if (process.isLost) this.#processes.splice(this.#processes.indexOf(process), 1);
    this.#dispatch();
    if (!process.isIdle) return;
    if (this.#closed) process.stop();
    else process.rest(idleLimitMs);
  }
}
