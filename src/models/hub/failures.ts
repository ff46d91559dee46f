// Failures of the network and of servers: which are worth another attempt, how long to wait
// before it, and the sentence when there was one too many.
import { Backoff, sleep } from "../../backoff.js";
import { cancelledBy, InferenceError } from "../../errors.js";
import { messageOfThrown } from "../../thrown.js";
import { tlsFailure } from "../../tls-failure.js";
import type { PullLimits } from "./limits.js";

/** A failure that another attempt may cure; its message is a clause: "the server answered 503". */
export class Transient extends Error {
  /** How long the server asks to wait. */
  readonly waitMs: number | undefined;

  constructor(message: string, waitMs?: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

/** What a file's server says of it has changed, or its bytes are wrong: begin the file again. */
export class Changed extends Error {}

/** A pull's or a request's failures in a row. */
export class Attempts {
  readonly #what: string;
  readonly #limits: PullLimits;
  readonly #backoff: Backoff;
  readonly #onNotice: (sentence: string) => void;
  #failures = 0;

  /** @param what is fetched, in the middle of a sentence: "model.gguf of owner/name" */
  constructor(what: string, limits: PullLimits, onNotice: (sentence: string) => void) {
    this.#what = what;
    this.#limits = limits;
    this.#onNotice = onNotice;
    this.#backoff = new Backoff(limits.firstPauseMs, limits.lastPauseMs, Math.random);
  }

  /** There was progress: the next failure is the first again. */
  progressed(): void {
    this.#failures = 0;
    this.#backoff.reset();
  }

  /**
   * Waits before the next attempt.
   * @throws InferenceError DOWNLOAD_FAILED after too many; whatever is no Transient, as it is
   */
  async failed(thrown: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw cancelledBy(signal, "the pull");
    if (!(thrown instanceof Transient)) throw thrown;
    this.#failures += 1;
    const asked = thrown.waitMs;
    if (asked !== undefined && asked > this.#limits.longestAskedMs) {
      throw this.#givenUp(`${thrown.message} and asks to wait ${seconds(asked)}`, thrown);
    }
    if (this.#failures >= this.#limits.attempts) {
      throw this.#givenUp(`${thrown.message} (attempt ${this.#failures})`, thrown);
    }
    const pause = Math.max(this.#backoff.next(), asked ?? 0);
    this.#onNotice(`${this.#what}: ${thrown.message}; trying again in ${seconds(pause)}`);
    await sleep(pause, signal);
    if (signal.aborted) throw cancelledBy(signal, "the pull");
  }

  #givenUp(problem: string, cause: unknown): InferenceError {
    return downloadFailed(`${this.#what} could not be fetched: ${problem}`, cause);
  }
}

/** The error of a download that is given up; what was fetched stays for the next one. */
export function downloadFailed(problem: string, cause?: unknown): InferenceError {
  return new InferenceError(
    "DOWNLOAD_FAILED",
    `${problem}; what was fetched is kept, pull again to continue`,
    cause === undefined ? {} : { cause },
  );
}

/** Calls until it succeeds. @throws InferenceError */
export async function withRetries<Result>(
  attempts: Attempts,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      await attempts.failed(thrown, signal);
    }
  }
}

/** What a socket or the HTTP parser threw, for `host`. */
export function networkFailure(thrown: unknown, host: string): Error {
  if (thrown instanceof InferenceError || thrown instanceof Transient || thrown instanceof Changed)
    return thrown;
  const tls = tlsFailure(thrown);
  if (tls !== undefined) {
    const what =
      tls.cause === "certificate"
        ? `the certificate of ${host} is not trusted`
        : `${host} answers without TLS`;
    return new InferenceError("DOWNLOAD_FAILED", `${what} (${tls.code}); ${tls.advice}`, { cause: thrown });
  }
  const code = String(Object(thrown).code ?? "");
  const told = code === "" ? messageOfThrown(thrown) : code;
  return new Transient(`the connection to ${host} failed (${told})`);
}

const failures = new Map([
  ["ENOSPC", "has no space left"],
  ["EDQUOT", "has reached its quota"],
]);

/** What the file system threw while `folder` was written. */
export function storageFailure(thrown: unknown, folder: string): unknown {
  const code = String((thrown as { readonly code?: unknown } | undefined)?.code ?? "");
  const full = failures.get(code);
  if (full !== undefined) {
    return new InferenceError(
      "DISK_FULL",
      `the disk of ${folder} ${full}; make room there or name another folder by HF_HUB_CACHE, then pull again to continue`,
      { cause: thrown },
    );
  }
  if (!/^(?:EROFS|EACCES|EPERM|ENOENT|ENOTDIR|EIO|EFBIG|ENAMETOOLONG|EISDIR|EEXIST|ELOOP|EMFILE)$/.test(code))
    return thrown;
  return new InferenceError(
    "MODEL_UNREADABLE",
    `the cache ${folder} cannot be written: ${messageOfThrown(thrown)}; name another folder by HF_HUB_CACHE`,
    { cause: thrown },
  );
}

function seconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.ceil(milliseconds)} ms` : `${Math.round(milliseconds / 1000)} s`;
}
