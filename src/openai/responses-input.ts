// A Responses body's input as messages: text, or a list of items. Items that one answer was
// made of (reasoning, text, function calls) become one assistant message again, so that the
// prompt is what the model has seen. Items of hosted tools, images and files are refused by path.
import type { ChatMessage } from "../chat/messages.js";
import type { PastToolCall } from "../chat/tools.js";
import { ApiError, wrongField } from "./api-error.js";
import { type Body, type OnUnknown, tellUnknown, textField } from "./fields.js";
import { calledOf, contentOf, isObject, messageOf } from "./messages.js";

/** Messages, and the path in the body that each one was read from. */
export interface PlacedMessages {
  readonly messages: readonly ChatMessage[];
  readonly places: readonly string[];
}

/** A conversation whose last message may be the beginning of the answer. */
export interface InputMessages extends PlacedMessages {
  readonly continuesFinal: boolean;
}

/** What an item has beside what it says. */
const itemFields = ["type", "id", "status"] as const;
const callFields: ReadonlySet<string> = new Set([...itemFields, "call_id", "name", "arguments"]);
const outputFields: ReadonlySet<string> = new Set([...itemFields, "call_id", "output"]);
const thoughtFields: ReadonlySet<string> = new Set([
  ...itemFields,
  "summary",
  "content",
  "encrypted_content",
]);

/** @throws ApiError */
export function inputMessages(given: unknown, onUnknown: OnUnknown): InputMessages {
  if (typeof given === "string") {
    const messages = [{ role: "user", content: given }];
    return { messages, places: ["input"], continuesFinal: false };
  }
  if (!Array.isArray(given) || given.length === 0) throw wrongField("input", "text or a list of items");
  const reader = new ItemReader(onUnknown);
  for (const [index, item] of given.entries()) reader.take(item, `input[${index}]`);
  const continuesFinal = isUnended(given.at(-1), `input[${given.length - 1}]`);
  return { ...reader.end(), continuesFinal };
}

/** As in vLLM, an answer that its client calls unended is continued. */
function isUnended(last: unknown, path: string): boolean {
  const { type = "message", role, status } = last as Body;
  if (type !== "message" && type !== "reasoning") return false;
  if (status !== "in_progress" && status !== "incomplete") return false;
  if (type === "message" && role === "assistant") return true;
  throw new ApiError(
    400,
    `${path}.status "${status}" is not supported in the last item, unless it is a message of the assistant's`,
    { param: `${path}.status`, code: "unsupported_value" },
  );
}

/** An assistant's turn as far as its items were read. */
interface Turn {
  readonly place: string;
  readonly calls: PastToolCall[];
  reasoning?: string;
  content?: ChatMessage["content"];
}

class ItemReader {
  readonly #onUnknown: OnUnknown;
  readonly #messages: ChatMessage[] = [];
  readonly #places: string[] = [];
  #turn: Turn | undefined;

  constructor(onUnknown: OnUnknown) {
    this.#onUnknown = onUnknown;
  }

  take(item: unknown, path: string): void {
    if (!isObject(item)) throw wrongField(path, "an item such as { role, content }");
    const { type = "message" } = item;
    if (type === "message") this.#takeMessage(item, path);
    else if (type === "function_call") this.#takeCall(item, path);
    else if (type === "function_call_output") this.#takeOutput(item, path);
    else if (type === "reasoning") this.#takeThought(item, path);
    else throw refusedType(type, path);
  }

  end(): PlacedMessages {
    this.#endTurn();
    return { messages: this.#messages, places: this.#places };
  }

  #takeMessage(item: Body, path: string): void {
    const { type: _type, id: _id, status: _status, phase: _phase, ...said } = item;
    const message = messageOf(said, path, this.#onUnknown);
    if (message.role !== "assistant") this.#add(message, path);
    else if (message.content === undefined || message.toolCalls !== undefined) {
      throw wrongField(`${path}.content`, "text or a list of parts; calls are items of their own");
    } else this.#turnBefore("content", path).content = message.content;
  }

  #takeCall(item: Body, path: string): void {
    this.#tellUnknown(item, callFields, path);
    const id = requiredText(item, "call_id", path);
    this.#turnBefore("call", path).calls.push({ id, ...calledOf(item, path) });
  }

  #takeOutput(item: Body, path: string): void {
    this.#tellUnknown(item, outputFields, path);
    const content = contentOf(item.output, `${path}.output`);
    if (content === undefined) throw wrongField(`${path}.output`, "text or a list of parts");
    this.#add({ role: "tool", content, toolCallId: requiredText(item, "call_id", path) }, path);
  }

  #takeThought(item: Body, path: string): void {
    this.#tellUnknown(item, thoughtFields, path);
    const texts = [...textsOf(item, "content", path)];
    const thought = (texts.length > 0 ? texts : textsOf(item, "summary", path)).join("\n");
    if (thought === "" && item.encrypted_content !== undefined && item.encrypted_content !== null) {
      throw new ApiError(400, `${path}.encrypted_content is not supported; send the item's content`, {
        param: `${path}.encrypted_content`,
        code: "unsupported_parameter",
      });
    }
    this.#turnBefore("reasoning", path).reasoning = thought;
  }

  /** The turn that this part belongs to: an answer thinks, speaks and calls, in that order. */
  #turnBefore(part: "reasoning" | "content" | "call", path: string): Turn {
    const { reasoning, content, calls = [] } = this.#turn ?? {};
    const isLater =
      part !== "call" && (content !== undefined || calls.length > 0 || (part === "reasoning" && reasoning));
    if (isLater) this.#endTurn();
    this.#turn ??= { place: path, calls: [] };
    return this.#turn;
  }

  #add(message: ChatMessage, path: string): void {
    this.#endTurn();
    this.#messages.push(message);
    this.#places.push(path);
  }

  #endTurn(): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    this.#turn = undefined;
    this.#add(
      {
        role: "assistant",
        ...(turn.content !== undefined && { content: turn.content }),
        ...(turn.content === undefined && turn.calls.length === 0 && { content: "" }),
        ...(turn.reasoning !== undefined && { reasoning: turn.reasoning }),
        ...(turn.calls.length > 0 && { toolCalls: turn.calls }),
      },
      turn.place,
    );
  }

  #tellUnknown(item: Body, known: ReadonlySet<string>, path: string): void {
    tellUnknown(item, known, this.#onUnknown, (name) => `${path}.${name}`);
  }
}

function requiredText(item: Body, name: string, path: string): string {
  const text = textField(item, name, `${path}.${name}`);
  if (text === undefined) throw wrongField(`${path}.${name}`, "a string");
  return text;
}

/** Of a list of { type, text }. */
function textsOf(item: Body, name: string, path: string): readonly string[] {
  const given = item[name] ?? [];
  if (!Array.isArray(given)) throw wrongField(`${path}.${name}`, "a list of { type, text }");
  return given.map((part: unknown, index) => {
    if (isObject(part) && typeof part.text === "string") return part.text;
    throw wrongField(`${path}.${name}[${index}].text`, "a string");
  });
}

function refusedType(type: unknown, path: string): ApiError {
  const supported = '"message", "function_call", "function_call_output" and "reasoning"';
  return new ApiError(400, `${path} is of type ${JSON.stringify(type)}; supported are ${supported}`, {
    param: `${path}.type`,
    code: "unsupported_value",
  });
}
