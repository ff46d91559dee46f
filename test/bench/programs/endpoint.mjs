// An endpoint of OpenAI's API in a process of its own that answers at once, and in ways that a
// benchmark must survive; the address says which: /plain, /no-ignore-eos, /no-usage, /locked (its
// key is "right"), /busy (after seven requests, every third gets 503), /cut (likewise, answers
// end early), /dies-N (the process ends after N answers), /stalls-N (no more answers after N),
// /drips (a token every two milliseconds; answers that the client closes early are counted).
// /letters counts a token for each letter of a prompt, as tokenizers give words different numbers of them.
// /metered has vLLM's /metrics, in which each request waited for 4 ms.
// Counts what it answered, for GET /counts. Tells its port by IPC.
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const counts = { answers: 0, tokens: 0, refused: 0, cut: 0, closed: 0 };
let asked = 0;

const server = createServer(async (request, response) => {
  if (request.url === "/metered/metrics") return response.end(metrics());
  const [, mode = "", route = ""] = /^\/([\w-]+)(?:\/v1(\/.*))?$/.exec(request.url) ?? [];
  if (mode === "counts") return response.end(JSON.stringify(counts));
  const key = request.headers.authorization;
  if (mode === "locked" && key !== "Bearer right") return fail(response, 401, "Incorrect API key provided");
  if (route === "/models") return response.end(JSON.stringify({ data: [{ id: "fox" }, { id: "owl" }] }));
  if (request.method === "GET") return fail(response, 404, "no such page");
  let text = "";
  for await (const chunk of request) text += chunk;
  answer(mode, JSON.parse(text), response);
});

function metrics() {
  const sums = { request_queue_time_seconds_sum: 0.004 * counts.answers };
  sums.request_queue_time_seconds_count = counts.answers;
  sums.generation_tokens_total = counts.tokens;
  return Object.entries(sums)
    .map(([name, value]) => `vllm:${name}{engine="0",model_name="fox"} ${value}\n`)
    .join("");
}

async function answer(mode, body, response) {
  if (body.model !== "fox") return fail(response, 404, `The model ${body.model} does not exist`);
  if (mode === "no-ignore-eos" && "ignore_eos" in body) {
    return fail(response, 400, "Unrecognized request argument supplied: ignore_eos");
  }
  if (body.echo) return fail(response, 400, "echo is not supported");
  asked += 1;
  const [, deaths] = /^dies-(\d+)$/.exec(mode) ?? [];
  if (deaths !== undefined && asked > Number(deaths)) process.exit(0);
  const [, stall] = /^stalls-(\d+)$/.exec(mode) ?? [];
  if (stall !== undefined && asked > Number(stall)) return;
  const isUnlucky = asked > 7 && asked % 3 === 0;
  if (mode === "busy" && isUnlucky) {
    counts.refused += 1;
    return fail(response, 503, "overloaded");
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (value) => response.write(`data: ${JSON.stringify(value)}\n\n`);
  const isCut = mode === "cut" && isUnlucky;
  const count = isCut ? 1 : body.max_tokens;
  let isClosed = false;
  response.on("close", () => (isClosed = true));
  for (let index = 0; index < count; index += 1) {
    // Long before the last one: a client that closes after any other is seen to.
    if (mode === "drips") await pause(index + 1 === count ? 300 : 2);
    if (isClosed) {
      counts.closed += 1;
      return;
    }
    const last = index + 1 === count && !isCut;
    const delta = body.messages ? { delta: { content: " né" } } : { text: " né" };
    send({ choices: [{ ...delta, finish_reason: last ? "length" : null }] });
  }
  if (isCut) {
    counts.cut += 1;
    return response.end();
  }
  counts.answers += 1;
  counts.tokens += count;
  const prompt = body.prompt ?? body.messages.map(({ content }) => content).join(" ");
  const ofWords = mode === "letters" ? prompt.replaceAll(" ", "").length : 2 * prompt.split(" ").length;
  const usage = { prompt_tokens: 7 + ofWords, completion_tokens: count };
  if (mode !== "no-usage") send({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

function fail(response, status, message) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: { message } }));
}

server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit(0));
