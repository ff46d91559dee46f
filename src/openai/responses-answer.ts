// A generation as the events of a response, numbered from 0; the last one holds the whole
// response, which is also the answer where no stream was asked for.
import type { ChatMessage } from "../chat/messages.js";
import type { DeltaEvent, EndEvent, Usage } from "../engine/events.js";
import { finishReason } from "./answer-parts.js";
import type { ApiError } from "./api-error.js";
import type { NamedEvent } from "./named-events.js";
import { type ItemStatus, keyOf, newItem, type OutputItem, saysSomething } from "./responses-items.js";
import type { Run, TextModel } from "./text-model.js";

/** What a response is, whatever becomes of it. */
export interface ResponseHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** Fields that repeat the request's. */
  readonly echo: Readonly<Record<string, unknown>>;
}

/** A response that has ended, and what it said as a message of its conversation. */
export interface EndedResponse {
  readonly object: object;
  readonly message: ChatMessage;
}

export class ResponseAnswer {
  readonly #model: TextModel;
  readonly #head: ResponseHead;
  readonly #items: OutputItem[] = [];
  readonly #spoken = new Spoken();
  #key: string | undefined;
  #sequence = 0;
  #reasoningTokens = 0;

  constructor(model: TextModel, head: ResponseHead) {
    this.#model = model;
    this.#head = head;
  }

  /** @param onEnd called before the last event */
  async *events(
    run: Run,
    onEnd: (ended: EndedResponse) => void,
  ): AsyncGenerator<NamedEvent, void, undefined> {
    let opened = false;
    for await (const event of run) {
      // Not before something came: a request that is refused begins no answer.
      if (!opened) yield* this.#numbered(this.#opening());
      opened = true;
      if (event.type === "end") yield* this.#numbered(this.#ending(event, run, onEnd));
      else if (event.type !== "choice-end" && event.type !== "prompt")
        yield* this.#numbered(this.#grown(event));
    }
  }

  /** The event that ends a stream which broke: of the response, or of the server. */
  failed(error: ApiError): NamedEvent {
    const { message, code, param, status } = error;
    const sequence_number = this.#sequence;
    if (status === 503) return { type: "error", code, message, param, sequence_number };
    const failure = { code: "server_error", message };
    return { type: "response.failed", response: this.#object("failed", { error: failure }), sequence_number };
  }

  *#numbered(events: Iterable<NamedEvent>): Generator<NamedEvent, void, undefined> {
    for (const event of events) {
      yield { ...event, sequence_number: this.#sequence };
      this.#sequence += 1;
    }
  }

  #opening(): readonly NamedEvent[] {
    const response = this.#object("in_progress");
    return [
      { type: "response.created", response },
      { type: "response.in_progress", response },
    ];
  }

  #grown(event: DeltaEvent): readonly NamedEvent[] {
    if (event.type === "reasoning-delta") this.#reasoningTokens += event.tokens.length;
    if (!saysSomething(event)) return [];
    this.#spoken.take(event);
    const key = keyOf(event);
    if (key === this.#key) return this.#items.at(-1)?.grow(event) ?? [];
    const before = this.#endItem("completed");
    const item = newItem(event, this.#items.length, this.#model);
    const begin = item.begin();
    this.#items.push(item);
    this.#key = key;
    return [...before, ...begin, ...item.grow(event)];
  }

  #endItem(status: ItemStatus): readonly NamedEvent[] {
    if (this.#key === undefined) return [];
    this.#key = undefined;
    return this.#items.at(-1)?.end(status) ?? [];
  }

  #ending(event: EndEvent, run: Run, onEnd: (ended: EndedResponse) => void): readonly NamedEvent[] {
    const status = finishReason(event.finishReason) === "length" ? "incomplete" : "completed";
    const last = this.#endItem(status);
    const object = this.#object(status, {
      ...(status === "incomplete" && { incomplete_details: { reason: "max_output_tokens" } }),
      usage: this.#usage(event.usage, run.repeated),
    });
    onEnd({ object, message: this.#spoken.message() });
    return [...last, { type: `response.${status}`, response: object }];
  }

  #usage(
    { promptTokens, completionTokens, cachedPromptTokens }: Usage,
    repeated: boolean | undefined,
  ): object {
    return {
      input_tokens: promptTokens,
      input_tokens_details: {
        cached_tokens: repeated ? promptTokens : cachedPromptTokens,
        cache_write_tokens: 0,
      },
      output_tokens: completionTokens,
      output_tokens_details: { reasoning_tokens: this.#reasoningTokens },
      total_tokens: promptTokens + completionTokens,
    };
  }

  #object(status: string, more: object = {}): object {
    const { id, createdAt, echo } = this.#head;
    return {
      id,
      created_at: createdAt,
      error: null,
      incomplete_details: null,
      model: this.#model.name,
      object: "response",
      output: this.#items.map((item) => item.object()),
      status,
      usage: null,
      ...echo,
      ...more,
    };
  }
}

/** What an answer said, as the assistant's message that goes on with its conversation. */
class Spoken {
  #text = "";
  #reasoning = "";
  readonly #calls = new Map<number, { readonly id: string; readonly name: string; arguments: string }>();

  take(event: DeltaEvent): void {
    if (event.type === "text-delta") this.#text += event.text;
    else if (event.type === "reasoning-delta") this.#reasoning += event.text;
    else {
      const { toolCallIndex, id, name } = event;
      const call = this.#calls.get(toolCallIndex) ?? { id, name, arguments: "" };
      call.arguments += event.arguments;
      this.#calls.set(toolCallIndex, call);
    }
  }

  message(): ChatMessage {
    const toolCalls = [...this.#calls.values()];
    const saysText = this.#text !== "" || toolCalls.length === 0;
    return {
      role: "assistant",
      ...(saysText && { content: this.#text }),
      ...(this.#reasoning !== "" && { reasoning: this.#reasoning }),
      ...(toolCalls.length > 0 && { toolCalls }),
    };
  }
}
