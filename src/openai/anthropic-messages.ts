// The messages of Anthropic's API as the engine's. A message there is a list of blocks, of which
// the results of tools are messages of their own here. Images, documents and blocks of tools
// that run at Anthropic are refused by path.
import { type ChatMessage, finalText, type TextPart } from "../chat/messages.js";
import type { PastToolCall } from "../chat/tools.js";
import { ApiError, wrongField } from "./api-error.js";
import { type Body, type OnUnknown, tellUnknown, textField } from "./fields.js";
import { contentOf, isObject } from "./messages.js";
import type { PlacedMessages } from "./responses-input.js";

/** A conversation whose last message may be the beginning of the answer. */
export interface ContinuedMessages extends PlacedMessages {
  readonly continuesFinal: boolean;
}

/** Fields of blocks that are read, by type; of the others none has an effect. */
const blockFields: Readonly<Record<string, readonly string[]>> = {
  text: ["text", "citations"],
  thinking: ["thinking", "signature"],
  redacted_thinking: ["data"],
  tool_use: ["id", "name", "input", "caller"],
  tool_result: ["tool_use_id", "content", "is_error"],
};

/** A line of a client that differs with each request, so that no prompts would begin alike. */
const attribution = "x-anthropic-billing-header";

/** @throws ApiError */
export function anthropicMessages(body: Body, onUnknown: OnUnknown): ContinuedMessages {
  const { messages: given } = body;
  if (!Array.isArray(given) || given.length === 0) throw wrongField("messages", "a list of messages");
  const reader = new BlockReader(onUnknown);
  const system = systemOf(body.system);
  if (system !== undefined) reader.add({ role: "system", content: system }, "system");
  for (const [index, message] of given.entries()) reader.take(message, `messages[${index}]`);
  return { messages: reader.messages, places: reader.places, continuesFinal: endsInAnswer(reader) };
}

/** Whether the last message is the beginning of the answer; an empty one is none, and is left out. */
function endsInAnswer({ messages, places }: BlockReader): boolean {
  const last = messages.at(-1);
  if (last?.role !== "assistant") return false;
  const place = places.at(-1) ?? "messages";
  const refuse = (param: string, problem: string) => {
    throw new ApiError(400, `${param} ${problem}`, { param, code: "invalid_value" });
  };
  if (last.toolCalls !== undefined)
    refuse(place, "must not end with a call of a tool; its result must follow in a message of the user's");
  const text = finalText(messages);
  if (text !== text.trimEnd())
    refuse(
      `${place}.content`,
      "must not end with white space in the last message, which the answer continues",
    );
  if (text !== "") return true;
  messages.pop();
  places.pop();
  return false;
}

/** Undefined where it says nothing. */
function systemOf(given: unknown): ChatMessage["content"] {
  const content = contentOf(given, "system");
  if (content === undefined || content.length === 0) return undefined;
  if (typeof content === "string") return content;
  const parts = content.filter(({ text }) => text !== "" && !text.startsWith(attribution));
  return parts.length === 0 ? undefined : parts;
}

class BlockReader implements PlacedMessages {
  readonly messages: ChatMessage[] = [];
  readonly places: string[] = [];
  readonly #onUnknown: OnUnknown;

  constructor(onUnknown: OnUnknown) {
    this.#onUnknown = onUnknown;
  }

  add(message: ChatMessage, place: string): void {
    this.messages.push(message);
    this.places.push(place);
  }

  take(given: unknown, path: string): void {
    if (!isObject(given)) throw wrongField(path, "a message of { role, content }");
    this.#tellUnknown(given, ["role", "content"], path);
    const { role, content } = given;
    if (role !== "user" && role !== "assistant" && role !== "system")
      throw wrongField(`${path}.role`, '"user" or "assistant"');
    if (typeof content === "string") this.add({ role, content }, path);
    else if (!Array.isArray(content) || content.length === 0)
      throw wrongField(`${path}.content`, "text or a list of blocks");
    else if (role === "assistant") this.#takeAnswer(content, path);
    else this.#takeBlocks(role, content, path);
  }

  #takeBlocks(role: string, content: readonly unknown[], path: string): void {
    let parts: TextPart[] = [];
    const endParts = () => {
      if (parts.length > 0) this.add({ role, content: parts }, path);
      parts = [];
    };
    for (const [index, block] of content.entries()) {
      const at = `${path}.content[${index}]`;
      if (role === "user" && isObject(block) && block.type === "tool_result") {
        endParts();
        this.#takeResult(block, at);
      } else parts.push(this.#textOf(block, at));
    }
    endParts();
  }

  #textOf(block: unknown, at: string): TextPart {
    if (isObject(block) && block.type === "text")
      this.#tellUnknown(block, ["type", ...(blockFields.text ?? [])], at);
    const [part] = contentOf([block], at.replace(/\[\d+\]$/, "")) as readonly TextPart[];
    if (part === undefined) throw wrongField(at, "a block of text");
    return part;
  }

  #takeResult(block: Body, at: string): void {
    this.#tellUnknown(block, ["type", ...(blockFields.tool_result ?? [])], at);
    const content = contentOf(block.content, `${at}.content`) ?? "";
    this.add({ role: "tool", content, toolCallId: requiredText(block, "tool_use_id", at) }, at);
  }

  #takeAnswer(blocks: readonly unknown[], path: string): void {
    const parts: TextPart[] = [];
    const toolCalls: PastToolCall[] = [];
    let reasoning = "";
    for (const [index, block] of blocks.entries()) {
      const at = `${path}.content[${index}]`;
      const type = isObject(block) ? block.type : undefined;
      if (!isObject(block) || type === "text") parts.push(this.#textOf(block, at));
      else if (type === "thinking") reasoning += requiredText(block, "thinking", at);
      else if (type === "tool_use") toolCalls.push(callOf(block, at));
      else if (type !== "redacted_thinking") parts.push(this.#textOf(block, at)); // which refuses it
      if (isObject(block)) this.#tellUnknown(block, ["type", ...(blockFields[String(type)] ?? [])], at);
    }
    const says = parts.length > 0 || toolCalls.length === 0;
    this.add(
      {
        role: "assistant",
        ...(says && { content: parts.length > 0 ? parts : "" }),
        ...(reasoning !== "" && { reasoning }),
        ...(toolCalls.length > 0 && { toolCalls }),
      },
      path,
    );
  }

  #tellUnknown(given: Body, known: readonly string[], path: string): void {
    const own = new Set([...known, "cache_control"]);
    tellUnknown(given, own, this.#onUnknown, (name) => `${path}.${name}`);
  }
}

function callOf(block: Body, at: string): PastToolCall {
  const input = block.input ?? {};
  if (!isObject(input)) throw wrongField(`${at}.input`, "an object");
  return { id: requiredText(block, "id", at), name: requiredText(block, "name", at), arguments: input };
}

function requiredText(given: Body, name: string, path: string): string {
  const text = textField(given, name, `${path}.${name}`);
  if (text === undefined) throw wrongField(`${path}.${name}`, "a string");
  return text;
}
