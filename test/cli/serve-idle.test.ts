// `infernode serve --min-workers 0` as a process: a model that is unloaded and loaded again.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";

const command = join(import.meta.dirname, "../../dist/cli/main.js");
/** Weights and cells of some 80 MB, so that its memory is seen among that of the process. */
const model = "synthetic:llama?layers=2&dim=256&vocab=8000&type=q8_0";

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [command, "serve", ...args], {
    env: { PATH: process.env.PATH, PORT: "0" },
  });
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said.text += chunk));
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, said, ended };
}

/** Bytes of the process that no file backs. */
function ownBytes(pid: number | undefined): number {
  const [, kilobytes] = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

describe("infernode serve --min-workers 0", () => {
  it("gives the model's memory back when nobody uses it, and loads it for the requests that come", async () => {
    const { child, said, ended } = start([model, "--min-workers", "0", "--idle-timeout", "1"]);
    try {
      const address = () => /Serving on (\S+)/.exec(said.text)?.[1];
      while (address() === undefined) await Promise.race([once(child.stdout, "data"), ended]);
      const before = ownBytes(child.pid);
      const url = address() ?? "";
      const health = async () => {
        const response = await fetch(`${url}/health`);
        const body = (await response.json()) as { readonly status: string };
        return [response.status, body.status] as const;
      };
      const asleep = async () => {
        while ((await health())[1] !== "asleep") await sleep(20);
        while (!(await metrics()).includes("infernode_model_loaded 0")) await sleep(20);
      };
      const metrics = async () => (await fetch(`${url}/metrics`)).text();
      await asleep();
      expect(await health()).toEqual([200, "asleep"]);
      expect((await fetch(`${url}/ping`)).status).toBe(200);
      while (before - ownBytes(child.pid) < 30e6) await sleep(20);

      // Many at once, of each kind: one load, and each is answered.
      const body = JSON.stringify({ prompt: "a", max_tokens: 3, ignore_eos: true });
      const calls = Array.from({ length: 6 }, () =>
        fetch(`${url}/v1/completions`, { method: "POST", body }).then((response) => response.json()),
      );
      const job = JSON.stringify({ input: { prompt: "a", sampling_params: { max_tokens: 2 } } });
      const jobs = Array.from({ length: 6 }, async () => {
        const sent = await fetch(`${url}/v2/any/runsync`, { method: "POST", body: job });
        let told = (await sent.json()) as { readonly id: string; readonly status: string };
        while (/^IN_/.test(told.status))
          told = (await (await fetch(`${url}/v2/any/status-sync/${told.id}`)).json()) as typeof told;
        return told;
      });
      expect((await (await fetch(`${url}/v1/models`)).json()) as object).toMatchObject({ object: "list" });
      for (const told of await Promise.all(calls))
        expect(told).toMatchObject({ usage: { completion_tokens: 3 } });
      for (const told of await Promise.all(jobs)) expect(told).toMatchObject({ status: "COMPLETED" });
      expect(await metrics()).toContain("infernode_model_loads_total 2");
      await asleep();
      // Counters go on over loads: two tokens of the warm-up each time.
      expect(await metrics()).toMatch(/^vllm:generation_tokens_total\{[^}]*\} 34$/m);
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it.each<[readonly string[], string]>([
    [["--idle-timeout", "5"], "--idle-timeout says when the model is unloaded, which needs --min-workers 0"],
    [["--min-workers", "2"], "Expected an integer from 0 to 1"],
    [["--min-workers", "0", "--idle-timeout", "0"], "Expected an integer from 1 to 604800"],
  ])("refuses %j in a sentence", async (args, sentence) => {
    const { said, ended } = start(args);
    expect([await ended, said.text]).toEqual([2, expect.stringContaining(sentence)]);
  });
});
