// The worker's log: a JSON line on the platform, a plain line elsewhere. Lines
// written while a job's code runs carry that job's id, however many run at once.
// Never holds an input, an output or s3Config.
import { AsyncLocalStorage } from "node:async_hooks";
import { stackOfThrown } from "../thrown.js";
import type { WorkerLogLevel } from "./config.js";
import type { JobLog } from "./contract.js";

/** What a line says of its job. */
export interface LoggedJob {
  readonly id: string;
  /** As it was sent. */
  readonly batchId?: unknown;
}

type Level = Exclude<WorkerLogLevel, "NOTSET"> | "TIP";

const ranks: Readonly<Record<WorkerLogLevel | "TIP", number>> = {
  TRACE: 1,
  DEBUG: 2,
  INFO: 3,
  WARN: 4,
  ERROR: 5,
  TIP: 6,
  NOTSET: 7,
};
const maximumCharacters = 4096;

export class Logger implements JobLog {
  readonly #write: (line: string) => void;
  readonly #json: boolean;
  readonly #lowest: number;
  readonly #jobs = new AsyncLocalStorage<LoggedJob>();
  readonly #said = new Set<string>();

  /**
   * @param write takes a line with its newline
   * @param json JSON lines instead of plain ones
   */
  constructor(write: (line: string) => void, level: WorkerLogLevel, json: boolean) {
    this.#write = write;
    this.#json = json;
    this.#lowest = ranks[level];
  }

  /** Runs `work`; lines written by it, and by what it starts, carry the job's id. */
  within<Result>(job: LoggedJob, work: () => Result): Result {
    return this.#jobs.run(job, work);
  }

  /** The same log with the job's id on every line, wherever it is called from. */
  forJob(job: LoggedJob): JobLog {
    const within = (level: keyof JobLog) => (message: string) => this.within(job, () => this[level](message));
    return { debug: within("debug"), info: within("info"), warn: within("warn"), error: within("error") };
  }

  trace(message: string): void {
    this.#line("TRACE", message);
  }
  debug(message: string): void {
    this.#line("DEBUG", message);
  }
  info(message: string): void {
    this.#line("INFO", message);
  }
  warn(message: string): void {
    this.#line("WARN", message);
  }
  error(message: string): void {
    this.#line("ERROR", message);
  }
  /** Advice, printed at every level but NOTSET. */
  tip(message: string): void {
    this.#line("TIP", message);
  }

  /** Warns of a lasting condition the first time only. */
  warnOnce(message: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.warn(message);
  }

  #line(level: Level, message: string): void {
    if (ranks[level] < this.#lowest) return;
    const job = this.#jobs.getStore();
    // Handlers in JavaScript log errors and objects too.
    const words = typeof message === "string" ? message : stackOfThrown(message);
    const { batchId } = job ?? {};
    const inBatch = typeof batchId === "string" || typeof batchId === "number";
    const text = shorten(inBatch ? `[batchId=${batchId}] ${words}` : words);
    const plain = [level.padEnd(7), ...(job === undefined ? [] : [` ${job.id} `]), ` ${text}`].join("|");
    const requestId = job?.id ?? null;
    this.#write(this.#json ? `${JSON.stringify({ requestId, message: text, level })}\n` : `${plain}\n`);
  }
}

/** Cuts the middle out of a long message. */
export function shorten(text: string, limit = maximumCharacters): string {
  const excess = text.length - limit;
  if (excess <= 0) return text;
  const half = limit / 2;
  return `${text.slice(0, half)}\n...TRUNCATED ${excess} CHARACTERS...\n${text.slice(-half)}`;
}
