// `infernode serve` as a process of its own, on CPUs of its own, and its clients in this one, which
// read streams of /v1/chat/completions. Takes what http-in-process.mjs does, and { cpus }: those of the
// server, as taskset names them. Answers the same, with the CPU time of both processes told apart.
import { readFileSync } from "node:fs";
import http from "node:http";
import { runLanes } from "../lanes.mjs";
import { startServe } from "../serve-process.mjs";

const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
const args = [task.model, "--chat-template", "chatml", "--device", "cpu"];
const size = ["--slots", String(task.slots), "--context-length", String(task.contextLength)];
const server = await startServe({ args: [...args, ...size], cpus: task.cpus });
const agent = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

/** Resolves to the usage; `onTokens` hears of events, which may be of several tokens or none. */
function generate(prompt, newTokens, onTokens) {
  const body = JSON.stringify({
    messages: [{ role: "user", content: prompt }],
    max_tokens: newTokens,
    temperature: 1, // greedily, random weights say one piece of text over and over
    seed: 1,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const options = { port: server.port, host: "127.0.0.1", path: "/v1/chat/completions", method: "POST" };
    const request = http.request({ ...options, agent, headers }, (answer) => {
      let last = "";
      answer.setEncoding("latin1").on("error", reject);
      answer.on("data", (text) => {
        onTokens(1);
        last = (last + text).slice(-1000);
      });
      answer.on("end", () => {
        const told = /"usage":(\{"prompt_tokens":(\d+),"total_tokens":\d+,"completion_tokens":(\d+))/.exec(
          last,
        );
        if (told === null) return reject(new Error(`an answer has no usage: ${answer.statusCode} ${last}`));
        resolve({ promptTokens: Number(told[2]), completionTokens: Number(told[3]) });
      });
    });
    request.on("error", reject).end(body);
  });
}

try {
  // What is compiled while it runs is compiled in both.
  for (let times = 0; times < 3; times += 1)
    await Promise.all(task.lanes.map((_, lane) => generate(`warm ${lane} ${times}`, 16, () => {})));
  const before = { server: server.cpuMs(), client: process.cpuUsage() };
  const begin = performance.now();
  const done = await runLanes(task.lanes, generate);
  const wall = performance.now() - begin;
  const { user, system } = process.cpuUsage(before.client);
  const cpuMs = server.cpuMs() - before.server;
  console.log(JSON.stringify({ done, wall, cpuMs, clientCpuMs: (user + system) / 1000 }));
} finally {
  agent.destroy();
  await server.stop();
}
