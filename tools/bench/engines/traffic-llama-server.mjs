// llama-server of the pinned tree under traffic: a process of its own, spoken to
// over HTTP with streamed answers, as it is used. Takes what
// traffic-infernode.mjs does, and { program, flags }; answers the same.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { runLanes } from "../lanes.mjs";

const kStartMs = 60_000;

const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const port = await freePort();
const cells = Math.ceil(task.contextLength / 256) * 256;
const server = spawn(
  task.program,
  ["-m", task.model, "--host", "127.0.0.1", "--port", String(port), "-ngl", "0", "-fa", "auto"].concat(
    ["-np", String(task.slots), "-c", String(cells * task.slots), "-t", String(task.threads)],
    task.flags,
  ),
  { stdio: ["ignore", "ignore", "pipe"] },
);
let log = "";
server.stderr.on("data", (text) => {
  log = (log + text).slice(-2000);
});
server.on("exit", (code) => {
  if (code === null || code === 0) return;
  console.error(log);
  process.exit(1);
});
process.on("exit", () => server.kill("SIGKILL"));
const agent = new http.Agent({ keepAlive: false, maxSockets: 256 });
await ready();
await generate("warm", 4, () => {});
console.log(JSON.stringify({ done: await runLanes(task.lanes, generate) }));
server.kill("SIGTERM");
agent.destroy();

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const { port: found } = probe.address();
      probe.close(() => resolve(found));
    });
  });
}

async function ready() {
  for (const deadline = performance.now() + kStartMs; performance.now() < deadline; await sleep(100)) {
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error("llama-server did not get ready");
}

function generate(prompt, newTokens, onTokens) {
  const body = JSON.stringify({
    prompt,
    n_predict: newTokens,
    temperature: 0,
    top_k: 1,
    ignore_eos: true,
    stream: true,
  });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/completion", method: "POST", agent, headers };
    const request = http.request(options, (answer) => {
      let promptTokens = 0;
      let rest = "";
      answer.setEncoding("utf8");
      answer.on("data", (text) => {
        const events = (rest + text).split("\n\n");
        rest = events.pop();
        for (const event of events) {
          if (!event.startsWith("data: ")) continue;
          const data = JSON.parse(event.slice(6));
          if (data.stop) promptTokens = data.tokens_evaluated;
          else onTokens(data.tokens?.length ?? 1);
        }
      });
      answer.on("end", () => resolve(promptTokens));
      answer.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}
