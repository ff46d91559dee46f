// What is known of one generation: the deltas that came, what of them was read,
// and its end. The router writes it, a Generation reads it. It tells the addon
// what was read, which is what back-pressure works on, and keeps the process
// alive while somebody waits here. It decides nothing about scheduling.
import type { NativeEnd, NativeEngine } from "../native.js";
import type { EventReader } from "./event-router.js";
import { endBeforeStart, logProbsOf, type TextDeltaEvent } from "./events.js";
import type { KeepAlive } from "./keep-alive.js";

/**
 * Tokens read before the addon is told. Its window is 256, so an eighth: rare
 * calls, and what is still untold can never stop a generation.
 */
const acknowledgeTokens = 32;

/** What a generation needs of its engine. */
export interface GenerationHost {
  readonly native: Pick<NativeEngine, "cancel" | "acknowledge">;
  readonly keepAlive: Pick<KeepAlive, "hold" | "release">;
}

/** The state of one generation, from its request to its one end. */
export class GenerationRecord implements EventReader {
  readonly id: number;
  /** Everything delivered so far; never shortened. */
  readonly deltas: TextDeltaEvent[] = [];
  readonly #host: GenerationHost;
  readonly #arrivals: (() => void)[] = [];
  readonly #endings: (() => void)[] = [];
  #end: NativeEnd | undefined;
  #detach: (() => void) | undefined;
  #cancelling = false;
  #submitted = true;
  #abortedBy: AbortSignal | undefined;
  #readDeltas = 0;
  #unacknowledged = 0;
  #readsAll = false;

  constructor(id: number, host: GenerationHost) {
    this.id = id;
    this.#host = host;
  }

  /** The end; undefined while it lives. */
  get end(): NativeEnd | undefined {
    return this.#end;
  }

  /** The signal that cancelled it, if one did before anybody else. */
  get abortedBy(): AbortSignal | undefined {
    return this.#abortedBy;
  }

  deliver(text: string, tokens: readonly number[], logProbs?: Float64Array): void {
    const told = logProbs === undefined ? {} : { logProbs: logProbsOf(tokens, logProbs) };
    this.deltas.push({ type: "text-delta", text, tokens, ...told });
    if (this.#readsAll) this.read(this.deltas.length - 1);
    this.#wake();
  }

  finish(end: NativeEnd): void {
    this.#end = end;
    this.#detach?.();
    this.#detach = undefined;
    this.#wake();
    for (const wake of this.#endings.splice(0)) wake();
  }

  /** Takes the function that stops listening to the request's signal. */
  attach(detach: () => void): void {
    this.#detach = detach;
  }

  /** The addon hears of it later, or never. */
  postpone(): void {
    this.#submitted = false;
  }

  /** The addon hears of it now. */
  submit(): void {
    this.#submitted = true;
  }

  cancel(): void {
    if (this.#end !== undefined || this.#cancelling) return;
    if (this.#submitted) {
      this.#cancelling = true;
      this.#host.native.cancel(this.id);
    } else {
      this.finish(endBeforeStart(this.id));
    }
  }

  /** Cancels on behalf of the request's signal. */
  abort(signal: AbortSignal): void {
    if (!this.#cancelling) this.#abortedBy = signal;
    this.cancel();
  }

  /** Ends a request whose signal had aborted before the addon heard of it. */
  finishAborted(signal: AbortSignal, end: NativeEnd): void {
    this.#abortedBy = signal;
    this.finish(end);
  }

  /** Waits for the next delta or the end. */
  arrival(): Promise<void> {
    return this.#wait(this.#arrivals);
  }

  /** Waits for the end alone: who wants the whole is not woken by its parts. */
  ending(): Promise<void> {
    return this.#wait(this.#endings);
  }

  #wait(waiting: (() => void)[]): Promise<void> {
    this.#host.keepAlive.hold();
    return new Promise<void>((resolve) => {
      waiting.push(() => {
        this.#host.keepAlive.release();
        resolve();
      });
    });
  }

  /** Counts delta `index` as read, once however many readers there are. */
  read(index: number): void {
    if (index < this.#readDeltas) return;
    this.#readDeltas = index + 1;
    this.#unacknowledged += this.deltas[index]?.tokens.length ?? 0;
    if (this.#unacknowledged < acknowledgeTokens || this.#end !== undefined) return;
    this.#host.native.acknowledge(this.id, this.#unacknowledged);
    this.#unacknowledged = 0;
  }

  /** From now on every delta counts as read when it comes. */
  readAll(): void {
    this.#readsAll = true;
    for (let next = this.#readDeltas; next < this.deltas.length; next += 1) this.read(next);
  }

  #wake(): void {
    if (this.#arrivals.length === 0) return;
    for (const wake of this.#arrivals.splice(0)) wake();
  }
}
