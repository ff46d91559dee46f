// One process of `infernode-chat` and the request it works on. It starts with its
// first request, answers one at a time, never keeps Node alive, and is lost where a
// request takes too long, says too much or ends it: that request fails. Which
// request comes next is its pool's to say.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { InferenceError } from "../errors.js";
import { messageOfThrown } from "../thrown.js";

const maximumReplyBytes = 64 * 2 ** 20;

/** A request to the helper program, and who waits for its reply. */
export interface HelperJob {
  /** JSON without a line's end. */
  readonly line: string;
  readonly resolve: (reply: string) => void;
  readonly reject: (error: InferenceError) => void;
  /** The error to reject with, for what went wrong. */
  readonly failed: (what: string) => InferenceError;
}

type Unreferable = Readable & { unref?(): void };
type Child = ChildProcessByStdio<Writable, Readable, null>;

/** Runs the helper program. */
export class HelperProcess {
  readonly #child: Child;
  readonly #limitMs: number;
  /** Told when it can take another request, and when it is lost. */
  readonly #changed: (process: HelperProcess) => void;
  #job: HelperJob | undefined;
  #lost = false;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #begun = 0;

  /**
   * @param program its path
   * @param limitMs milliseconds a request may take
   * @throws InferenceError NATIVE_MISSING where Node may start no process
   */
  constructor(program: string, limitMs: number, changed: (process: HelperProcess) => void) {
    this.#limitMs = limitMs;
    this.#changed = changed;
    this.#child = this.#start(program);
  }

  get isIdle(): boolean {
    return this.#job === undefined && !this.#lost;
  }

  get isLost(): boolean {
    return this.#lost;
  }

  /** Milliseconds it has worked on its request. */
  get busyMs(): number {
    return performance.now() - this.#begun;
  }

  /** Takes a request; only while idle. */
  run(job: HelperJob): void {
    clearTimeout(this.#timer);
    this.#job = job;
    this.#begun = performance.now();
    const tooLong = `took longer than ${this.#limitMs} ms`;
    this.#timer = setTimeout(() => this.#fail(tooLong), this.#limitMs);
    this.#child.stdin?.write(`${job.line}\n`);
  }

  /** Ends it after so much time without a request. */
  rest(idleMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.stop(), idleMs).unref();
  }

  /** Ends it; it tells so before this returns. */
  stop(): void {
    if (this.#lost) return;
    this.#lost = true;
    clearTimeout(this.#timer);
    this.#child.kill("SIGKILL");
    this.#changed(this);
  }

  #start(program: string): Child {
    // A process that aborts would start a debugger, whose output looks like an answer.
    const env = { GGML_NO_BACKTRACE: "1" };
    let child: Child;
    try {
      child = spawn(program, [], { stdio: ["pipe", "pipe", "ignore"], env });
    } catch (cause) {
      throw cannotRun(program, cause);
    }
    child.unref();
    // Who waits for the answer keeps the process alive, not the pipes. There are none
    // where Node may open no more of them: "error" tells.
    for (const pipe of [child.stdin, child.stdout]) (pipe as Unreferable | undefined)?.unref?.();
    child.stdin?.on("error", () => {}); // its exit tells
    child.stdout?.on("data", (chunk: Buffer) => this.#receive(chunk));
    child.on("error", (error) => this.#lose(cannotRun(program, error)));
    child.on("exit", (code, signal) => this.#fail(`ended its process (${signal ?? `exit ${code}`})`));
    return child;
  }

  #receive(chunk: Buffer): void {
    if (this.#lost) return;
    const end = chunk.indexOf(10);
    if (this.#job === undefined || (end >= 0 && end + 1 < chunk.length)) {
      this.#fail("said more than it was asked");
      return;
    }
    this.#received.push(end < 0 ? chunk : chunk.subarray(0, end));
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > maximumReplyBytes) {
      this.#fail(`made more than ${maximumReplyBytes >> 20} MiB`);
      return;
    }
    if (end < 0) return;
    const { resolve } = this.#job;
    resolve(Buffer.concat(this.#received).toString());
    clearTimeout(this.#timer);
    this.#received = [];
    this.#receivedBytes = 0;
    this.#job = undefined;
    this.#changed(this);
  }

  /** The process is lost, and the request it worked on with it. */
  #fail(reason: string): void {
    const job = this.#job;
    this.#lose(job?.failed(reason));
  }

  #lose(error: InferenceError | undefined): void {
    if (this.#lost) return;
    const job = this.#job;
    this.#job = undefined;
    if (error !== undefined) job?.reject(error);
    this.stop();
  }
}

/** The error of requests for whom no process can be had: it is the machine's, no template's. */
function cannotRun(program: string, cause: unknown): InferenceError {
  const sentence = `the package's program ${program} cannot be run: ${messageOfThrown(cause)}`;
  return new InferenceError("NATIVE_MISSING", sentence, { cause });
}
