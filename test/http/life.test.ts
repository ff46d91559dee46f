// A server's life: what it says while it loads, how it leaves, and that nothing which is
// under way is lost.
import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { textGenerationServed } from "../../src/endpoint/text-generation.js";
import type { Prepare } from "../../src/serverless/contract.js";
import { spoken } from "./attacks-requests.js";
import { call, json, portOf, startServer, until, withServer } from "./scene.js";

const story = (tokens: number) => JSON.stringify({ prompt: "Once", max_tokens: tokens, ignore_eos: true });

/** A server whose model is loaded when the test says so. @param loadingMs that work waits for it */
async function startGated(loadingMs: number) {
  let load = () => {};
  const gate = new Promise<void>((resolve) => {
    load = resolve;
  });
  const served = textGenerationServed({}, () => {});
  const { prepare } = served.options;
  const gated = (...given: Parameters<Prepare>) => gate.then(() => prepare?.(...given));
  const options = { ...served.options, prepare: gated };
  const started = startServer({ served: { ...served, options }, times: { loadingMs } });
  const url = `http://127.0.0.1:${await portOf(started)}`;
  return { url, started, load };
}

describe("a server", () => {
  it("answers probes while it loads, and refuses work that it cannot begin in time", async () => {
    const { url, started, load } = await startGated(1);
    expect((await call(`${url}/ping`)).status).toBe(204);
    expect((await call(`${url}/health`)).json).toMatchObject({ status: "loading" });
    const early = await call(`${url}/v1/completions`, "POST", story(1), json);
    expect(early).toMatchObject({ status: 503, json: { error: { code: "model_loading" } } });
    expect(early.headers["retry-after"]).toBe("1");
    load();
    while ((await call(`${url}/ping`)).status !== 200);
    expect((await call(`${url}/v1/completions`, "POST", story(1), json)).status).toBe(200);
    started.signal("SIGTERM");
    expect(await started.ended).toBe(0);
  });

  it("answers HTTP/1.0 without a host, which proxies send to see whether it lives", async () => {
    await withServer({}, async ({ port }) => {
      for (const path of ["/health", "/ping", "/v1/models"])
        expect(await spoken(port, [`GET ${path} HTTP/1.0\r\n\r\n`])).toMatchObject({ status: 200 });
    });
  });

  it("lets work wait for its model", async () => {
    const { url, started, load } = await startGated(25_000);
    const waiting = call(`${url}/v1/completions`, "POST", story(1), json);
    expect((await call(`${url}/ping`)).status).toBe(204);
    load();
    expect((await waiting).status).toBe(200);
    started.signal("SIGTERM");
    expect(await started.ended).toBe(0);
  });

  it("that is told to leave finishes what is under way and takes nothing more", async () => {
    await withServer({}, async ({ url, signal, ended, server, served }) => {
      const whole = call(`${url}/v1/completions`, "POST", story(120), json);
      const streamed = call(
        `${url}/v1/completions`,
        "POST",
        story(120).replace("{", '{"stream":true,'),
        json,
      );
      await until(() => served.text?.stats().running === 2);
      signal("SIGTERM");
      expect((await call(`${url}/ping`)).status).toBe(503);
      expect((await call(`${url}/health`)).json.status).toBe("draining");
      const late = await call(`${url}/v1/completions`, "POST", story(1), json);
      expect(late).toMatchObject({ status: 503, json: { error: { code: "shutting_down" } } });
      expect((await whole).json.usage.completion_tokens).toBe(120);
      expect((await streamed).text).toMatch(/data: \[DONE\]\n\n$/);
      expect(await ended).toBe(0);
      expect(server.jobs).toBe(0);
    });
  });

  it("that is told twice, or whose time is over, fails what is under way by an error", async () => {
    await withServer({}, async ({ url, signal, ended, served }) => {
      const whole = call(`${url}/v1/completions`, "POST", story(900), json);
      const body = story(900).replace("{", '{"stream":true,');
      const streamed = call(`${url}/v1/completions`, "POST", body, json);
      await until(() => served.text?.stats().running === 2);
      signal("SIGINT");
      signal("SIGINT");
      expect(await whole).toMatchObject({ status: 503, json: { error: { code: "shutting_down" } } });
      expect((await streamed).text).toMatch(
        /data: \{"error":\{"message":"the server is shutting down".*\[DONE\]/s,
      );
      expect(await ended).toBe(130);
    });
    await withServer({ options: { drainMs: 100 } }, async ({ url, signal, ended, served }) => {
      const whole = call(`${url}/v1/completions`, "POST", story(900), json);
      await until(() => served.text?.stats().running === 1);
      signal("SIGTERM");
      expect((await whole).status).toBe(503);
      expect(await ended).toBe(0);
    });
  });

  it("ends with 1 and the reason where its model or its port cannot be had", async () => {
    const missing = startServer({ environment: { MODEL_NAME: "/nowhere.gguf" } });
    expect(await missing.ended).toBe(1);
    expect(missing.lines.join("\n")).toContain("/nowhere.gguf");
    const other = createServer().listen(0, "127.0.0.1");
    await until(() => other.listening);
    const { port } = other.address() as { port: number };
    const taken = startServer({ options: { port } });
    expect(await taken.ended).toBe(1);
    expect(taken.lines.join("\n")).toContain(
      `cannot listen on 127.0.0.1:${port}: another program listens there; end it, or give another port by --port`,
    );
    other.close();
  });
});
