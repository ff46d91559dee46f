// Everything said of one job, in order and one post at a time: progress before
// items, items in their order, the result last and nothing after it. Progress
// that waits is replaced by newer progress; server-sent events that wait are
// joined, so that a slow platform never makes a stream lag.
import type { Delivery, Receipt } from "./delivery.js";
import type { Logger } from "./logger.js";
import type { Outlet } from "./outlet.js";
import type { Urls } from "./urls.js";
import { toWireJson } from "./wire-json.js";

interface Entry {
  readonly kind: "progress" | "item" | "done";
  /** The value's JSON text, or the whole body of a result. */
  json: string;
  /** Text of server-sent events, which may be joined and split. */
  events: string | undefined;
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
/** From here on a refusal may be for the size. */
const largeBodyBytes = 1 << 20;

export class Outbox implements Outlet {
  readonly #options: OutboxOptions;
  readonly #abort = new AbortController();
  readonly #queue: Entry[] = [];
  readonly #posted: string[] = [];
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

  progress(value: unknown): void {
    if (this.#closed) return;
    const json = toWireJson({ status: "IN_PROGRESS", output: value ?? null });
    const last = this.#queue.at(-1);
    if (last?.kind === "progress") last.json = json;
    else this.#push({ kind: "progress", json, events: undefined, settle: [] });
  }

  /**
   * Posts one streamed item. Resolves when the next may be made: once it is
   * posted, for events as long as not too much waits.
   * @throws TypeError for an item that is no JSON
   */
  async item(value: unknown): Promise<void> {
    if (this.#closed) return;
    if (typeof value !== "string" || !isEvents(value)) return this.#whole(toWireJson(value));
    for (const events of splitEvents(value)) this.#joinEvents(events);
    if (this.#waitingBytes() > aheadBytes) await this.#queueSent();
  }

  /** Posts the result after everything else, and closes. @param body the whole JSON text */
  finish(body: string): Promise<Receipt> {
    if (this.#closed) return Promise.resolve({ type: "aborted" });
    this.#closed = true;
    // Newer than any progress that waits is the result.
    const kept = this.#queue.filter((entry) => entry.kind !== "progress");
    this.#queue.splice(0, this.#queue.length, ...kept);
    return this.#pushed({ kind: "done", json: body, events: undefined, settle: [] });
  }

  /** Resolves when all items are sent. */
  async flush(): Promise<void> {
    if (this.#sending && !this.#abort.signal.aborted) await this.#queueSent();
  }

  /** Drops what waits, breaks off what is being posted, and closes. */
  discard(): void {
    this.#closed = true;
    this.#abort.abort();
    for (const entry of this.#queue.splice(0)) for (const settle of entry.settle) settle({ type: "aborted" });
  }

  async #whole(json: string): Promise<void> {
    await this.#pushed({ kind: "item", json, events: undefined, settle: [] });
  }

  #joinEvents(events: string): void {
    const last = this.#queue.at(-1);
    const joined = last?.kind === "item" && last.events !== undefined ? last.events + events : undefined;
    if (last !== undefined && joined !== undefined && Buffer.byteLength(joined) <= itemBytes) {
      last.events = joined;
    } else this.#push({ kind: "item", json: "", events, settle: [] });
  }

  #waitingBytes(): number {
    return this.#queue.reduce((sum, entry) => sum + (entry.events?.length ?? 0), 0);
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
        return this.#sendItem(entry.events === undefined ? entry.json : toWireJson(entry.events));
      default:
        return this.#sendDone(entry.json);
    }
  }

  async #sendProgress(body: string): Promise<Receipt> {
    const { urls, jobId, logger } = this.#options;
    const receipt = await this.#post(urls.done(jobId, false), body, 0, progressMs);
    if (receipt.type !== "delivered") logger.debug(`Failed to send progress. | ${reasonOf(receipt)}`);
    return receipt;
  }

  async #sendItem(json: string): Promise<Receipt> {
    const { urls, jobId, logger, keepItems } = this.#options;
    if (keepItems) this.#posted.push(json);
    const url = urls.stream(jobId);
    if (url === undefined) {
      logger.warnOnce("Stream URL not set, streamed items are only in the final output.");
      return { type: "delivered" };
    }
    const receipt = await this.#post(url, `{"output":${json}}`, itemBudgetMs);
    if (receipt.type === "refused" || receipt.type === "undelivered") {
      logger.error(`Failed to stream an item. | ${reasonOf(receipt)}`);
    }
    return receipt;
  }

  async #sendDone(body: string): Promise<Receipt> {
    const { urls, jobId, logger, deliveryBudgetMs } = this.#options;
    const url = urls.done(jobId, this.isStream);
    const receipt = await this.#post(url, body, deliveryBudgetMs);
    const bytes = Buffer.byteLength(body);
    if (receipt.type === "refused" && bytes >= largeBodyBytes) {
      logger.error(`The platform refused a result of ${megabytes(bytes)} with status ${receipt.status}.`);
      return await this.#post(url, tooLargeBody(bytes), deliveryBudgetMs);
    }
    return receipt;
  }

  #post(url: string, body: string, budgetMs: number, attemptMs?: number): Promise<Receipt> {
    const { delivery, jobId } = this.#options;
    const limit = attemptMs === undefined ? {} : { attemptMs };
    return delivery.send({ url, jobId, body, budgetMs, signal: this.#abort.signal, ...limit });
  }
}

/** Why a post did not arrive. */
export function reasonOf(receipt: Receipt): string {
  if (receipt.type === "refused") return `status ${receipt.status}`;
  return receipt.type === "undelivered" ? receipt.reason : receipt.type;
}

/** The small error that takes the place of a result the platform would not take. */
export function tooLargeBody(bytes: number): string {
  return toWireJson({
    error: `Output of ${megabytes(bytes)} exceeds the RunPod limit; store it elsewhere and return its address`,
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function isEvents(text: string): boolean {
  return text.endsWith("\n\n") && /^(?:data|event|id|retry|):/.test(text);
}

/** Pieces of whole events, each within an item's limit where its events are. */
function splitEvents(text: string): readonly string[] {
  if (Buffer.byteLength(text) <= itemBytes) return [text];
  const pieces: string[] = [];
  let piece = "";
  let bytes = 0;
  for (const event of text.split(/(?<=\n\n)/)) {
    const length = Buffer.byteLength(event);
    if (bytes > 0 && bytes + length > itemBytes) {
      pieces.push(piece);
      piece = "";
      bytes = 0;
    }
    piece += event;
    bytes += length;
  }
  return bytes > 0 ? [...pieces, piece] : pieces;
}
