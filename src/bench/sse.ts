// A streamed answer of OpenAI's API, from its bytes to what a benchmark needs of it. Every event
// that carries text is told with the time at which its bytes came, before they were parsed.
import { createParser } from "eventsource-parser";
import type { AskUsage, Progress } from "./record.js";

/** What an answer said in the end. */
export interface StreamEnd {
  readonly text: string;
  readonly usage: AskUsage | null;
  readonly finishReason: string | null;
  /** Whether the server ended the stream as the API wants it. */
  readonly isComplete: boolean;
  /** Whether the last event of all came. */
  readonly isDone: boolean;
  /** An error object inside the stream, or text that is no event of the API. */
  readonly problem: string | null;
}

/** The fields that are read; servers send more. */
interface ChunkFields {
  readonly choices?: readonly {
    readonly text?: string | null;
    readonly delta?: {
      readonly content?: string | null;
      readonly reasoning_content?: string | null;
      readonly reasoning?: string | null;
    };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens?: number;
    readonly completion_tokens?: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number | null } | null;
  } | null;
  readonly error?: { readonly message?: string } | string | null;
}

/** Reads one answer. */
export class AnswerStream {
  readonly #progress: Progress;
  readonly #decoder = new TextDecoder();
  readonly #parser = createParser({ onEvent: ({ data }) => this.#event(data) });
  #unread: { readonly bytes: Uint8Array; readonly atMs: number }[] = [];
  #atMs = 0;
  #text = "";
  #usage: AskUsage | null = null;
  #finishReason: string | null = null;
  #done = false;
  #problem: string | null = null;

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  /**
   * Bytes are parsed when every connection that has some was stamped: parsing one answer first
   * would delay the time stamps of all others that came with it.
   * @param atMs when the bytes came
   */
  feed(bytes: Uint8Array, atMs: number): void {
    if (this.#unread.length === 0) setImmediate(() => this.#read());
    this.#unread.push({ bytes, atMs });
  }

  end(): StreamEnd {
    this.#read();
    return {
      text: this.#text,
      usage: this.#usage,
      finishReason: this.#finishReason,
      isDone: this.#done,
      isComplete: this.#done || this.#finishReason !== null,
      problem: this.#problem,
    };
  }

  #read(): void {
    const unread = this.#unread;
    this.#unread = [];
    for (const { bytes, atMs } of unread) {
      this.#atMs = atMs;
      this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    }
  }

  #event(data: string): void {
    if (data.trim() === "[DONE]") {
      this.#done = true;
      return;
    }
    const chunk = parsed(data);
    if (chunk === undefined) {
      this.#problem ??= `the stream has an event that is no JSON object: ${data.slice(0, 80)}`;
      return;
    }
    const { choices, usage, error } = chunk;
    if (error) this.#problem ??= typeof error === "string" ? error : (error.message ?? JSON.stringify(error));
    const [choice] = choices ?? [];
    const { content, reasoning_content, reasoning } = choice?.delta ?? {};
    const text = [choice?.text, reasoning_content ?? reasoning, content].join("");
    if (text !== "") this.#progress.arrived(this.#atMs, null);
    this.#text += text;
    this.#finishReason = choice?.finish_reason ?? this.#finishReason;
    if (usage) this.#usage = usageOf(usage);
  }
}

/** Counts as the API's usage objects have them. */
export function usageOf(usage: NonNullable<ChunkFields["usage"]>): AskUsage {
  return {
    promptTokens: usage.prompt_tokens ?? 0,
    cachedPromptTokens: usage.prompt_tokens_details?.cached_tokens ?? null,
    completionTokens: usage.completion_tokens ?? 0,
  };
}

function parsed(data: string): ChunkFields | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
