// A server in this process on a socket of its own: the embedded model, the real clients, and
// signals given by the test.
import http from "node:http";
import OpenAI from "openai";
import { judgeServeOptions, type ServeOptions } from "../../src/endpoint/options.js";
import type { Served } from "../../src/endpoint/served.js";
import { Server, type ServerTimes } from "../../src/endpoint/server.js";
import { textGenerationServed } from "../../src/endpoint/text-generation.js";
import type { Host, HostEvents } from "../../src/serverless/host.js";

export interface Scene {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly served: Served;
  readonly lines: readonly string[];
  signal(name: "SIGTERM" | "SIGINT"): void;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
  /** OpenAI's client. */
  client(apiKey?: string): OpenAI;
}

export interface SceneOptions {
  readonly options?: Partial<ServeOptions>;
  readonly times?: Partial<ServerTimes>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Served in place of the embedded model. */
  readonly served?: Served;
}

export const usualOptions: ServeOptions = {
  host: "127.0.0.1",
  port: 0,
  keys: [],
  behindGateway: false,
  origins: [],
  maxQueue: 64,
  maxBodyBytes: 1_000_000,
  playground: true,
  endpointId: undefined,
  allowsPrivateWebhooks: true,
  drainMs: 20_000,
};

/** Starts a server; it is up to the test to end it. Not loaded yet. */
export function startServer({ options, times, environment = {}, served: given }: SceneOptions = {}) {
  const lines: string[] = [];
  let events: HostEvents | undefined;
  const host: Host = {
    environment,
    arguments: [],
    directory: ".",
    write: (text) => void lines.push(text.trimEnd()),
    listen(heard) {
      events = heard;
      return () => {
        events = undefined;
      };
    },
    end: () => {},
  };
  const fail = () => {
    throw new Error("the engine broke");
  };
  const served = given ?? textGenerationServed({ MAX_NUM_SEQS: "4", ...environment }, fail);
  const server = new Server(served, judgeServeOptions({ ...usualOptions, ...options }), host, times);
  const ended = server.run(host);
  const signal = (name: "SIGTERM" | "SIGINT") => events?.onSignal(name);
  return { server, served, lines, signal, ended };
}

/** Runs the work with a server that is ready, and ends it whatever happens. */
export async function withServer(
  options: SceneOptions,
  work: (scene: Scene) => Promise<void>,
): Promise<void> {
  const started = startServer(options);
  try {
    const port = await portOf(started);
    const url = `http://127.0.0.1:${port}`;
    while ((await call(`${url}/ping`)).status !== 200);
    const client = (apiKey = "any") => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
    await work({ ...started, url, port, client });
  } finally {
    started.signal("SIGTERM");
    started.signal("SIGTERM");
    await started.ended;
  }
}

/** Where a server listens. @throws what it said where it ended before, which nobody need wait for */
export async function portOf({ server, ended, lines }: ReturnType<typeof startServer>): Promise<number> {
  let hasEnded = false;
  void ended.finally(() => {
    hasEnded = true;
  });
  while (server.port === undefined) {
    if (hasEnded) throw new Error(`the server ended before it listened: ${lines.join("\n")}`);
    await turn();
  }
  return server.port;
}

export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Turns of the event loop until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers
  readonly json: any;
}

/** A request as it is written here; fetch() sets some of these headers itself. */
export function call(
  url: string,
  method = "GET",
  body?: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(url, { method, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
      const json = isJson && text !== "" ? JSON.parse(text) : undefined;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
    });
    outgoing.on("error", reject).end(body);
  });
}

export const json = { "Content-Type": "application/json" };
