// That no job and no answer is lost in silence when a server ends, however it ends.
import { once } from "node:events";
import http from "node:http";
import { describe, expect, it } from "vitest";
import { sleep } from "../../src/backoff.js";
import { JobApi } from "../../src/endpoint/job-api.js";
import { BodyBudget } from "../../src/http/body-budget.js";
import { doneEvent } from "../../src/http/replies.js";
import type { StartOptions } from "../../src/serverless/contract.js";
import { usualTimes } from "../../src/serverless/job-request.js";
import { LocalJobs } from "../../src/serverless/local-jobs.js";
import { Logger } from "../../src/serverless/logger.js";
import { call, json, portOf, startServer } from "../http/scene.js";
import { configOf, gate, judged } from "../serverless/harness.js";
import { obedient, withHandler, withHook } from "./scene.js";

/** A request whose body comes when the test says so; resolves once the server has its headers. */
async function begin(url: string) {
  const headers = { ...json, Expect: "100-continue" };
  const outgoing = http.request(url, { method: "POST", headers, agent: false });
  const status = new Promise<number | undefined>((resolve, reject) => {
    outgoing.on("error", reject).on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  outgoing.flushHeaders();
  await new Promise<void>((resolve) => outgoing.on("continue", resolve));
  return { send: (body: string) => outgoing.end(body), status };
}

describe("a request whose body ends after the server was told to leave", () => {
  it.each(["run", "runsync", "openai/v1/completions"])("is refused: %s", async (path) => {
    const ending = gate();
    await withHandler(
      async () => void (await ending.opened),
      async ({ url, send, signal, ended }) => {
        const running = send("POST", "runsync", { input: 1 });
        while ((await send("GET", "health")).json.jobs.inProgress === 0);
        const late = await begin(`${url}/v2/ep/${path}`);
        signal("SIGTERM");
        late.send('{"input":2}');
        const answered = late.status.finally(() => ending.open());
        expect(await answered).toBe(503);
        expect((await running).json.status).toBe("COMPLETED");
        expect(await ended).toBe(0);
      },
    );
  });

  it("is refused where it is a retry, too", async () => {
    const fails = async () => {
      throw new Error("no");
    };
    const jobs = new LocalJobs({
      options: judged({ handler: fails }),
      config: configOf({}),
      logger: new Logger(() => {}, "NOTSET", false),
      limit: async () => 1,
      onEnd: () => {},
    });
    const api = new JobApi({
      jobs,
      budget: new BodyBudget(1000),
      limitBytes: 1000,
      allowsPrivateWebhooks: true,
      isReady: () => true,
    });
    await (await jobs.submit({ id: "a", input: 1 }, 1, usualTimes)).untilEnded();
    jobs.stop();
    const retried = await api.reply("retry/a", new Request("http://localhost/retry/a", { method: "POST" }));
    expect([retried.status, await retried.json()]).toEqual([503, { error: "the server is shutting down" }]);
  });
});

describe("a webhook of a job that a server's end takes", () => {
  const lastWebhooksMs = 60_000;
  /** Long enough that a server which does not wait has ended before. */
  const slowly = 300;

  it("is told at a forced end, of jobs that run and that wait", async () => {
    await withHook(async (webhook, told) => {
      const more = { times: { lastWebhooksMs } };
      await withHandler(
        obedient,
        async ({ send, signal, ended }) => {
          for (let sent = 0; sent < 4; sent += 1)
            await send("POST", "run", { input: { hangs: true }, webhook });
          signal("SIGTERM");
          signal("SIGTERM");
          expect(await ended).toBe(0);
          const statuses = told.map((body) => (body as { status: string }).status);
          expect(statuses.sort()).toEqual(["CANCELLED", "CANCELLED", "CANCELLED", "FAILED"]);
        },
        more,
      );
    }, slowly);
  });

  it("is told where the worker cannot be prepared, and so is the caller", async () => {
    await withHook(async (webhook, told) => {
      const loading = gate();
      const prepare = async () => {
        await loading.opened;
        throw new Error("no model");
      };
      const options = judged({ handler: obedient, prepare });
      const served = { options, text: undefined, close: async () => {} };
      const started = startServer({ served, times: { lastWebhooksMs } });
      const { ended } = started;
      const url = `http://127.0.0.1:${await portOf(started)}/v2/ep`;
      const body = JSON.stringify({ input: 1, webhook });
      const waiting = call(`${url}/runsync`, "POST", body, json);
      while ((await call(`${url}/health`)).json.jobs.inQueue === 0);
      loading.open();
      expect(await ended).toBe(1);
      const error = "the worker cannot be prepared";
      expect(told).toEqual([expect.objectContaining({ status: "CANCELLED", error })]);
      expect((await waiting).json).toEqual(told[0]);
    }, slowly);
  });
});

describe("an answer that its client takes slowly", () => {
  const bytes = 15_000_000;
  const blob = "x".repeat(bytes);
  const asEvents: StartOptions["handler"] = async function* () {
    for (let sent = 0; sent < 15; sent += 1) yield `data: ${"y".repeat(bytes / 15)}\n\n`;
    yield doneEvent;
  };

  /** The answer's head; its body waits until it is taken. */
  async function ask(url: string) {
    const outgoing = http.request(url, { method: "POST", headers: json, agent: false });
    outgoing.end('{"input":1,"stream":true}');
    const [response] = (await once(outgoing, "response")) as [http.IncomingMessage];
    const take = async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    };
    return { response, take };
  }

  it.each<[string, StartOptions["handler"], RegExp]>([
    ["runsync", async () => blob, /"COMPLETED"/],
    ["openai/v1/completions", asEvents, /data: \[DONE\]\n\n$/],
  ])("is whole, though the server was told to leave: %s", async (path, handler, whole) => {
    await withHandler(
      handler,
      async ({ url, send, signal, ended }) => {
        const { take } = await ask(`${url}/v2/ep/${path}`);
        while ((await send("GET", "health")).json.jobs.completed === 0);
        signal("SIGTERM");
        await Promise.race([ended, sleep(1500)]); // longer than the last answers get
        const text = await take();
        expect(text.length).toBeGreaterThan(bytes);
        expect(text).toMatch(whole);
        expect(await ended).toBe(0);
      },
      { options: { drainMs: 60_000 } },
    );
  });

  it("is cut off when the time to end is over", async () => {
    await withHandler(
      async () => blob,
      async ({ url, signal, ended, lines }) => {
        const { response, take } = await ask(`${url}/v2/ep/runsync`);
        signal("SIGTERM");
        expect(await ended).toBe(0);
        expect(lines.join("\n")).toContain("1 requests did not end within 100 ms and are failed.");
        await expect(take()).rejects.toThrow("aborted");
        expect(response.complete).toBe(false);
      },
      { options: { drainMs: 100 } },
    );
  });
});
