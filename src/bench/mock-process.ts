// A process that answers like an endpoint of OpenAI's API at times that are known, for the
// client to measure itself against. An address /ttft-50/itl-10/v1/completions says when: the
// first token 50 ms after the request, each other one 10 ms later. The text of each token is
// the time in milliseconds at which it was in fact sent, so that lateness of this process is
// not taken for an error of the client. Started by calibration.ts with an IPC channel; ends
// when that closes.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Connections that wait to be accepted, at most: a thousand clients begin at once. */
const backlog = 4096;

const server = createServer((request, response) => {
  if (request.method === "GET")
    response.writeHead(404).end(); // it has no /metrics
  else void answer(request, response, performance.now());
});

async function answer(request: IncomingMessage, response: ServerResponse, receivedMs: number): Promise<void> {
  const [, ttft = "0", itl = "0"] = /^\/ttft-(\d+)\/itl-(\d+)\//.exec(request.url ?? "") ?? [];
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const { max_tokens: count = 1, prompt = "" } = JSON.parse(body) as { max_tokens?: number; prompt?: string };
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  const send = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
  const next = (sent: number): void => {
    const dueMs = receivedMs + Number(ttft) + sent * Number(itl);
    setTimeout(
      () => {
        const text = ` ${(performance.now() - receivedMs).toFixed(3)}`;
        send({ choices: [{ text, finish_reason: sent + 1 === count ? "length" : null }] });
        if (sent + 1 < count) return next(sent + 1);
        const usage = { prompt_tokens: prompt.split(" ").length, completion_tokens: count };
        send({ choices: [], usage });
        response.end("data: [DONE]\n\n");
      },
      Math.max(0, dueMs - performance.now()),
    );
  };
  next(0);
}

server.keepAliveTimeout = 0; // a busy machine must not lose connections between two requests
server.listen({ port: 0, host: "127.0.0.1", backlog }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on("disconnect", () => process.exit(0));
