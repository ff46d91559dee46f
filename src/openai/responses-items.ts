// The items that a response's output is made of, each as it begins, grows and ends: a message,
// a thought, a function's call. They give events without sequence numbers.
import { randomBytes } from "node:crypto";
import type { DeltaEvent, GeneratedLogProb } from "../engine/events.js";
import { chatLogProbs } from "./answer-parts.js";
import type { NamedEvent } from "./named-events.js";
import { tokenName } from "./shown.js";
import type { TextModel } from "./text-model.js";

/** How an item ended. */
export type ItemStatus = "completed" | "incomplete";

/** An item under way. */
export interface OutputItem {
  begin(): readonly NamedEvent[];
  grow(event: DeltaEvent): readonly NamedEvent[];
  /** Once; object() is whole then. */
  end(status: ItemStatus): readonly NamedEvent[];
  object(): object;
}

/** What a delta is a part of: deltas of the same key that follow each other are one item. */
export function keyOf(event: DeltaEvent): string {
  return event.type === "tool-call-delta" ? `call ${event.toolCallIndex}` : event.type;
}

/** Whether a delta says anything. */
export function saysSomething(event: DeltaEvent): boolean {
  return event.type === "tool-call-delta" || event.text !== "" || (event.logProbs?.length ?? 0) > 0;
}

/** @param index of the item in the output */
export function newItem(event: DeltaEvent, index: number, model: TextModel): OutputItem {
  if (event.type === "text-delta") return new MessageItem(index, model);
  if (event.type === "reasoning-delta") return new ThoughtItem(index);
  return new CallItem(index, event.id, event.name);
}

function newId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString("hex")}`;
}

/** A part of a message or a thought; there is one in each. */
class MessageItem implements OutputItem {
  readonly #id = newId("msg");
  readonly #at: object;
  readonly #index: number;
  readonly #model: TextModel;
  readonly #logProbs: object[] = [];
  #tellsLogProbs = false;
  #text = "";
  #status: ItemStatus | "in_progress" = "in_progress";

  constructor(index: number, model: TextModel) {
    this.#index = index;
    this.#model = model;
    this.#at = { item_id: this.#id, output_index: index, content_index: 0 };
  }

  begin(): readonly NamedEvent[] {
    const part = { type: "output_text", text: "", annotations: [], logprobs: [] };
    return [
      added(this.#index, { ...this.object(), content: [] }),
      { type: "response.content_part.added", ...this.#at, part },
    ];
  }

  grow(event: DeltaEvent): readonly NamedEvent[] {
    if (event.type !== "text-delta") throw new Error("a message grows by text");
    this.#text += event.text;
    const logprobs = this.#logProbsOf(event.logProbs);
    return [{ type: "response.output_text.delta", ...this.#at, delta: event.text, logprobs }];
  }

  #logProbsOf(given: readonly GeneratedLogProb[] | undefined): readonly object[] {
    const told = chatLogProbs(this.#model, given, tokenName(this.#model)) as {
      readonly content: readonly object[];
    } | null;
    if (told === null) return [];
    this.#tellsLogProbs = true;
    this.#logProbs.push(...told.content);
    return told.content;
  }

  end(status: ItemStatus): readonly NamedEvent[] {
    this.#status = status;
    return [
      { type: "response.output_text.done", ...this.#at, text: this.#text, logprobs: this.#logProbs },
      { type: "response.content_part.done", ...this.#at, part: this.#part() },
      done(this.#index, this.object()),
    ];
  }

  #part(): object {
    const logprobs = this.#tellsLogProbs ? this.#logProbs : null;
    return { annotations: [], text: this.#text, type: "output_text", logprobs };
  }

  object(): object {
    const content = [this.#part()];
    return { id: this.#id, content, role: "assistant", status: this.#status, type: "message", phase: null };
  }
}

class ThoughtItem implements OutputItem {
  readonly #id = newId("rs");
  readonly #at: object;
  readonly #index: number;
  #text = "";
  #status: ItemStatus | "in_progress" = "in_progress";

  constructor(index: number) {
    this.#index = index;
    this.#at = { item_id: this.#id, output_index: index, content_index: 0 };
  }

  begin(): readonly NamedEvent[] {
    const part = { type: "reasoning_text", text: "" };
    return [
      added(this.#index, { ...this.object(), content: [] }),
      { type: "response.content_part.added", ...this.#at, part },
    ];
  }

  grow(event: DeltaEvent): readonly NamedEvent[] {
    if (event.type !== "reasoning-delta") throw new Error("a thought grows by thoughts");
    this.#text += event.text;
    return [{ type: "response.reasoning_text.delta", ...this.#at, delta: event.text }];
  }

  end(status: ItemStatus): readonly NamedEvent[] {
    this.#status = status;
    const part = { text: this.#text, type: "reasoning_text" };
    return [
      { type: "response.reasoning_text.done", ...this.#at, text: this.#text },
      { type: "response.content_part.done", ...this.#at, part },
      done(this.#index, this.object()),
    ];
  }

  object(): object {
    const content = [{ text: this.#text, type: "reasoning_text" }];
    const whole = { id: this.#id, summary: [], type: "reasoning", content };
    return { ...whole, encrypted_content: null, status: this.#status };
  }
}

class CallItem implements OutputItem {
  readonly #id = newId("fc");
  readonly #at: object;
  readonly #index: number;
  readonly #callId: string;
  readonly #name: string;
  #arguments = "";
  #status: ItemStatus | "in_progress" = "in_progress";

  constructor(index: number, callId: string, name: string) {
    this.#index = index;
    this.#callId = callId;
    this.#name = name;
    this.#at = { item_id: this.#id, output_index: index };
  }

  begin(): readonly NamedEvent[] {
    return [added(this.#index, this.object())];
  }

  grow(event: DeltaEvent): readonly NamedEvent[] {
    if (event.type !== "tool-call-delta") throw new Error("a call grows by arguments");
    if (event.arguments === "") return [];
    this.#arguments += event.arguments;
    return [{ type: "response.function_call_arguments.delta", ...this.#at, delta: event.arguments }];
  }

  end(status: ItemStatus): readonly NamedEvent[] {
    this.#status = status;
    const whole = { ...this.#at, name: this.#name, arguments: this.#arguments };
    return [{ type: "response.function_call_arguments.done", ...whole }, done(this.#index, this.object())];
  }

  object(): object {
    const called = { call_id: this.#callId, name: this.#name, arguments: this.#arguments };
    return { id: this.#id, type: "function_call", ...called, status: this.#status };
  }
}

function added(index: number, item: object): NamedEvent {
  return { type: "response.output_item.added", output_index: index, item };
}

function done(index: number, item: object): NamedEvent {
  return { type: "response.output_item.done", output_index: index, item };
}
