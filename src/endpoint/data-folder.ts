// The folder of `--data`: the jobs of a server, kept by a thread of its own. Owns the thread;
// words what went wrong with the disk.
import { join } from "node:path";
import { Worker as Thread } from "node:worker_threads";
import { packageRoot } from "../package-root.js";
import {
  type AcceptedJob,
  type JobEnding,
  type JobStore,
  type StoredJob,
  StoreFailure,
} from "../serverless/job-store.js";
import { messageOfThrown } from "../thrown.js";
import type { StoreAnswer, StoreCall, StoreThreadData } from "./job-store-thread.js";

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (failure: StoreFailure) => void;
}

/** What codes of SQLite, the system and Node mean for a folder of jobs; others are told as they are. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/^SQLITE_FULL/, "the disk is full"],
  [/^(?:SQLITE_READONLY|EROFS|EACCES|EPERM)/, "it cannot be written to"],
  [/^SQLITE_IOERR/, "the disk does not take what is written, or does not give it back"],
  [/^SQLITE_BUSY/, "another process uses it; each server needs a folder of its own"],
  [/^SQLITE_(?:NOTADB|CORRUPT)/, "jobs.db in it is damaged, or no file of infernode's"],
  [/^(?:ENOTDIR|EEXIST)/, "it is no folder"],
  [/^ENOENT/, "it cannot be made; the folder that it is to be in must be there"],
  [
    /^(?:ERR_)?MODULE_NOT_FOUND/,
    "it needs the package libsql, which is not installed: npm install libsql@0.5",
  ],
];

export class DataFolder implements JobStore {
  readonly #folder: string;
  #thread: Thread | undefined;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  /** Why nothing can be asked any more. */
  #ended: StoreFailure | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Opens the folder, and makes it where it is not there.
   * @returns the jobs that have not ended, in their order; those that had begun have one retry more
   * @throws StoreFailure in one sentence
   */
  async open(): Promise<readonly StoredJob[]> {
    const workerData: StoreThreadData = { folder: this.#folder };
    const thread = new Thread(join(packageRoot(), "dist/job-store-thread.js"), { workerData });
    this.#thread = thread;
    const opened = new Promise<unknown>((resolve, reject) => this.#pending.set(0, { resolve, reject }));
    thread.on("message", (answers: readonly StoreAnswer[]) => {
      for (const answer of answers) this.#settle(answer);
    });
    thread.on("error", (error) => this.#end(messageOfThrown(error)));
    thread.on("exit", () => this.#end("its thread has ended"));
    await opened;
    return (await this.#ask("unfinished")) as readonly StoredJob[];
  }

  /** Ids of ended jobs whose webhooks are still to be told. */
  async owing(): Promise<readonly string[]> {
    return (await this.#ask("owing")) as readonly string[];
  }

  /** Writes what was said, and gives the folder to others. Never rejects. */
  async close(): Promise<void> {
    if (this.#thread !== undefined && this.#ended === undefined) await this.#ask("close").catch(() => {});
    await this.#thread?.terminate();
  }

  async accept(job: AcceptedJob, webhook: string | undefined): Promise<void> {
    await this.#ask("accept", job, webhook);
  }

  async started(id: string, workerId: string): Promise<void> {
    await this.#ask("started", id, workerId);
  }

  async ended(id: string, ending: JobEnding): Promise<void> {
    await this.#ask("ended", id, ending);
  }

  async again(id: string): Promise<void> {
    await this.#ask("again", id);
  }

  async keepUntil(id: string, at: number): Promise<void> {
    await this.#ask("keepUntil", id, at);
  }

  async find(id: string): Promise<StoredJob | undefined> {
    return (await this.#ask("find", id)) as StoredJob | undefined;
  }

  gave(id: string, count: number): void {
    this.#ask("gave", id, count).catch(() => {}); // its reader is given the items twice at worst
  }

  told(id: string): void {
    this.#ask("told", id).catch(() => {}); // and the webhook is told twice
  }

  remove(id: string): void {
    this.#ask("remove", id).catch(() => {}); // its time is over at the next sweep, too
  }

  #ask(name: StoreCall["name"], ...values: readonly unknown[]): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    this.#last += 1;
    const call: StoreCall = { number: this.#last, name, values };
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(call.number, { resolve, reject });
    });
    this.#thread?.postMessage(call);
    return answered;
  }

  #settle({ number, value, failure }: StoreAnswer): void {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    if (failure === undefined) pending?.resolve(value);
    else pending?.reject(this.#failure(failure.reason, failure.code));
  }

  #end(reason: string): void {
    this.#ended ??= this.#failure(reason);
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }

  #failure(reason: string, code = ""): StoreFailure {
    const known = reasons.find(([pattern]) => pattern.test(code))?.[1];
    return new StoreFailure(`--data ${this.#folder}: ${known ?? reason}`);
  }
}
