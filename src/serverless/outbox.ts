// Everything said of one job, in order and one post at a time: progress before
// items, items in their order, the result last and nothing after it. Progress
// that waits is replaced by newer progress; server-sent events that wait are
// joined, so that a slow platform never makes a stream lag.
import { type Delivery, type Parcel, type Receipt, tooLarge } from "./delivery.js";
import { failureEvent, halves, isEvents, splitEvents } from "./event-text.js";
import type { Logger } from "./logger.js";
import type { Outlet } from "./outlet.js";
import type { Urls } from "./urls.js";
import { toWireJson } from "./wire-json.js";

interface Entry {
  readonly kind: "progress" | "item" | "done";
  /** The value's JSON text, or the whole body of a result. */
  json: string;
  /** Server-sent events that are sent together; undefined: the JSON text is. */
  readonly events: { readonly texts: string[]; bytes: number } | undefined;
  readonly settle: ((receipt: Receipt) => void)[];
}

export interface OutboxOptions {
  readonly jobId: string;
  readonly delivery: Delivery;
  readonly urls: Urls;
  readonly logger: Logger;
  readonly deliveryBudgetMs: number;
  /** Keep what was posted, for the aggregate. */
  readonly keepItems: boolean;
}

/** RunPod's limit of one streamed item. */
const itemBytes = 1_000_000;
/** Streamed text a handler may be ahead of the platform. */
const aheadBytes = 1_000_000;
const itemBudgetMs = 30_000;
const progressMs = 10_000;
/** Of events that go before the result of a process that is to end. */
const hurriedMs = 500;
/** From here on a refusal may be for the size. */
const largeBodyBytes = 1 << 20;

export class Outbox implements Outlet {
  readonly #options: OutboxOptions;
  readonly #abort = new AbortController();
  /** Aborts the items and progress so far. */
  #ahead = new AbortController();
  #hurried = false;
  readonly #queue: Entry[] = [];
  readonly #posted: string[] = [];
  #lost = 0;
  #lostReason = "";
  #sending = false;
  #closed = false;
  /** Whether the result is that of a generator. */
  isStream = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** JSON texts of the items as they were posted; empty unless kept. */
  get posted(): readonly string[] {
    return this.#posted;
  }

  /** Says how many items did not arrive, and why; undefined where all did. */
  get lost(): string | undefined {
    if (this.#lost === 0) return undefined;
    const items = this.#lost === 1 ? "1 streamed item" : `${this.#lost} streamed items`;
    return `${items} did not reach the platform: ${this.#lostReason}`;
  }

  progress(value: unknown): void {
    if (this.#closed) return;
    const json = toWireJson({ status: "IN_PROGRESS", output: value ?? null });
    // Also from between events, which then join: at most one progress waits.
    const waiting = this.#queue.find((entry) => entry.kind === "progress");
    if (waiting !== undefined) waiting.json = json;
    else this.#push({ kind: "progress", json, events: undefined, settle: [] });
  }

  /**
   * Posts one streamed item. Resolves when the next may be made: once it is
   * posted, for events as long as not too much waits.
   * @throws TypeError for an item that is no JSON
   */
  async item(value: unknown): Promise<void> {
    if (this.#closed) return;
    if (!isEvents(value)) return this.#whole(toWireJson(value));
    for (const events of splitEvents(value, itemBytes)) this.#joinEvents(events);
    if (this.#waitingBytes() > aheadBytes) await this.#queueSent();
  }

  /**
   * Posts the result after everything else, and closes.
   * @param body the whole JSON text
   * @param lastEvents what the stream's reader is to be told before, undefined: nothing
   */
  finish(body: string, lastEvents?: string): Promise<Receipt> {
    if (this.#closed) return Promise.resolve({ type: "aborted" });
    this.#closed = true;
    // Newer than any progress that waits is the result.
    const kept = this.#queue.filter((entry) => entry.kind !== "progress");
    this.#queue.splice(0, this.#queue.length, ...kept);
    if (lastEvents !== undefined) this.#joinEvents(lastEvents);
    return this.#pushed({ kind: "done", json: body, events: undefined, settle: [] });
  }

  /** Resolves when all items are sent. */
  async flush(): Promise<void> {
    if (this.#sending && !this.#abort.signal.aborted) await this.#queueSent();
  }

  hurry(): void {
    if (this.#closed) return;
    this.#hurried = true;
    this.#dropAhead();
    this.#ahead = new AbortController(); // for events that go before the result
  }

  /** Drops what waits, breaks off what is being posted, and closes. */
  discard(): void {
    this.#closed = true;
    this.#abort.abort();
    this.#dropAhead();
  }

  #dropAhead(): void {
    this.#ahead.abort();
    for (const entry of this.#queue.splice(0)) for (const settle of entry.settle) settle({ type: "aborted" });
  }

  async #whole(json: string): Promise<void> {
    await this.#pushed({ kind: "item", json, events: undefined, settle: [] });
  }

  #joinEvents(text: string): void {
    const bytes = Buffer.byteLength(text);
    const last = this.#queue.at(-1)?.events;
    if (last !== undefined && last.bytes + bytes <= itemBytes) {
      last.texts.push(text);
      last.bytes += bytes;
    } else this.#push({ kind: "item", json: "", events: { texts: [text], bytes }, settle: [] });
  }

  #waitingBytes(): number {
    return this.#queue.reduce((sum, entry) => sum + (entry.events?.bytes ?? 0), 0);
  }

  #queueSent(): Promise<void> {
    const last = this.#queue.at(-1);
    if (last === undefined) return this.#current;
    return new Promise((resolve) => last.settle.push(() => resolve()));
  }

  #current: Promise<void> = Promise.resolve();

  #pushed(entry: Entry): Promise<Receipt> {
    return new Promise((resolve) => {
      entry.settle.push(resolve);
      this.#push(entry);
    });
  }

  #push(entry: Entry): void {
    this.#queue.push(entry);
    if (!this.#sending) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#sending = true;
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) {
      const sent = this.#send(entry);
      this.#current = sent.then(() => undefined);
      const receipt = await sent;
      for (const settle of entry.settle) settle(receipt);
    }
    this.#sending = false;
  }

  #send(entry: Entry): Promise<Receipt> {
    switch (entry.kind) {
      case "progress":
        return this.#sendProgress(entry.json);
      case "item":
        return this.#sendItem(entry.json, entry.events?.texts.join(""));
      default:
        return this.#sendDone(entry.json);
    }
  }

  async #sendProgress(body: string): Promise<Receipt> {
    const { urls, jobId, logger } = this.#options;
    const { signal } = this.#ahead;
    const receipt = await this.#post(urls.done(jobId, false), body, 0, { attemptMs: progressMs, signal });
    if (receipt.type !== "delivered") logger.debug(`Failed to send progress. | ${reasonOf(receipt)}`);
    return receipt;
  }

  /** @param events instead of the JSON text; halved where the platform finds them too large together */
  async #sendItem(json: string, events?: string): Promise<Receipt> {
    const { urls, jobId, logger, keepItems } = this.#options;
    const text = events === undefined ? json : toWireJson(events);
    const url = urls.stream(jobId);
    if (url === undefined) {
      logger.warnOnce("Stream URL not set, streamed items are only in the final output.");
      if (keepItems) this.#posted.push(text);
      return { type: "delivered" };
    }
    // Where the platform takes no items, each costs one attempt: the job is to end.
    const budgetMs = this.#lost > 0 || this.#hurried ? 0 : itemBudgetMs;
    const receipt = await this.#post(url, `{"output":${text}}`, budgetMs, {
      signal: this.#ahead.signal,
      ...(this.#hurried && { attemptMs: hurriedMs }),
    });
    const [first, second] = events !== undefined && isTooLarge(receipt) ? halves(events) : [];
    if (first !== undefined && second !== undefined) {
      await this.#sendItem("", first);
      return this.#sendItem("", second);
    }
    if (keepItems) this.#posted.push(text);
    if (receipt.type === "refused" || receipt.type === "undelivered") {
      this.#lost += 1;
      this.#lostReason ||= reasonOf(receipt);
      logger.error(`Failed to stream an item. | ${reasonOf(receipt)}`);
      if (events !== undefined && this.#lost === 1) await this.#tellGap(url);
    }
    return receipt;
  }

  /** The reader of events must not take those on both sides of a gap for one text. */
  async #tellGap(url: string): Promise<void> {
    const event = failureEvent(this.lost ?? "");
    await this.#post(url, `{"output":${toWireJson(event)}}`, 0, { signal: this.#ahead.signal });
  }

  async #sendDone(body: string): Promise<Receipt> {
    const { urls, jobId, logger, deliveryBudgetMs } = this.#options;
    const url = urls.done(jobId, this.isStream);
    const receipt = await this.#post(url, body, deliveryBudgetMs);
    if (receipt.type === "delivered" || receipt.type === "aborted") return receipt;
    const bytes = Buffer.byteLength(body);
    // A proxy may break the connection at its limit, and never come to say 413.
    if (!isTooLarge(receipt) && bytes < largeBodyBytes) return receipt;
    const { stopPod } = JSON.parse(body) as { readonly stopPod?: true };
    const error =
      receipt.type === "refused"
        ? tooLargeBody(bytes, stopPod)
        : errorBody(`Output of ${sizeOf(bytes)} did not reach the platform: ${receipt.reason}`, stopPod);
    logger.error(`A result of ${sizeOf(bytes)} did not reach the platform: ${reasonOf(receipt)}`);
    const { mayHaveArrived } = receipt;
    const budgetMs = Math.min(deliveryBudgetMs, itemBudgetMs);
    return this.#post(url, error, budgetMs, { mayHaveArrived });
  }

  #post(
    url: string,
    body: string,
    budgetMs: number,
    rest: Partial<Pick<Parcel, "attemptMs" | "mayHaveArrived" | "signal">> = {},
  ): Promise<Receipt> {
    const { delivery, jobId } = this.#options;
    return delivery.send({ url, jobId, body, budgetMs, signal: this.#abort.signal, ...rest });
  }
}

function isTooLarge(receipt: Receipt): boolean {
  return receipt.type === "refused" && receipt.status === tooLarge;
}

/** Why a post did not arrive. */
export function reasonOf(receipt: Receipt): string {
  if (receipt.type === "refused") return `status ${receipt.status}`;
  return receipt.type === "undelivered" ? receipt.reason : receipt.type;
}

/** The small error that takes the place of a result the platform would not take. */
export function tooLargeBody(bytes: number, stopPod?: true): string {
  const advice = "store it elsewhere and return its address";
  return errorBody(`Output of ${sizeOf(bytes)} exceeds the RunPod limit; ${advice}`, stopPod);
}

function errorBody(error: string, stopPod: true | undefined): string {
  return toWireJson({ error, ...(stopPod && { stopPod }) });
}

function sizeOf(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
