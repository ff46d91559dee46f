// Responses that were made, and the conversations that they end, kept in memory so that requests
// can go on with them. Bounded by count, by bytes and by time: the oldest leave first. Each
// is one text of JSON, whose size is known.
import type { ChatMessage } from "../chat/messages.js";

export interface ResponseLimits {
  readonly responses: number;
  /** Of all of them in memory, two for each UTF-16 unit. */
  readonly bytes: number;
  /** Milliseconds that each is kept. */
  readonly keptMs: number;
}

/** As docs/openai.md says. */
export const usualResponseLimits: ResponseLimits = {
  responses: 1000,
  bytes: 64 * 2 ** 20,
  keptMs: 3_600_000,
};

export interface StoredResponse {
  readonly object: object;
  /** The conversation, its instructions left out, to this response's message. */
  readonly messages: readonly ChatMessage[];
}

interface Entry {
  readonly text: string;
  readonly until: number;
}

export class ResponseStore {
  readonly #limits: ResponseLimits;
  readonly #now: () => number;
  /** By id, oldest first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  /** @param now a clock in milliseconds */
  constructor(limits: ResponseLimits = usualResponseLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** One that is larger than all may be is not kept. */
  put(id: string, stored: StoredResponse): void {
    this.delete(id);
    const text = JSON.stringify(stored);
    if (bytesOf(text) > this.#limits.bytes) return;
    this.#entries.set(id, { text, until: this.#now() + this.#limits.keptMs });
    this.#bytes += bytesOf(text);
    this.#forget();
  }

  get(id: string): StoredResponse | undefined {
    this.#forget();
    const entry = this.#entries.get(id);
    return entry && (JSON.parse(entry.text) as StoredResponse);
  }

  /** @returns whether it was there */
  delete(id: string): boolean {
    this.#forget();
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#entries.delete(id);
    this.#bytes -= bytesOf(entry.text);
    return true;
  }

  #forget(): void {
    const now = this.#now();
    for (const [id, { text, until }] of this.#entries) {
      const fits = this.#entries.size <= this.#limits.responses && this.#bytes <= this.#limits.bytes;
      if (fits && until > now) return;
      this.#entries.delete(id);
      this.#bytes -= bytesOf(text);
    }
  }
}

function bytesOf(text: string): number {
  return text.length * 2;
}
