// Attacks that take more than a request, against `infernode serve` in a process of its own: clients that leave,
// read nothing or only connect; texts made to break what reads them; schemas without an end; templates that
// never end. What they took comes back, and others are answered meanwhile.
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ServeProcess, serveInProcess } from "../helpers/serve-process.js";
import { call, json } from "./scene.js";

const patience = 180_000;
const naughtyStrings = createRequire(import.meta.url)("big-list-of-naughty-strings") as readonly string[];

let server: ServeProcess;
beforeAll(async () => {
  server = await serveInProcess(["--slots", "8", "--max-queue", "1000"]);
}, patience);
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  expect(server.said()).not.toMatch(/unhandled|EPIPE|ECONNRESET| at .*\.js:/i);
}, patience);

const body = (fields: object) => JSON.stringify({ prompt: "Once upon a time", ...fields });
const endless = body({ max_tokens: 900, ignore_eos: true, stream: true });

/** Once nothing is under way any more. */
async function idle(): Promise<void> {
  for (;;) {
    const { requests, engine } = (await call(`${server.url}/health`)).json;
    if (requests.under_way + engine.running + engine.waiting === 0) return;
  }
}

async function isWell(): Promise<boolean> {
  const reply = await call(`${server.url}/v1/completions`, "POST", body({ max_tokens: 4 }), json);
  return reply.status === 200 && server.exitCode() === null;
}

const openFiles = () => readdirSync(`/proc/${server.pid}/fd`).length;
const memoryMb = () =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1]) / 1024;

/** A stream that has begun. */
function begun(): Promise<{ response: http.IncomingMessage; outgoing: http.ClientRequest }> {
  return new Promise((resolve, reject) => {
    const options = { port: server.port, host: "127.0.0.1", path: "/v1/completions", method: "POST" };
    const outgoing = http.request({ ...options, agent: false, headers: json }, (response) => {
      response.once("data", () => resolve({ response, outgoing })).on("error", () => {});
    });
    outgoing.on("error", reject).end(endless);
  });
}

describe.skipIf(process.platform !== "linux")("a server", { timeout: patience }, () => {
  it("has what 256 clients held who leave, each time they do", async () => {
    const wave = async () => {
      const streams = await Promise.all(Array.from({ length: 8 }, begun)); // as many as there are slots
      const waiting = Array.from({ length: 248 }, () => {
        const socket = net.connect(server.port, "127.0.0.1");
        socket.on("error", () => {});
        const head = `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${endless.length}\r\n`;
        socket.write(`${head}Content-Type: application/json\r\n\r\n${endless}`);
        return socket;
      });
      await Promise.all(waiting.map((socket) => socket.connecting && once(socket, "connect")));
      for (const { outgoing } of streams) outgoing.destroy();
      for (const socket of waiting) socket.destroy();
      await idle();
    };
    await wave();
    await wave();
    const [files, memory] = [openFiles(), memoryMb()];
    for (let times = 0; times < 4; times += 1) await wave();
    expect(openFiles()).toBeLessThanOrEqual(files + 4);
    expect(memoryMb()).toBeLessThan(memory * 1.25 + 20);
    expect(await isWell()).toBe(true);
  });

  it("goes on where connections are reset in the middle of a stream", async () => {
    const sockets = Array.from({ length: 60 }, () => net.connect(server.port, "127.0.0.1"));
    const head = `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${endless.length}\r\n`;
    await Promise.all(
      sockets.map(async (socket, index) => {
        socket.on("error", () => {}).write(`${head}Content-Type: application/json\r\n\r\n${endless}`);
        if (index < 8) await once(socket, "data"); // those that have a slot
        socket.resetAndDestroy();
      }),
    );
    await idle();
    expect(await isWell()).toBe(true);
  });

  it("answers others beside 200 clients that read nothing", async () => {
    const slow = await Promise.all(Array.from({ length: 4 }, begun));
    for (const { response } of slow) response.pause();
    const others = Array.from({ length: 196 }, () => {
      const socket = net.connect(server.port, "127.0.0.1").pause();
      socket.on("error", () => {}).write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20));
      return socket;
    });
    expect(await isWell()).toBe(true);
    for (const { outgoing } of slow) outgoing.destroy();
    for (const socket of others) socket.destroy();
    await idle();
  });

  it("lets no more than 4096 connect, and takes others when they leave", async () => {
    const sockets: net.Socket[] = [];
    let closed = 0;
    for (let at = 0; at < 4200; at += 1) {
      const socket = net.connect(server.port, "127.0.0.1");
      socket.on("error", () => {}).on("close", () => (closed += 1));
      sockets.push(socket);
      if (at % 200 === 199) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    while (closed < 100) await new Promise((resolve) => setImmediate(resolve));
    expect(openFiles()).toBeLessThan(4096 + 200);
    for (const socket of sockets) socket.destroy();
    while (openFiles() > 400) await new Promise((resolve) => setImmediate(resolve));
    expect(await isWell()).toBe(true);
  });

  it("reads and writes naughty strings alike, and answers each", async () => {
    expect(naughtyStrings.length).toBeGreaterThan(400);
    const post = (path: string, fields: object) =>
      call(server.url + path, "POST", JSON.stringify(fields), json);
    for (const content of naughtyStrings) {
      const { tokens } = (await post("/tokenize", { prompt: content, add_special_tokens: false })).json;
      const { prompt } = (await post("/detokenize", { tokens })).json;
      expect([content, prompt]).toEqual([content, content]);
      const chat = { messages: [{ role: "user", content }], max_tokens: 1, user: content };
      expect([content, (await post("/v1/chat/completions", chat)).status]).toEqual([content, 200]);
    }
    for (const content of naughtyStrings.slice(0, 40).filter((text) => text !== ""))
      expect(server.said()).not.toContain(`"${content}"`);
  });

  it("keeps no schema of those that come once", async () => {
    const bound = (index: number) => {
      const schema = { type: "object", properties: { [`p${index}`]: { enum: [`v${index}`, index] } } };
      return call(`${server.url}/v1/completions`, "POST", body({ max_tokens: 1, guided_json: schema }), json);
    };
    for (let index = 0; index < 300; index += 1) expect((await bound(index)).status).toBe(200);
    const memory = memoryMb();
    for (let index = 300; index < 1500; index += 1) await bound(index);
    expect(memoryMb()).toBeLessThan(memory + 40);
  });
});

/** Of a model's own file, or given by who starts the server. */
const templates: readonly (readonly [string, string, number, RegExp])[] = [
  [
    "that never ends",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    400,
    /chat_template_failed/,
  ],
  ["that throws", "{{ raise_exception('not to you') }}", 400, /not to you/],
  [
    "that reaches for its host",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}{{ ''.__class__.__mro__[1].__subclasses__() }}",
    400, // its names are undefined there
    /^(?!.*uid=).*chat_template_failed/s,
  ],
];

it.each(templates)(
  "a template %s fails its conversation, and no other request",
  { timeout: patience },
  async (_, CHAT_TEMPLATE, status, says) => {
    const other = await serveInProcess([], { CHAT_TEMPLATE });
    try {
      const chat = '{"messages":[{"role":"user","content":"Hi"}],"max_tokens":1}';
      const [refused, answered] = await Promise.all([
        call(`${other.url}/v1/chat/completions`, "POST", chat, json),
        call(`${other.url}/v1/completions`, "POST", body({ max_tokens: 1 }), json),
      ]);
      expect(refused.text).toMatch(says);
      expect([refused.status, answered.status]).toEqual([status, 200]);
    } finally {
      expect(await other.stop()).toBe(0);
    }
  },
);
