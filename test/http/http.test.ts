// The server as a socket sees it: bodies and routes that are none, limits, web pages, keys,
// slow clients.
import { constants } from "node:buffer";
import net from "node:net";
import { describe, expect, it } from "vitest";
import { judgeServeOptions } from "../../src/endpoint/options.js";
import { Admission } from "../../src/http/admission.js";
import { KeyRing, keysOf } from "../../src/http/keys.js";
import { listen } from "../../src/http/listener.js";
import { full } from "../../src/http/openai-routes.js";
import { eventReply } from "../../src/http/replies.js";
import { whyNotListening } from "../../src/serverless/not-listening.js";
import { call, json, type Scene, until, usualOptions, withServer } from "./scene.js";

const chat = JSON.stringify({
  model: "tinytale",
  messages: [{ role: "user", content: "Hi" }],
  max_tokens: 2,
});

describe("a body", () => {
  it("that is no object of JSON is refused, saying why", async () => {
    await withServer({}, async ({ url }) => {
      const path = `${url}/v1/chat/completions`;
      const cases: [string | Buffer, number, string][] = [
        ["", 400, "the body must be an object"],
        ["{", 400, "the body is no JSON"],
        ["[1]", 400, "the body must be an object"],
        ["null", 400, "the body must be an object"],
        ['{"messages": [', 400, "the body is no JSON"],
        ["{}", 400, "messages"],
        [Buffer.from([0x7b, 0xff, 0x7d]), 400, "the body is not UTF-8 text"],
        [`${"[".repeat(100_000)}`, 400, "the body is no JSON"],
        [`{"messages": ${"[".repeat(50_000)}${"]".repeat(50_000)}}`, 400, "messages"],
        ['{"__proto__": {"messages": []}, "constructor": 1}', 400, "messages"],
      ];
      for (const [body, status, sentence] of cases) {
        const reply = await call(path, "POST", body, json);
        expect(reply.status).toBe(status);
        expect(reply.json.error).toMatchObject({ type: "invalid_request_error" });
        expect(reply.json.error.message).toContain(sentence);
      }
      expect((await call(path, "POST", `\ufeff${chat}`, json)).status).toBe(200);
    });
  });

  it("that is too large, compressed or a form is refused, with and without a length", async () => {
    await withServer({ options: { maxBodyBytes: 1000 } }, async ({ url }) => {
      const path = `${url}/v1/completions`;
      const large = JSON.stringify({ prompt: "a".repeat(2000) });
      expect((await call(path, "POST", large, json)).json.error.code).toBe("body_too_large");
      const chunked = await call(path, "POST", large, { ...json, "Transfer-Encoding": "chunked" });
      expect(chunked.status).toBe(413);
      const zipped = await call(path, "POST", chat, { ...json, "Content-Encoding": "gzip" });
      expect(zipped.status).toBe(415);
      const form = await call(path, "POST", "--x--", { "Content-Type": "multipart/form-data; boundary=x" });
      expect(form.status).toBe(415);
    });
  });
});

describe("a body's length", () => {
  it("that no string could hold is refused by its length, whatever was allowed", async () => {
    await withServer({ options: { maxBodyBytes: 1_000_000_000 } }, async ({ port }) => {
      const head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
      const said = await raw(port, `${head}Connection: close\r\nContent-Length: 999999999\r\n\r\n{`);
      expect(said).toMatch(/^HTTP\/1\.1 413/);
      expect(said).toContain(`a body may have at most ${constants.MAX_STRING_LENGTH} bytes`);
    });
  });
});

describe("a route", () => {
  it("that is not there, or not for this method, is told in JSON", async () => {
    await withServer({}, async ({ url }) => {
      const cases: [string, string, number, string | undefined][] = [
        ["GET", "/nowhere", 404, undefined],
        ["POST", "/v1/nowhere", 404, undefined],
        ["POST", "/v1/conversations", 404, undefined],
        ["GET", "/v1/responses", 405, "POST"],
        ["POST", "/v1/responses/resp_1", 405, "GET, HEAD, DELETE"],
        ["GET", "/v1/responses/resp_1/cancel", 405, "POST"],
        ["GET", "/v1/responses/resp_1/input_items", 404, undefined],
        ["GET", "/v1/responses/%ff", 404, undefined],
        ["GET", "/v1/messages", 405, "POST"],
        ["GET", "/v1/chat/completions", 405, "POST"],
        ["DELETE", "/v1/completions", 405, "POST"],
        ["POST", "/v1/models", 405, "GET, HEAD"],
        ["POST", "/health", 405, "GET, HEAD"],
        ["OPTIONS", "/v1/completions", 405, "POST"],
        ["GET", "/v1/../../etc/passwd", 404, undefined],
      ];
      for (const [method, path, status, allow] of cases) {
        const reply = await call(`${url}${path}`, method, method === "POST" ? "{}" : undefined, json);
        expect([path, reply.status, reply.headers.allow]).toEqual([path, status, allow]);
        expect(reply.json.error.message).toEqual(expect.any(String));
      }
    });
  });

  it("that is open tells what the server does", async () => {
    await withServer({ options: { keys: ["k1"] } }, async ({ url }) => {
      expect((await call(`${url}/health`)).json).toMatchObject({
        status: "ready",
        models: ["tinytale"],
        requests: { under_way: 0, limit: 68 },
        jobs: { running: 0, waiting: 0 },
        engine: { running: 0, waiting: 0 },
      });
      expect((await call(`${url}/ping`, "HEAD")).status).toBe(200);
    });
  });
});

describe("keys", () => {
  it("open the server as Bearer, raw or x-api-key, and nothing else does", async () => {
    await withServer({ options: { keys: ["first-key", "second-key"] } }, async ({ url, client }) => {
      const status = async (headers: Record<string, string>) =>
        (await call(`${url}/v1/models`, "GET", undefined, headers)).status;
      expect(await status({ Authorization: "Bearer first-key" })).toBe(200);
      expect(await status({ Authorization: "bearer  second-key" })).toBe(200);
      expect(await status({ Authorization: "second-key" })).toBe(200);
      expect(await status({ "x-api-key": "first-key" })).toBe(200);
      for (const headers of [
        {},
        { Authorization: "" },
        { Authorization: "Bearer " },
        { Authorization: "Bearer first-ke" },
        { Authorization: "Bearer first-key2" },
        { Authorization: "Basic first-key" },
        { "x-api-key": "FIRST-KEY" },
      ] as Record<string, string>[]) {
        expect([headers, await status(headers)]).toEqual([headers, 401]);
      }
      expect((await call(`${url}/v1/models?api_key=first-key`)).status).toBe(401);
      for (const path of ["/v1/models", "/nowhere", "/metrics", "/v2/ep/health"])
        expect((await call(`${url}${path}`)).status).toBe(401);
      await expect(client("wrong").models.list()).rejects.toMatchObject({ status: 401 });
      expect((await client("second-key").models.list()).data).toHaveLength(1);
    });
  });

  it("are read of files, and refused where no header can hold them", () => {
    expect(keysOf("# ours\nfirst\r\n\n  second  \n#third\n")).toEqual(["first", "second"]);
    for (const key of ["", "two words", "ümlaut", "a\nb"])
      expect(() => new KeyRing([key])).toThrow("an API key must be 1 to 512 visible ASCII characters");
  });

  it("are demanded of an address that others reach", () => {
    const judge = (options: object) => judgeServeOptions({ ...usualOptions, ...options });
    expect(() => judge({ host: "0.0.0.0" })).toThrow("is reached by other machines");
    expect(() => judge({ host: "::" })).toThrow("is reached by other machines");
    expect(judge({ host: "0.0.0.0", keys: ["k"] }).ring.isEmpty).toBe(false);
    expect(judge({ host: "0.0.0.0", behindGateway: true }).isLocal).toBe(false);
    expect(judge({ host: "localhost" }).isLocal).toBe(true);
    expect(judge({ host: "[::1]" })).toMatchObject({ host: "::1", isLocal: true }); // as URLs spell it
    expect(whyNotListening({ code: "ENOTFOUND" }, "--port")).toContain("no address and no known name");
    for (const origin of ["app.example", "https://app.example/", "https://app.example/path", "null"])
      expect(() => judge({ origins: [origin] })).toThrow("--cors must be an origin");
  });
});

describe("a web page", () => {
  const text = { "Content-Type": "text/plain" };
  it("of another origin may not call", async () => {
    await withServer({}, async ({ url }) => {
      const path = `${url}/v1/chat/completions`;
      const evil = { Origin: "https://evil.example" };
      expect((await call(path, "POST", chat, { ...text, ...evil })).json.error.code).toBe(
        "origin_not_allowed",
      );
      expect((await call(path, "POST", chat, { ...text, "Sec-Fetch-Site": "cross-site" })).status).toBe(403);
      const preflight = await call(path, "OPTIONS", undefined, evil);
      expect(preflight.headers["access-control-allow-origin"]).toBeUndefined();
      const rebound = await call(path, "POST", chat, { ...json, Host: "evil.example" });
      expect(rebound.json.error.code).toBe("host_not_allowed");
      expect((await call(path, "POST", chat, { ...json, Host: "localhost:1234" })).status).toBe(200);
      expect((await call(path, "POST", chat, text)).status).toBe(200); // no page: curl without a type
    });
  });

  it("of an origin that was allowed may, by its browser's own rules", async () => {
    const options = { origins: ["https://app.example"], keys: ["k"] };
    await withServer({ options }, async ({ url }) => {
      const path = `${url}/v1/chat/completions`;
      const app = { Origin: "https://app.example" };
      const asked = {
        ...app,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,anthropic-version,x-stainless-os",
      };
      const preflight = await call(path, "OPTIONS", undefined, asked);
      expect(preflight.status).toBe(204);
      expect(preflight.headers["access-control-allow-origin"]).toBe("https://app.example");
      expect(preflight.headers["access-control-allow-headers"]).toContain("anthropic-version");
      const reply = await call(path, "POST", chat, { ...json, ...app, Authorization: "Bearer k" });
      expect(reply.status).toBe(200);
      expect(reply.headers["access-control-allow-origin"]).toBe("https://app.example");
      const other = await call(path, "OPTIONS", undefined, { ...asked, Origin: "https://evil.example" });
      expect(other.headers["access-control-allow-origin"]).toBeUndefined();
      // The cookies of a gateway, from origins that were named alone.
      expect(preflight.headers["access-control-allow-credentials"]).toBe("true");
      expect(reply.headers["access-control-expose-headers"]).toBe("Retry-After");
    });
    await withServer({ options: { origins: ["*"], keys: ["k"] } }, async ({ url }) => {
      const { headers } = await call(`${url}/v1/models`, "GET", undefined, {
        Origin: "null",
        "x-api-key": "k",
      });
      expect(headers["access-control-allow-origin"]).toBe("*");
      expect(headers["access-control-allow-credentials"]).toBeUndefined();
    });
  });
});

describe("overload", () => {
  it("is refused at once with 429 and Retry-After, and harms nobody", async () => {
    await withServer({ options: { maxQueue: 2 } }, async ({ url, server }: Scene) => {
      const body = JSON.stringify({ prompt: "Once", max_tokens: 60, ignore_eos: true });
      const path = `${url}/v1/completions`;
      const replies = await Promise.all(Array.from({ length: 40 }, () => call(path, "POST", body, json)));
      const count = (status: number) => replies.filter((reply) => reply.status === status).length;
      expect(count(200) + count(429)).toBe(40);
      expect(count(200)).toBeGreaterThanOrEqual(6); // 4 slots and 2 that wait
      const refused = replies.find((reply) => reply.status === 429);
      expect(refused?.headers["retry-after"]).toBe("1");
      expect(refused?.json.error).toMatchObject({ type: "rate_limit_error", code: "queue_full" });
      await until(() => server.jobs === 0);
      expect((await call(path, "POST", body, json)).status).toBe(200);
    });
  });

  it("is told how many there are", () => {
    const said = [1, 6].map((limit) => full(new Admission(() => limit)).message.replace(/,.*/, ""));
    expect(said).toEqual(["1 request is under way", "6 requests are under way"]);
  });

  it("is refused where prompts have too many tokens together, one alone never", async () => {
    await withServer({ options: { maxQueueTokens: 100 } }, async ({ url, port, server, served }: Scene) => {
      const path = `${url}/v1/completions`;
      const long = JSON.stringify({
        prompt: "Once upon a time ".repeat(40),
        max_tokens: 300,
        ignore_eos: true,
      });
      const alone = call(path, "POST", long, json);
      await until(() => served.text?.stats().running === 1);
      const second = await call(path, "POST", long, json);
      expect(second).toMatchObject({ status: 429, json: { error: { code: "queue_full" } } });
      expect(second.json.error.message).toContain("more than 100 tokens");
      expect(second.headers["retry-after"]).toBe("1");
      const head =
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
      expect(await raw(port, `${head}${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`)).toContain(
        " 429 ",
      );
      // Before its body is read: of this one nothing comes.
      const unread = await raw(port, head.replace("Transfer-Encoding: chunked", "Content-Length: 900"));
      expect(unread).toContain(" 429 ");
      expect((await alone).status).toBe(200);
      await until(() => server.jobs === 0);
      expect((await call(path, "POST", long, json)).status).toBe(200);
    });
  });
});

/** What the server says to a socket until it closes it. */
function raw(port: number, sent: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = net.connect(port, "127.0.0.1", () => socket.write(sent));
    socket.on("data", (chunk) => (text += chunk)).on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

describe("a slow or broken client", () => {
  it("is cut off: headers, bodies and connections without an end", async () => {
    const times = { headersMs: 300, requestMs: 600, idleMs: 200 };
    await withServer({ times }, async ({ port }) => {
      const head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n";
      const said = await Promise.all([
        raw(port, "GET /ping HTTP/1.1\r\nHos"),
        raw(port, `${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"prompt"`),
        raw(port, "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        raw(port, `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
        raw(port, `GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"a".repeat(40_000)}\r\n\r\n`),
        raw(port, "GET /ping HTTP/1.1\r\n\r\n"),
        raw(port, "nonsense\r\n\r\n"),
      ]);
      const waits = await raw(port, `${head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`);
      expect(waits).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 408/);
      const statuses = said.map((text) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]));
      expect(statuses).toEqual([408, 408, 200, 400, 431, 400, 400]);
    });
  });

  it("that takes nothing of its stream is let go, and its work is ended", async () => {
    const abort = new AbortController();
    let made = 0;
    async function* texts() {
      for (; !abort.signal.aborted; made += 1) yield `data: ${"a".repeat(100_000)}\n\n`;
    }
    const told: string[] = [];
    const reply = () => eventReply(texts(), { abort, stallMs: 200, onEnd: () => told.push("end") });
    const times = { headersMs: 1000, requestMs: 1000, idleMs: 1000 };
    const listener = await listen(reply, { host: "127.0.0.1", port: 0, ...times });
    const socket = net.connect(listener.port, "127.0.0.1", () => {
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); // and nothing is read
    });
    socket.on("error", () => {});
    await until(() => told.length > 0);
    expect(abort.signal.aborted).toBe(true);
    expect(made).toBeLessThan(1000); // what the system keeps for a socket, not more
    socket.destroy();
    await listener.close();
    expect(told).toEqual(["end"]);
  });
});
