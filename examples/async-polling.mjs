// A job that takes long: /run answers at once with an id, /status says what became of it. The output
// is in the status of a job that is COMPLETED; what /run answers has none.
//   node async-polling.mjs "Tell me a story about a fox."
import { setTimeout as sleep } from "node:timers/promises";

const server = process.env.INFERNODE_URL ?? "http://127.0.0.1:8000";
const endpoint = `${server}/v2/my-endpoint`;
const headers = {
  "Content-Type": "application/json",
  Authorization: `Bearer ${process.env.INFERNODE_API_KEY ?? ""}`,
};

async function call(path, body) {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${endpoint}${path}`, { headers, ...init });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path} answers ${response.status}: ${JSON.stringify(answer.error)}`);
  return answer;
}

const ended = new Set(["COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]);

const prompt = process.argv[2] ?? "Tell me a story about a fox.";
let job = await call("/run", { input: { prompt, params: { max_tokens: 60, temperature: 0 } } });
for (let wait = 100; !ended.has(job.status); wait = Math.min(2 * wait, 5000)) {
  await sleep(wait);
  job = await call(`/status/${job.id}`);
}
if (job.status !== "COMPLETED") throw new Error(`the job is ${job.status}: ${job.error}`);
console.log(job.output.generated_text);
console.log(`waited ${job.delayTime} ms, ran ${job.executionTime} ms`);
