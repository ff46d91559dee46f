// A body's messages as the engine's. Every assistant message that OpenAI, vLLM, their
// clients and this server produce is accepted: fields without text or calls are
// ignored, the others are in the prompt or refused by their path.
import type { ChatMessage, TextPart } from "../chat/messages.js";
import type { PastToolCall } from "../chat/tools.js";
import { ApiError, wrongField } from "./api-error.js";
import { type Body, type OnUnknown, tellUnknown, textField } from "./fields.js";

/** Fields that are read here, and fields of answers that say nothing to the model. */
const messageFields: ReadonlySet<string> = new Set([
  "role",
  "content",
  "name",
  "tool_calls",
  "tool_call_id",
  "reasoning",
  "reasoning_content",
  "refusal",
  "audio",
  "function_call",
  "annotations",
  "parsed",
]);

/** @throws ApiError */
export function messagesOf(given: unknown, onUnknown: OnUnknown): readonly ChatMessage[] {
  if (!Array.isArray(given) || given.length === 0) throw wrongField("messages", "a list of messages");
  return given.map((message, index) => messageOf(message, `messages[${index}]`, onUnknown));
}

/** Whether a value is an object, and no list. */
export function isObject(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param path of the message in its body @throws ApiError */
export function messageOf(given: unknown, path: string, onUnknown: OnUnknown): ChatMessage {
  if (!isObject(given)) throw wrongField(path, "a message of { role, content }");
  tellUnknown(given, messageFields, onUnknown, (name) => `${path}.${name}`);
  const text = (name: string) => textField(given, name, `${path}.${name}`);
  const calls = callsOf(given, path);
  const content = spokenOf(given, path);
  if (content === undefined && given.role !== "assistant") {
    throw wrongField(`${path}.content`, "text or a list of parts");
  }
  const name = text("name");
  const toolCallId = text("tool_call_id");
  const reasoning = text("reasoning") ?? text("reasoning_content");
  return {
    role: given.role as string,
    ...(content !== undefined && { content }),
    ...(content === undefined && calls.length === 0 && { content: "" }),
    ...(calls.length > 0 && { toolCalls: calls }),
    ...(name !== undefined && { name }),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(reasoning !== undefined && { reasoning }),
  };
}

/** The content; a refusal and the transcript of a spoken answer are content too. */
function spokenOf(message: Body, path: string): ChatMessage["content"] {
  const content = contentOf(message.content, `${path}.content`);
  const others = [textField(message, "refusal", `${path}.refusal`), transcriptOf(message.audio, path)];
  if (!others.some(Boolean)) return content;
  const parts = [...(typeof content === "object" ? content : [textPart(content)]), ...others.map(textPart)];
  return parts.filter(({ text }) => text !== "");
}

function textPart(text = ""): TextPart {
  return { type: "text", text };
}

function transcriptOf(audio: unknown, path: string): string | undefined {
  if (audio === undefined || audio === null) return undefined;
  const transcript = isObject(audio) ? audio.transcript : undefined;
  if (typeof transcript === "string") return transcript;
  throw new ApiError(400, `${path}.audio is not supported without its transcript`, {
    param: `${path}.audio`,
    code: "unsupported_value",
  });
}

/** @throws ApiError for parts that are not text */
export function contentOf(given: unknown, path: string): ChatMessage["content"] {
  if (given === undefined || given === null || typeof given === "string") return given ?? undefined;
  if (!Array.isArray(given)) throw wrongField(path, "text or a list of parts");
  return given.map((part: unknown, index) => partOf(part, `${path}[${index}]`));
}

/** Types of parts that are text, and the field that holds the text. */
const textParts: ReadonlyMap<unknown, string> = new Map([
  ["text", "text"],
  ["input_text", "text"],
  ["output_text", "text"],
  ["refusal", "refusal"],
]);

function partOf(part: unknown, path: string): TextPart {
  if (typeof part === "string") return textPart(part);
  const { type, ...fields } = isObject(part) ? part : { type: undefined };
  const held = textParts.get(type);
  if (held === undefined) {
    throw new ApiError(400, `${path} is of type ${JSON.stringify(type)}, only text is supported`, {
      param: `${path}.type`,
      code: "unsupported_value",
    });
  }
  const text = textField(fields, held, `${path}.${held}`);
  if (text === undefined) throw wrongField(`${path}.${held}`, "a string");
  return textPart(text);
}

function callsOf({ tool_calls: given, function_call: older }: Body, path: string): readonly PastToolCall[] {
  if (given !== undefined && given !== null && !Array.isArray(given)) {
    throw wrongField(`${path}.tool_calls`, "a list");
  }
  const calls = (given ?? []).map((call: unknown, index: number) =>
    callOf(call, `${path}.tool_calls[${index}]`),
  );
  if (older === undefined || older === null) return calls;
  return [...calls, calledOf(older, `${path}.function_call`)];
}

function callOf(call: unknown, path: string): PastToolCall {
  if (!isObject(call)) throw wrongField(path, 'a call of { id, type: "function", function }');
  const id = textField(call, "id", `${path}.id`);
  const called =
    call.type === "custom"
      ? calledOf(call.custom, `${path}.custom`)
      : calledOf(call.function, `${path}.function`);
  return { ...(id !== undefined && { id }), ...called };
}

/** A call's name and arguments; the arguments may be any text that the model wrote. @throws ApiError */
export function calledOf(given: unknown, path: string): PastToolCall {
  if (!isObject(given)) throw wrongField(path, "an object of { name, arguments }");
  const name = textField(given, "name", `${path}.name`);
  if (name === undefined) throw wrongField(`${path}.name`, "a string");
  const text = given.arguments ?? given.input ?? "";
  if (typeof text !== "string" && !isObject(text)) throw wrongField(`${path}.arguments`, "a string");
  return { name, arguments: text };
}
