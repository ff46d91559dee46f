// Keeps what a job says in this process: its items, its latest progress and its
// result, for whoever asks. Tells a listener of each change.
import type { Receipt } from "./delivery.js";
import type { Outlet } from "./outlet.js";
import { toWireJson } from "./wire-json.js";

export class LocalOutlet implements Outlet {
  isStream = false;
  readonly lost = undefined;
  readonly #items: string[] = [];
  readonly #onChange: () => void;
  readonly #itemsBytesLimit: number;
  #progress: string | undefined;
  #result: string | undefined;
  #closed = false;
  #bytes = 0;

  /** @param itemsBytesLimit of the streamed items, all of which are kept */
  constructor(onChange: () => void, itemsBytesLimit = Number.POSITIVE_INFINITY) {
    this.#onChange = onChange;
    this.#itemsBytesLimit = itemsBytesLimit;
  }

  get posted(): readonly string[] {
    return this.#items;
  }

  /** Bytes of what is kept: items, progress and result. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The latest progress as JSON text. */
  get progressJson(): string | undefined {
    return this.#progress;
  }

  /** The result's body as JSON text; undefined until the job has ended by itself. */
  get resultJson(): string | undefined {
    return this.#result;
  }

  progress(value: unknown): void {
    if (this.#closed) return;
    const json = toWireJson(value);
    this.#bytes += Buffer.byteLength(json) - Buffer.byteLength(this.#progress ?? "");
    this.#progress = json;
    this.#onChange();
  }

  async item(value: unknown): Promise<void> {
    if (this.#closed) return;
    this.#keep(value);
    if (this.#bytes > this.#itemsBytesLimit) {
      const limit = this.#itemsBytesLimit;
      throw new RangeError(
        `streamed items of more than ${limit} bytes cannot be kept until they are asked for`,
      );
    }
    this.#onChange();
  }

  #keep(item: unknown): void {
    const json = toWireJson(item);
    this.#bytes += Buffer.byteLength(json);
    this.#items.push(json);
  }

  async flush(): Promise<void> {}

  hurry(): void {}

  finish(body: string, lastEvents?: string): Promise<Receipt> {
    if (this.#closed) return Promise.resolve({ type: "aborted" });
    this.#closed = true;
    // Where nothing was streamed, the caller is answered with the error itself and its status.
    if (lastEvents !== undefined && this.#items.length > 0) this.#keep(lastEvents);
    this.#bytes += Buffer.byteLength(body);
    this.#result = body;
    this.#onChange();
    return Promise.resolve({ type: "delivered" });
  }

  /** Takes over what a job said that has ended before. @param items JSON texts */
  restore(result: string | undefined, items: readonly string[], isStream: boolean): void {
    this.#items.push(...items);
    this.#result = result;
    this.#closed = true;
    this.isStream = isStream;
    this.#bytes = [...items, result ?? ""].reduce((sum, json) => sum + Buffer.byteLength(json), 0);
  }

  discard(): void {
    this.#closed = true;
    this.#onChange();
  }
}
