// What surrounds a job of RunPod's API: its webhook, OpenAI's calls that become jobs, and a server
// that loads or leaves while there are jobs.
import { describe, expect, it } from "vitest";
import { type JobLog, judgeStartOptions, type StartOptions } from "../../src/serverless/contract.js";
import { call, json, portOf, startServer } from "../http/scene.js";
import { gate } from "../serverless/harness.js";
import { obedient, withHandler, withHook } from "./scene.js";

describe("a webhook", () => {
  it("is told what /status says, where private addresses are allowed", async () => {
    await withHook(async (webhook, told) => {
      await withHandler(obedient, async ({ send }) => {
        const done = await send("POST", "runsync", { input: { echo: 1 }, webhook });
        while (told.length === 0) await new Promise((resolve) => setImmediate(resolve));
        expect(told).toEqual([done.json]);
      });
    });
  });

  it("at a private address is refused, whatever its spelling", async () => {
    await withHook(async (webhook, told) => {
      const options = { allowsPrivateWebhooks: false };
      await withHandler(
        obedient,
        async ({ send }) => {
          const spellings = [
            webhook,
            webhook.replace("127.0.0.1", "localhost"),
            webhook.replace("127.0.0.1", "2130706433"),
            webhook.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
            "http://169.254.169.254/latest/meta-data/",
          ];
          for (const each of spellings) {
            const reply = await send("POST", "run", { input: 1, webhook: each });
            expect([reply.status, reply.json.error]).toEqual([
              400,
              `webhook must be a public address, got ${each}; start the server with --allow-private-webhooks`,
            ]);
          }
        },
        { options },
      );
      expect(told).toEqual([]);
    });
  });
});

describe("OpenAI's address of a handler", () => {
  const answer = { object: "list", data: [{ id: "mine" }] };
  const handler: StartOptions["handler"] = async function* ({ input }): AsyncGenerator<unknown, void> {
    const { openai_route, openai_input } = input;
    if (openai_route === "/v1/models") {
      yield answer;
      return;
    }
    if (openai_input.model === "none") yield { error: { message: "no such model", code: "not_found_error" } };
    if (!openai_input.stream) {
      yield { echo: openai_input };
      return;
    }
    for (const text of ["a", "b"]) yield `data: ${JSON.stringify({ text })}\n\n`;
    yield "data: [DONE]\n\n";
  };

  it("makes jobs of calls, whole and streamed", async () => {
    await withHandler(handler, async ({ send, url }) => {
      expect((await send("GET", "openai/v1/models")).json).toEqual(answer);
      const body = { model: "m", messages: [] };
      expect((await send("POST", "openai/v1/chat/completions", body)).json).toEqual({ echo: body });
      const streamed = await send("POST", "openai/v1/chat/completions", { ...body, stream: true });
      expect(streamed.headers["content-type"]).toContain("text/event-stream");
      expect(streamed.text).toBe('data: {"text":"a"}\n\ndata: {"text":"b"}\n\ndata: [DONE]\n\n');
      const failed = await send("POST", "openai/v1/completions", { model: "none" });
      expect(failed.json.error.message).toBe("no such model");
      expect((await call(`${url}/v1/models`)).json.error.message).toContain("runs a handler, not a model");
    });
  });

  it("takes bodies of unknown length, and none, whatever size one may have", async () => {
    const echo: StartOptions["handler"] = async function* ({ input }) {
      yield { echo: input.openai_input ?? null };
    };
    await withHandler(
      echo,
      async ({ send, url }) => {
        expect((await send("GET", "openai/v1/models")).json).toEqual({ echo: null });
        const chunked = { ...json, "Transfer-Encoding": "chunked" };
        const said = await call(`${url}/v2/ep/openai/v1/completions`, "POST", '{"a":1}', chunked);
        expect([said.status, said.json]).toEqual([200, { echo: { a: 1 } }]);
      },
      { options: { maxBodyBytes: 300_000_000 } },
    );
  });

  it("cancels the job of a client that leaves", async () => {
    const told = gate<string>();
    const hanging: StartOptions["handler"] = async (_job, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      told.open("stopped");
    };
    await withHandler(hanging, async ({ url, send }) => {
      const leaving = new AbortController();
      const asked = fetch(`${url}/v2/ep/openai/v1/completions`, {
        method: "POST",
        body: "{}",
        signal: leaving.signal,
      }).catch(() => "left");
      while ((await send("GET", "health")).json.jobs.inProgress === 0);
      leaving.abort();
      expect(await asked).toBe("left");
      expect(await told.opened).toBe("stopped");
    });
  });
});

describe("a server of jobs", () => {
  it("queues them while it loads, and runs them then", async () => {
    const loading = gate<void>();
    const options = judgeStartOptions({ handler: obedient, prepare: () => loading.opened });
    const started = startServer({ served: { options, text: undefined, close: async () => {} } });
    const url = `http://127.0.0.1:${await portOf(started)}/v2/ep`;
    const { id } = (await call(`${url}/run`, "POST", '{"input":{"echo":5}}', json)).json;
    expect((await call(`${url}/status/${id}`)).json).toEqual({ id, status: "IN_QUEUE" });
    expect((await call(`${url}/health`)).json.workers).toMatchObject({ initializing: 1, ready: 0, idle: 0 });
    loading.open();
    expect((await call(`${url}/status-sync/${id}`)).json).toMatchObject({ status: "COMPLETED", output: 5 });
    started.signal("SIGTERM");
    expect(await started.ended).toBe(0);
  });

  it("that is told to leave while it loads cancels what waits", async () => {
    const options = judgeStartOptions({
      handler: obedient,
      prepare: (_log: JobLog, signal: AbortSignal) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    const started = startServer({ served: { options, text: undefined, close: async () => {} } });
    const url = `http://127.0.0.1:${await portOf(started)}/v2/ep`;
    const waiting = call(`${url}/runsync`, "POST", '{"input":{}}', json);
    while ((await call(`${url}/health`)).json.jobs.inQueue === 0);
    started.signal("SIGTERM");
    expect((await waiting).json).toMatchObject({ status: "CANCELLED" });
    expect(await started.ended).toBe(0);
  });

  it("that is told to leave finishes the jobs it has and takes no more", async () => {
    const ending = gate();
    await withHandler(
      async () => void (await ending.opened),
      async ({ send, signal, ended }) => {
        const first = send("POST", "runsync", { input: 1 });
        while ((await send("GET", "health")).json.jobs.inProgress === 0);
        const second = send("POST", "runsync", { input: 2 });
        while ((await send("GET", "health")).json.jobs.inQueue === 0);
        signal("SIGTERM");
        for (const path of ["run", "runsync", "openai/v1/models"])
          expect((await send("POST", path, { input: 3 })).status).toBe(503);
        expect((await send("GET", "health")).json.jobs).toMatchObject({ inProgress: 1, inQueue: 1 });
        ending.open();
        expect([(await first).json.status, (await second).json.status]).toEqual(["COMPLETED", "COMPLETED"]);
        expect(await ended).toBe(0);
      },
    );
  });

  it("that is told twice fails what runs and cancels what waits", async () => {
    await withHandler(obedient, async ({ send, signal, ended }) => {
      const first = send("POST", "runsync", { input: { hangs: true } });
      while ((await send("GET", "health")).json.jobs.inProgress === 0);
      const second = send("POST", "runsync", { input: { echo: 1 } });
      while ((await send("GET", "health")).json.jobs.inQueue === 0);
      signal("SIGINT");
      signal("SIGINT");
      expect((await first).json).toMatchObject({ status: "FAILED", error: "worker shutting down" });
      expect((await second).json.status).toBe("CANCELLED");
      expect(await ended).toBe(130);
    });
  });
});
