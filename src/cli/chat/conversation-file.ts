// Conversations as files: JSON of { model, messages }, where messages are what
// engine.generate() takes. Whatever else such a path holds is never overwritten.
import { chmod, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { ChatMessage } from "../../index.js";
import { messageOfThrown } from "../../thrown.js";
import { refusal } from "../terminal.js";

const onlyOwner = 0o600;

/** A path as it is typed in a chat, where no shell has read it: quotes and ~ are understood. */
export function typedPath(text: string): string {
  const bare = text.replace(/^(["'])(.*)\1$/, "$2");
  return resolve(bare === "~" || bare.startsWith("~/") ? join(homedir(), bare.slice(1)) : bare);
}

/**
 * Writes a conversation, readable for its owner alone.
 * @throws InferenceError (rejects) INVALID_OPTION that tells why not
 */
export async function saveConversation(
  path: string,
  model: string,
  messages: readonly ChatMessage[],
): Promise<void> {
  await refuseOther(path);
  const partial = `${path}.${process.pid}.partial`;
  try {
    await writeFile(partial, `${JSON.stringify({ model, messages }, null, 2)}\n`, { mode: onlyOwner });
    await chmod(partial, onlyOwner);
    await rename(partial, path);
  } catch (thrown) {
    await rm(partial, { force: true });
    throw refusal(`the conversation cannot be saved: ${messageOfThrown(thrown)}`);
  }
}

async function refuseOther(path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw refusal(`${path} cannot be replaced: ${error.message}`);
  });
  if (text === undefined || messagesIn(text) !== undefined) return;
  throw refusal(`${path} exists and is no saved conversation; choose another name`);
}

/**
 * Reads the messages of a conversation: of a file that /save wrote, or a plain list of messages.
 * @throws InferenceError (rejects) INVALID_OPTION that tells why not
 */
export async function loadConversation(path: string): Promise<readonly ChatMessage[]> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw refusal(`the conversation cannot be loaded: ${messageOfThrown(error)}`);
  });
  const messages = messagesIn(text);
  if (messages !== undefined) return messages;
  throw refusal(`${path} is no saved conversation: it must be JSON with messages of { role, content }`);
}

function messagesIn(text: string): readonly ChatMessage[] | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const messages = Array.isArray(json) ? json : (json as { messages?: unknown } | null)?.messages;
  if (!Array.isArray(messages) || messages.length === 0) return undefined;
  return messages.every(isMessage) ? messages : undefined;
}

/** Enough to tell a conversation from other JSON; the engine judges the rest. */
function isMessage(value: unknown): value is ChatMessage {
  if (typeof value !== "object" || value === null) return false;
  const { role, content } = value as Partial<ChatMessage>;
  const hasText = typeof content === "string" || Array.isArray(content);
  return typeof role === "string" && (hasText || "toolCalls" in value);
}
