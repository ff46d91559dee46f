// One client for every server that speaks OpenAI's /v1/completions: streamed answers, as services
// read them. The server's own count of tokens comes with the last event.
import http from "node:http";

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

// Resolves, for prompts handed over at once, to what a worker answers (worker.mjs).
export async function completeAll(origin, prompts, newTokens, extra) {
  const began = performance.now();
  const answers = await Promise.all(prompts.map((prompt) => complete(origin, prompt, newTokens, extra)));
  return {
    wallMs: Math.max(...answers.map(({ ended }) => ended)) - began,
    promptTokens: answers.map(({ usage }) => usage?.prompt_tokens ?? 0),
    generatedTokens: answers.map(({ usage }) => usage?.completion_tokens ?? 0),
    countedTokens: answers.map(({ pieces }) => pieces),
    texts: answers.map(({ text }) => text),
  };
}

function complete(origin, prompt, newTokens, extra) {
  const body = JSON.stringify({
    model: "m",
    prompt,
    max_tokens: newTokens,
    temperature: 0,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
    ...extra,
  });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const request = http.request(`${origin}/v1/completions`, { method: "POST", agent, headers }, (answer) => {
      answer.setEncoding("utf8");
      const read = answer.statusCode === 200 ? readEvents : refuse;
      read(answer).then(resolve, reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

// The time of the last text, not of the connection's end: [DONE] is no token.
async function readEvents(answer) {
  const result = { text: "", pieces: 0, ended: 0, usage: undefined };
  let rest = "";
  for await (const bytes of answer) {
    const events = (rest + bytes).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (event.startsWith("data: {")) takeEvent(JSON.parse(event.slice(6)), result);
    }
  }
  return result;
}

function takeEvent({ choices, usage, error }, result) {
  if (error !== undefined) throw new Error(`the server failed: ${JSON.stringify(error)}`);
  if (usage) result.usage = usage;
  const [choice] = choices ?? [];
  if (choice === undefined) return;
  result.ended = performance.now();
  if (choice.text === undefined || choice.text === "") return;
  result.text += choice.text;
  result.pieces += 1;
}

async function refuse(answer) {
  let text = "";
  for await (const bytes of answer) text += bytes;
  throw new Error(`the server answered ${answer.statusCode}: ${text.slice(0, 300)}`);
}
