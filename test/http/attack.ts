// One attack on a server: what is sent, and what must be answered. The tables are attacks-*.ts.
import { call, json, type Reply } from "./scene.js";

/** Where an attack goes: a server of the embedded model, in a process of its own. */
export interface Target {
  readonly url: string;
  readonly port: number;
}

export interface Attack {
  /** Number in the list of attacks that any server of models must survive. */
  readonly entry: number;
  readonly name: string;
  readonly work: (target: Target) => Promise<Pick<Reply, "status" | "text">>;
  readonly status: number;
  /** In the answer: a code, or words of its sentence. */
  readonly says?: string | RegExp;
}

type Expected = readonly [status: Attack["status"], says?: Attack["says"]];

/** The text of a body; a function where it is long. */
type Body = string | Buffer | (() => string | Buffer);

/** A request to a path, as it is written here. */
export function sends(
  entry: number,
  name: string,
  [method, path, body, headers = {}]: readonly [
    string,
    string,
    (Body | undefined)?,
    Readonly<Record<string, string>>?,
  ],
  [status, says]: Expected,
): Attack {
  const work = ({ url }: Target) =>
    call(url + path, method, typeof body === "function" ? body() : body, { ...json, ...headers });
  return { entry, name, work, status, ...(says !== undefined && { says }) };
}

/** Fields, as JSON text, beside a completion's prompt. */
export function completes(entry: number, fields: string | (() => string), expected: Expected): Attack {
  const text = () => (typeof fields === "function" ? fields() : fields);
  const body = () => `{"prompt":"Once","max_tokens":1,${text()}}`;
  return sends(entry, shortened(text()), ["POST", "/v1/completions", body], expected);
}

/** Fields, as JSON text, beside a conversation. */
export function chats(entry: number, fields: string | (() => string), expected: Expected): Attack {
  const text = () => (typeof fields === "function" ? fields() : fields);
  const body = () => `{"messages":[{"role":"user","content":"Hi"}],"max_tokens":4,${text()}}`;
  return sends(entry, shortened(text()), ["POST", "/v1/chat/completions", body], expected);
}

/** A conversation of one message, as JSON text. */
export function says(entry: number, message: string, expected: Expected): Attack {
  const body = `{"messages":[${message}],"max_tokens":1}`;
  return sends(entry, shortened(message), ["POST", "/v1/chat/completions", body], expected);
}

/** A prompt, as JSON text. */
export function prompts(entry: number, prompt: string | (() => string), expected: Expected): Attack {
  const text = () => (typeof prompt === "function" ? prompt() : prompt);
  const body = () => `{"prompt":${text()},"max_tokens":1}`;
  return sends(entry, shortened(text()), ["POST", "/v1/completions", body], expected);
}

/** An answer that a JSON schema is to bind. */
export function binds(entry: number, schema: string | (() => string), expected: Expected): Attack {
  const text = () => (typeof schema === "function" ? schema() : schema);
  const format = () =>
    `"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":${text()}}}`;
  const { work, ...rest } = chats(entry, format, expected);
  return { ...rest, name: shortened(text()), work };
}

export function shortened(text: string): string {
  return text.length > 70 ? `${text.slice(0, 60)}… (${text.length} characters)` : text;
}

/** As many items, joined by commas. */
export function list(count: number, item: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => item(index)).join(",");
}
