// A generation as the events of Anthropic's stream, and the message that they make.
import { createHash, randomBytes } from "node:crypto";
import type { DeltaEvent, EndEvent } from "../engine/events.js";
import type { GenerateRequest } from "../engine/generate-request.js";
import { bytesText, finishReason } from "./answer-parts.js";
import { type ApiError, anthropicType } from "./api-error.js";
import type { NamedEvent } from "./named-events.js";
import { keyOf } from "./responses-items.js";
import type { Run, TextModel } from "./text-model.js";

/** A block of content under way. */
interface Block {
  readonly type: "text" | "thinking" | "tool_use";
  /** What an event starts the block with. */
  readonly start: object;
  /** Text, thoughts, or a call's JSON. */
  said: string;
}

/** Longest stop string in bytes: as many tokens can hold one. */
const mostStopTokens = 256;

export class MessageAnswer {
  readonly #model: TextModel;
  readonly #stops: readonly string[];
  readonly #id: string;
  readonly #blocks: Block[] = [];
  /** The last tokens: where a stop string ended the text, they hold it. */
  #tokens: number[] = [];
  #key: string | undefined;
  #message: object | undefined;

  /** @param request whose stop strings may end the text */
  constructor(model: TextModel, { stop = [] }: GenerateRequest) {
    this.#model = model;
    this.#stops = typeof stop === "string" ? [stop] : stop;
    this.#id = model.answerId ?? `msg_${randomBytes(16).toString("hex")}`;
  }

  /** The whole message, once its events are over. */
  get message(): object {
    if (this.#message === undefined) throw new Error("a generation ended without its end");
    return this.#message;
  }

  async *events(
    run: Run,
    promptTokens: number | Promise<number>,
  ): AsyncGenerator<NamedEvent, void, undefined> {
    let opened = false;
    for await (const event of run) {
      // Not before something came: a request that is refused begins no answer.
      if (!opened) yield this.#start(await promptTokens);
      opened = true;
      if (event.type === "end") yield* this.#ending(event);
      else if (event.type !== "choice-end" && event.type !== "prompt") yield* this.#grown(event);
    }
  }

  /** The event that ends a stream which broke. */
  failed(error: ApiError): NamedEvent {
    return { type: "error", error: { type: anthropicType(error), message: error.message } };
  }

  #start(input_tokens: number): NamedEvent {
    const usage = { input_tokens, output_tokens: 0 };
    const message = { ...this.#head([]), stop_reason: null, stop_sequence: null, usage };
    return { type: "message_start", message };
  }

  #head(content: readonly object[]) {
    return { id: this.#id, type: "message", role: "assistant", content, model: this.#model.name };
  }

  *#grown(event: DeltaEvent): Generator<NamedEvent, void, undefined> {
    if (this.#stops.length > 0) this.#tokens = [...this.#tokens, ...event.tokens].slice(-mostStopTokens);
    const said = event.type === "tool-call-delta" ? event.arguments : event.text;
    if (said === "" && event.type !== "tool-call-delta") return;
    const key = keyOf(event);
    if (key !== this.#key) {
      yield* this.#endBlock();
      const block = newBlock(event);
      this.#blocks.push(block);
      this.#key = key;
      yield { type: "content_block_start", content_block: block.start, index: this.#index };
    }
    const block = this.#blocks.at(-1);
    if (said === "" || block === undefined) return;
    block.said += said;
    yield { type: "content_block_delta", delta: deltaOf(block.type, said), index: this.#index };
  }

  get #index(): number {
    return this.#blocks.length - 1;
  }

  *#endBlock(): Generator<NamedEvent, void, undefined> {
    const block = this.#blocks.at(-1);
    if (block === undefined || this.#key === undefined) return;
    this.#key = undefined;
    const index = this.#index;
    if (block.type === "thinking") {
      const delta = { type: "signature_delta", signature: signatureOf(block.said) };
      yield { type: "content_block_delta", delta, index };
    }
    yield { type: "content_block_stop", index };
  }

  *#ending({ finishReason: reason, usage }: EndEvent): Generator<NamedEvent, void, undefined> {
    const why = finishReason(reason);
    yield* this.#endBlock();
    const stop_sequence = why === "stop" ? this.#stopString() : null;
    const reasons = {
      stop: stop_sequence === null ? "end_turn" : "stop_sequence",
      length: "max_tokens",
      tool_calls: "tool_use",
    };
    const delta = { stop_reason: reasons[why], stop_sequence };
    const told = { input_tokens: usage.promptTokens, output_tokens: usage.completionTokens };
    this.#message = { ...this.#head(this.#blocks.map(contentOf)), ...delta, usage: told };
    yield { type: "message_delta", delta, usage: told };
    yield { type: "message_stop" };
  }

  /** The stop string that ended the text, which is not in it. */
  #stopString(): string | null {
    if (this.#stops.length === 0) return null;
    const last = bytesText(Buffer.concat(this.#tokens.map((token) => this.#model.tokenBytes(token))));
    const found = this.#stops
      .map((stop) => [last.lastIndexOf(stop), stop] as const)
      .filter(([at]) => at >= 0);
    return found.sort(([a], [b]) => b - a)[0]?.[1] ?? null;
  }
}

function newBlock(event: DeltaEvent): Block {
  switch (event.type) {
    case "text-delta":
      return { type: "text", start: { type: "text", text: "" }, said: "" };
    case "reasoning-delta":
      return { type: "thinking", start: { type: "thinking", thinking: "", signature: "" }, said: "" };
    case "tool-call-delta": {
      const { id, name } = event;
      return { type: "tool_use", start: { type: "tool_use", id, name, input: {} }, said: "" };
    }
  }
}

function deltaOf(type: Block["type"], said: string): object {
  if (type === "text") return { type: "text_delta", text: said };
  if (type === "thinking") return { type: "thinking_delta", thinking: said };
  return { type: "input_json_delta", partial_json: said };
}

function contentOf({ type, start, said }: Block): object {
  if (type === "text") return { type, text: said };
  if (type === "thinking") return { type, thinking: said, signature: signatureOf(said) };
  return { ...start, input: inputOf(said) };
}

/** Anthropic's form for input that is no JSON, such as that of a call which was cut off. */
function inputOf(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return { INVALID_JSON: text };
  }
}

/** Clients send a thought back with its signature only; nothing looks at it here. */
function signatureOf(thought: string): string {
  return createHash("sha256").update(thought).digest("base64url");
}
