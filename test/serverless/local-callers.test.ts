// Who may call the local API and how: requests of other web pages, bodies and methods
// that are none.
import http from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Running, startApi } from "./harness.js";

let worker: Running;
let url = "";
let runs = 0;

beforeAll(async () => {
  ({ worker, url } = await startApi({
    handler: async (job) => {
      runs += 1;
      const { input } = job;
      Object.assign(job, { id: "mine", webhook: "none" });
      return input;
    },
  }));
});
afterAll(async () => {
  worker.signal("SIGTERM");
  await worker.ended;
});

type Headers = Readonly<Record<string, string>>;

/** fetch() sets some of these headers itself. */
function call(method: string, path: string, body?: string, headers: Headers = {}) {
  return new Promise<{ status: number; allow: string | undefined; body: Answer }>((resolve, reject) => {
    const outgoing = http.request(`${url}${path}`, { method, headers }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      const answered = text === "" ? {} : JSON.parse(text);
      resolve({ status: response.statusCode ?? 0, allow: response.headers.allow, body: answered });
    });
    outgoing.on("error", reject).end(body);
  });
}
type Answer = {
  readonly id: string;
  readonly status: string;
  readonly output: unknown;
  readonly error: unknown;
};

const job = '{"input":{"a":1}}';
const chat = '{"messages":[]}';
const text = { "Content-Type": "text/plain;charset=UTF-8" };
const form = { "Content-Type": "application/x-www-form-urlencoded" };
const json = { "Content-Type": "application/json; charset=utf-8" };

describe("a request", () => {
  it.each<[string, Headers]>([
    ["a page elsewhere, as text", { ...text, Origin: "http://evil.example" }],
    ["a page elsewhere, as a form", { ...form, Origin: "http://evil.example" }],
    ["a page elsewhere, without a type", { Origin: "http://evil.example" }],
    ["a file or a sandboxed frame", { ...text, Origin: "null" }],
    ["a page at another port", { ...text, Origin: "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site" }],
    ["a page elsewhere, whose origin is not told", { ...text, "Sec-Fetch-Site": "cross-site" }],
  ])("of %s runs no job", async (_name, headers) => {
    const before = runs;
    for (const [path, body] of [
      ["/run", job],
      ["/runsync", job],
      ["/v2/any/run", job],
      ["/openai/v1/chat/completions", chat],
      ["/purge-queue", undefined],
    ] as const) {
      expect((await call("POST", path, body, headers)).status).toBe(403);
    }
    expect((await call("GET", "/openai/v1/models", undefined, headers)).status).toBe(403);
    expect(runs).toBe(before);
  });

  it("that a browser sends ahead of JSON is answered without leave", async () => {
    const headers = { Origin: "http://evil.example", "Access-Control-Request-Method": "POST" };
    for (const path of ["/run", "/openai/v1/chat/completions"]) {
      expect((await call("OPTIONS", path, undefined, headers)).status).toBeGreaterThanOrEqual(400);
    }
  });

  it.each<[string, Headers]>([
    ["no browser, as text", text],
    ["no browser, as a form", form],
    ["no browser, without a type", {}],
    ["a proxy of a page, as JSON", { ...json, Origin: "http://localhost:5173" }],
    [
      "a page that is the API's own",
      { ...text, "Sec-Fetch-Site": "same-origin", Origin: "http://localhost" },
    ],
    ["an address that was typed", { ...text, "Sec-Fetch-Site": "none" }],
  ])("of %s runs its job", async (_name, headers) => {
    expect((await call("POST", "/runsync", job, headers)).body).toMatchObject({
      id: expect.stringMatching(/^test-/), // not what the handler wrote into its copy
      status: "COMPLETED",
      output: { a: 1 },
    });
  });

  it.each(["/run", "/runsync", "/v2/any/runsync", "/openai/v1/chat/completions"])(
    "without a body or without JSON is called so: %s",
    async (path) => {
      const before = runs;
      for (const [body, words] of [
        [undefined, "the body is empty"],
        [" \n", "the body is empty"],
        ['{"input":', "no JSON"],
        ["input=1", "no JSON"],
      ] as const) {
        const { status, body: said } = await call("POST", path, body, json);
        expect(status).toBe(400);
        expect(JSON.stringify(said.error)).toContain(words);
      }
      expect(runs).toBe(before);
    },
  );

  it.each([
    ["GET", "/run", "POST"],
    ["GET", "/runsync", "POST"],
    ["PUT", "/run", "POST"],
    ["GET", "/purge-queue", "POST"],
    ["GET", "/cancel/x", "POST"],
    ["DELETE", "/status/x", "GET, POST"],
    ["DELETE", "/health", "GET, HEAD, POST"],
    ["DELETE", "/openai/v1/models", "GET, POST"],
  ])("of a wrong method is told the right one: %s %s", async (method, path, allow) => {
    expect(await call(method, path)).toMatchObject({ status: 405, allow });
  });

  it("with a webhook that carries a password is refused, and the answer does not repeat it", async () => {
    const webhook = "https://me:secret@example.com/hook";
    const { status, body } = await call("POST", "/run", JSON.stringify({ input: {}, webhook }), json);
    expect([status, body]).toEqual([
      400,
      {
        error: "webhook must be a URL without user name and password; put a token into its path or its query",
      },
    ]);
  });

  it.each([5, "hook", "ftp://host/hook", {}])("with the webhook %j is refused", async (webhook) => {
    const { status, body } = await call("POST", "/run", JSON.stringify({ input: {}, webhook }), json);
    expect({ status, error: body.error }).toEqual({
      status: 400,
      error: `webhook must be an http or https URL, got ${JSON.stringify(webhook)}`,
    });
  });

  it.each([[{ toString: 1 }], [null], [["a"]], [""], [true]])(
    "to the realtime route with the id %j is refused by its field",
    async (id) => {
      const { worker: realtime, url: address } = await startApi(async () => 1, [], {
        RUNPOD_ENDPOINT_ID: "ep",
      });
      const body = JSON.stringify({ id, input: {} });
      const refused = await fetch(`${address}/ep/realtime`, { method: "POST", body });
      realtime.signal("SIGTERM");
      await realtime.ended;
      expect(refused.status).toBe(400);
      expect(await refused.json()).toEqual({
        error: expect.stringMatching(/^id must be a string or a number/),
      });
    },
  );

  it("to /runsync with an empty wait waits as one without", async () => {
    const slow = async () => void (await new Promise((resolve) => setTimeout(resolve, 20)));
    const { worker: api, url: address } = await startApi(slow);
    const answered = await fetch(`${address}/runsync?wait=`, { method: "POST", body: job });
    api.signal("SIGTERM");
    await api.ended;
    expect(await answered.json()).toMatchObject({ status: "COMPLETED" });
  });

  it("for the head of a route that only tells is answered", async () => {
    for (const path of ["/", "/health"]) expect((await call("HEAD", path)).status).toBe(200);
  });
});
