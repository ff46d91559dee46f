// A process that answers like an endpoint of OpenAI's API at times that are known, for the
// client to measure itself against. An address /ttft-50/itl-10/v1/completions says when: the
// first token 50 ms after the request, each other one 10 ms later; below /ttft-50/itl-10/noise-0.1/
// each of these times is drawn, with a deviation of a tenth, from the request's seed. The text of
// each token is the time in milliseconds after the request at which it was in fact sent, so that lateness
// of this process is not taken for an error of the client; the first token's text begins with the time at
// which the request was read, by the machine's clock (clock.ts). Started by calibration.ts and by tools/bench with
// an IPC channel; ends when that closes.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { machineTime } from "./clock.js";
import { Random } from "./random.js";

/** Connections that wait to be accepted, at most: a thousand clients begin at once. */
const backlog = 4096;

const addressForm = /^\/ttft-([\d.]+)\/itl-([\d.]+)\/(?:noise-([\d.]+)\/)?/;

/** The fields of a request that are read. */
interface RequestFields {
  readonly max_tokens?: number;
  readonly prompt?: string;
  readonly seed?: number;
}

const server = createServer((request, response) => {
  const receivedMs = performance.now();
  if (request.method === "GET") {
    response.writeHead(404).end(); // it has no /metrics
    return;
  }
  const pieces: Buffer[] = [];
  request.on("data", (piece: Buffer) => pieces.push(piece));
  // What came in the same turn of the event loop has its time before this request costs any.
  request.on("end", () => setImmediate(answer, request, response, { receivedMs, pieces }));
});

interface Received {
  readonly receivedMs: number;
  readonly pieces: readonly Buffer[];
}

function answer(request: IncomingMessage, response: ServerResponse, { receivedMs, pieces }: Received): void {
  const [, ttft = "0", itl = "0", noise = "0"] = addressForm.exec(request.url ?? "") ?? [];
  const body = JSON.parse(Buffer.concat(pieces).toString("utf8")) as RequestFields;
  const { max_tokens: count = 1, prompt = "", seed = 0 } = body;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  const send = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
  const random = noise === "0" ? null : new Random(`mock ${seed}`);
  const drawn = (ms: number) => ms * Math.exp(random === null ? 0 : Number(noise) * random.normal());
  const next = (sent: number, dueMs: number): void => {
    setTimeout(
      () => {
        const received = sent === 0 ? ` ${machineTime(receivedMs).toFixed(3)}` : "";
        const text = `${received} ${(performance.now() - receivedMs).toFixed(3)}`;
        send({ choices: [{ text, finish_reason: sent + 1 === count ? "length" : null }] });
        if (sent + 1 < count) return next(sent + 1, dueMs + drawn(Number(itl)));
        const usage = { prompt_tokens: prompt.split(" ").length, completion_tokens: count };
        send({ choices: [], usage });
        response.end("data: [DONE]\n\n");
      },
      Math.max(0, dueMs - performance.now()),
    );
  };
  next(0, receivedMs + drawn(Number(ttft)));
}

server.keepAliveTimeout = 0; // a busy machine must not lose connections between two requests
server.listen({ port: 0, host: "127.0.0.1", backlog }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on("disconnect", () => process.exit(0));
