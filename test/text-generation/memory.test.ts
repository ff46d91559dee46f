// A whole service with default options in little memory. The kernel keeps the limit:
// what a process allocates beyond it fails.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const limitKib = 512 * 1024;
/** 3 MB of weights, 12 KiB of keys and values for each token. */
const model = "synthetic:llama?layers=24&dim=128&heads=2&kvHeads=2&feedForward=128&context=1024";

const words = "river stone lantern mountain whisper garden copper velvet thunder meadow".split(" ");

function prompt(seed: number): string {
  let state = seed * 7919 + 13;
  const text = [String(seed)];
  for (let word = 0; word < 480; word += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    text.push(words[state % words.length] ?? "");
  }
  return text.join(" ");
}

/** Seven megabytes of keys and values each; none begins like another. */
const prompts = Array.from({ length: 48 }, (_, index) => prompt(index));

interface Service {
  readonly child: ChildProcess;
  readonly base: string;
}

async function contained(): Promise<Service> {
  const args = ["dist/cli/main.js", "worker", "--rp_serve_api", "--rp_api_port", "0"];
  const script = `ulimit -d ${limitKib}; exec "$0" "$@"`;
  const child = spawn("sh", ["-c", script, process.execPath, ...args], {
    cwd: root,
    env: { ...process.env, MODEL_NAME: model },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    for await (const line of createInterface({ input: stream })) {
      said.push(line);
      const address = /https?:\/\/\S+/.exec(line)?.[0];
      if (line.includes("Serving the API") && address !== undefined) return { child, base: address };
    }
  }
  throw new Error(`the service did not start:\n${said.join("\n")}`);
}

async function complete(base: string, text: string): Promise<number> {
  const response = await fetch(`${base}/openai/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, prompt: text, max_tokens: 2 }),
  });
  await response.arrayBuffer();
  return response.status;
}

describe.runIf(process.platform === "linux")("a service with default options", () => {
  it("fits 512 MiB, however many prompts it has seen", { timeout: 240_000 }, async () => {
    const { child, base } = await contained();
    try {
      const waiting = [...prompts];
      const statuses: number[] = [];
      const client = async () => {
        for (let text = waiting.pop(); text !== undefined; text = waiting.pop())
          statuses.push(await complete(base, text));
      };
      await Promise.all(Array.from({ length: 2 }, client));
      expect(statuses).toEqual(prompts.map(() => 200));
    } finally {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    expect(child.signalCode).not.toBe("SIGABRT");
  });
});
