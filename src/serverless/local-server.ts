// Serves the local API over HTTP until the process is told to leave; then the
// jobs it has are finished. @returns the exit code.
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { sleep } from "../backoff.js";
import { messageOfThrown } from "../thrown.js";
import { Concurrency } from "./concurrency.js";
import type { WorkerConfig } from "./config.js";
import type { WorkerOptions } from "./contract.js";
import { Heartbeat } from "./heartbeat.js";
import type { Host } from "./host.js";
import { jsonOf } from "./job-view.js";
import { listenForLeaving } from "./leaving.js";
import { type ApiAnswer, LocalApi } from "./local-api.js";
import { LocalJobs } from "./local-jobs.js";
import { type Mode, preparedLocally } from "./local-mode.js";
import type { Logger } from "./logger.js";
import { whyNotListening } from "./not-listening.js";
import { unlessLeaving } from "./preparing.js";
import { Webhooks } from "./webhooks.js";

type ApiMode = Extract<Mode, { readonly type: "api" }>;

/** RunPod's limit of a request to /runsync. */
const requestBytes = 20_000_000;
/** Milliseconds the last answers get to reach their callers. */
const lastAnswersMs = 1000;

export async function serveApi(
  mode: ApiMode,
  options: WorkerOptions,
  config: WorkerConfig,
  logger: Logger,
  host: Host,
): Promise<number> {
  const concurrency = new Concurrency(options.concurrencyModifier, logger);
  const webhooks = new Webhooks(logger);
  const jobs = new LocalJobs({
    options,
    config,
    logger,
    limit: async () => mode.concurrency ?? (await concurrency.next()),
    onEnd: (job) => webhooks.tell(job),
  });
  const heartbeat = new Heartbeat(config, logger);
  const leaving = listenForLeaving(jobs, config, logger, host);
  const server = createServer(new LocalApi(jobs, config.endpointId));
  try {
    if (mode.realtime && heartbeat.possible) await heartbeat.start();
    const ready = await unlessLeaving(leaving, (signal) => preparedLocally(options, logger, signal));
    if (!ready) return 1;
    if (!jobs.stopped && !(await listening(server, mode, logger))) return 1;
    const answered = jobs.drained().then(() => webhooks.settled());
    await Promise.race([answered, leaving.forced]);
    return leaving.code();
  } finally {
    leaving.stop();
    await Promise.all([heartbeat.stop(), closed(server)]);
  }
}

async function listening(server: http.Server, { host, port }: ApiMode, logger: Logger): Promise<boolean> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (thrown) {
    logger.error(`The API cannot listen on ${host}:${port}: ${whyNotListening(thrown, "--rp_api_port")}`);
    return false;
  }
  const { port: actual } = server.address() as AddressInfo;
  logger.info(`Serving the API on http://${host}:${actual}`);
  return true;
}

async function closed(server: http.Server): Promise<void> {
  if (!server.listening) return;
  const close = new AbortController();
  server.close(() => close.abort());
  server.closeIdleConnections();
  await sleep(lastAnswersMs, close.signal);
  server.closeAllConnections();
}

function createServer(api: LocalApi): http.Server {
  return http.createServer(async (request, response) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const said = await answer(api, request, gone.signal)
      .then(written)
      .catch((thrown: unknown) => written({ status: 500, body: { error: messageOfThrown(thrown) } }));
    if ("events" in said) {
      response.writeHead(said.status, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
      await pipeline(Readable.from(said.events), response).catch(() => {}); // the caller left
      return;
    }
    const { status, headers, text } = said;
    const length = Buffer.byteLength(text);
    response
      .writeHead(status, { ...headers, "Content-Type": "application/json", "Content-Length": length })
      .end(text);
  });
}

/** @throws for a body that is nested too deeply */
function written(said: ApiAnswer) {
  if ("events" in said) return said;
  const { status, headers, body } = said;
  return { status, headers, text: jsonOf(body) };
}

async function answer(api: LocalApi, request: http.IncomingMessage, signal: AbortSignal): Promise<ApiAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= requestBytes) chunks.push(chunk);
  }
  if (bytes > requestBytes) {
    return {
      status: 413,
      body: { error: `a request must have at most ${requestBytes} bytes, got ${bytes}` },
    };
  }
  const body = Buffer.concat(chunks).toString("utf8");
  const { method = "GET", url = "/", headers } = request;
  return api.answer({ method, url, headers, body, signal });
}
