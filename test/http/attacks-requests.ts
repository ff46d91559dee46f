// Attacks by bodies, headers, addresses and sockets: entries 1 to 17.
import { once } from "node:events";
import net from "node:net";
import { type Attack, completes, sends, type Target } from "./attack.js";

const chat = '{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1}';
const at = (body: string | Buffer | (() => string | Buffer), headers = {}) =>
  ["POST", "/v1/chat/completions", body, headers] as const;

/** What the server says to a socket until it closes it, or has said enough. */
export async function spoken(
  port: number,
  sent: readonly string[],
  isEnough: (text: string) => boolean = () => false,
): Promise<{ status: number; text: string }> {
  const socket = net.connect(port, "127.0.0.1");
  await once(socket, "connect");
  let text = "";
  const closed = new Promise<void>((resolve) => {
    socket.on("error", () => resolve()).on("close", () => resolve());
    socket.on("data", (chunk) => {
      text += chunk;
      if (isEnough(text)) socket.end();
    });
  });
  for (const part of sent) if (!socket.destroyed) socket.write(part);
  await closed;
  const [, status = "0"] = /HTTP\/1\.1 (?!100)(\d+)/.exec(text) ?? [];
  return { status: Number(status), text };
}

function raw(
  entry: number,
  name: string,
  sent: readonly string[] | (() => readonly string[]),
  [status, says]: readonly [number, (string | RegExp)?],
  isEnough?: (text: string) => boolean,
): Attack {
  const parts = () => (typeof sent === "function" ? sent() : sent);
  const work = ({ port }: Target) => spoken(port, parts(), isEnough);
  return { entry, name, work, status, ...(says !== undefined && { says }) };
}

const head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const ping = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
const tail = (text: string) => text.split("HTTP/1.1 200").length > 3;

export const requestAttacks: readonly Attack[] = [
  sends(1, "{}", at("{}"), [400, "messages"]),
  sends(2, "no JSON", at("hello"), [400, "invalid_json"]),
  sends(2, "truncated", at(chat.slice(0, -1)), [400, "invalid_json"]),
  sends(2, "a NUL byte", at(chat.replace("Hi", "H\0i")), [400, "invalid_json"]),
  sends(2, "a NUL, escaped", at(chat.replace("Hi", "H\\u0000i")), [200]),
  sends(2, "no UTF-8", at(Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xc3, 0x28), Buffer.from('"}')])), [
    400,
    "invalid_encoding",
  ]),
  // JavaScript's strings hold halves of surrogate pairs; the tokenizer gets U+FFFD.
  sends(2, "half of a surrogate pair", at(chat.replace("Hi", "\\ud800")), [200]),
  sends(3, "100,000 opening brackets", at("[".repeat(100_000)), [400, "invalid_json"]),
  sends(
    3,
    "100,000 nested objects",
    at(() => `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`),
    [400, "messages must be"],
  ),
  // Read without recursion, and without effect: docs/openai.md.
  completes(3, () => `"user":${"[".repeat(90_000)}${"]".repeat(90_000)}`, [200]),
  completes(3, () => `"logit_bias":${"[".repeat(90_000)}${"]".repeat(90_000)}`, [400, "logit_bias"]),
  completes(3, () => `"stop":${"[".repeat(90_000)}${"]".repeat(90_000)}`, [400, "stop"]),
  completes(4, '"max_tokens":2,"max_tokens":3', [200, '"completion_tokens":3']),
  completes(4, '"__proto__":{"echo":true}', [200, /"text":"(?!Once)/]),
  completes(4, '"constructor":{"prototype":{"n":7}},"toString":1', [200]),
  completes(4, '"logit_bias":{"__proto__":5}', [400, "logit_bias"]),
  sends(
    4,
    "nothing was polluted",
    ["POST", "/v1/completions", '{"prompt":"Once","max_tokens":1}'],
    [200, '"index":0'],
  ),
  raw(
    5,
    "a GiB is announced",
    [`${head}Content-Length: 1073741824\r\n\r\n{`],
    [413, "body_too_large"],
    (text) => text.includes("body_too_large"),
  ),
  raw(
    5,
    "chunks without an end",
    () => [
      `${head}Transfer-Encoding: chunked\r\n\r\n`,
      ...Array<string>(64).fill(`10000\r\n${" ".repeat(65_536)}\r\n`),
    ],
    [413, "body_too_large"],
    (text) => text.includes("body_too_large"),
  ),
  raw(
    30,
    "ten million tokens of a prompt",
    [`${head}Content-Length: 20000013\r\n\r\n{"prompt":"a a a`],
    [413, "body_too_large"],
    (text) => text.includes("body_too_large"),
  ),
  raw(6, "a header of a MiB", () => [`${ping.trimEnd()}\r\nX: ${"a".repeat(2 ** 20)}\r\n\r\n`], [
    431,
    "Too Large",
  ]),
  raw(6, "10,000 headers", () => [`${ping.trimEnd()}\r\n${"X: abc\r\n".repeat(10_000)}\r\n`], [431]),
  sends(7, "gzip", at(chat, { "Content-Encoding": "gzip" }), [415, "Content-Encoding gzip"]),
  sends(7, "deflate, br", at(chat, { "Content-Encoding": "deflate, br" }), [415, "Content-Encoding"]),
  sends(8, "a form", at(chat, { "Content-Type": "multipart/form-data; boundary=x" }), [415, "multipart"]),
  // curl -d without a header says this of JSON.
  sends(
    8,
    "the type of a form's fields",
    at(chat, { "Content-Type": "application/x-www-form-urlencoded" }),
    [200],
  ),
  raw(9, "three requests in one write", [ping + ping + ping], [200], tail),
  raw(
    9,
    "two lengths of a body",
    [`${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [400],
  ),
  raw(9, "two Content-Lengths", [`${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `], [400]),
  raw(9, "a space before a header's colon", [`${head}Content-Length : 2\r\n\r\n{}`], [400]),
  raw(9, "chunked, but not last", [`${head}Transfer-Encoding: chunked, identity\r\n\r\n{}`], [400]),
  sends(12, "a host of another name", at(chat, { Host: "evil.example" }), [403, "host_not_allowed"]),
  sends(12, "a name that begins like an address", at(chat, { Host: "127.0.0.1.evil.example" }), [
    403,
    "host_not_allowed",
  ]),
  // What a browser sends without asking first; before it sends JSON it asks, and is not allowed.
  ...["https://evil.example", "null", "http://localhost.evil.example"].map((Origin) =>
    sends(12, `a page of ${Origin}`, at(chat, { Origin, "Content-Type": "text/plain" }), [
      403,
      "origin_not_allowed",
    ]),
  ),
  sends(
    12,
    "a browser that asks first",
    ["OPTIONS", "/v1/chat/completions", undefined, { Origin: "https://evil.example" }],
    [405, "method_not_allowed"], // without a header that allows: "a web page" in http.test.ts
  ),
  ...[
    "/v1/load_lora_adapter",
    "/sleep",
    "/wake_up",
    "/reset_prefix_cache",
    "/pause",
    "/invocations",
    "/slots",
  ].map((path) => sends(17, path, ["POST", path, "{}"], [404, "route_not_found"])),
];

const key = "a-key-of-my-own";
const models = (headers: Readonly<Record<string, string>>) =>
  ["GET", "/v1/models", undefined, headers] as const;
const closing = "Host: localhost\r\nConnection: close\r\n";

/** Against a server that has keys. */
export const keyAttacks: readonly Attack[] = [
  ...[
    "",
    "Bearer",
    "Bearer ",
    `bearer ${key}x`,
    `Basic ${key}`,
    `Bearer ${key.toUpperCase()}`,
    `${key},${key}`,
  ].map((given) =>
    sends(13, `Authorization: ${given}`, models({ Authorization: given }), [401, "invalid_api_key"]),
  ),
  raw(
    13,
    "two Authorization headers",
    [
      `GET /v1/models HTTP/1.1\r\n${closing}Authorization: Bearer ${key}\r\nAuthorization: Bearer other\r\n\r\n`,
    ],
    [401],
  ),
  sends(13, "the right one", models({ AUTHORIZATION: `BEARER ${key}` }), [200]),
  ...[
    "/metrics",
    "/version",
    "/nowhere",
    "/v2/any/health",
    "/v2/any/status/1",
    "/v1",
    "/docs",
    "/openapi.json",
  ].map((path) => sends(15, `GET ${path}`, ["GET", path], [401, "invalid_api_key"])),
  ...[
    "/tokenize",
    "/detokenize",
    "/apply-template",
    "/rerank",
    "/v2/rerank",
    "/v2/any/run",
    "/v2/any/purge-queue",
    "/v1/responses",
  ].map((path) => sends(15, `POST ${path}`, ["POST", path, "{}"], [401, "invalid_api_key"])),
  sends(15, "/health is open", ["GET", "/health"], [200, '"ready"']),
  sends(16, "the key in the address", ["GET", `/v1/models?api_key=${key}&key=${key}`], [401]),
  ...[
    "/v1/../metrics",
    "/health/../metrics",
    "/%2e%2e/metrics",
    "//metrics",
    "/metrics/",
    "/v1%2fmodels",
    "/health%2f..%2fmetrics",
    "/HEALTH",
    "/ping/..;/metrics",
    "http://localhost/metrics",
    "/ping?/../metrics",
  ].map((path) =>
    raw(11, path, [`GET ${path} HTTP/1.1\r\n${closing}\r\n`], path.startsWith("/ping?") ? [200] : [401]),
  ),
  ...["TRACE", "OPTIONS", "PUT", "PATCH", "PROPFIND"].map((method) =>
    raw(11, method, [`${method} /v1/models HTTP/1.1\r\n${closing}\r\n`], [401]),
  ),
  sends(11, "HEAD", ["HEAD", "/v1/models"], [401]),
  sends(
    11,
    "another address in a header",
    ["GET", "/metrics", undefined, { "X-Original-URL": "/health", "X-Rewrite-URL": "/health" }],
    [401],
  ),
];
