// The worker's figures for Prometheus, on a port of their own where one is asked
// for. Counters are told of each job's end; what is a state is looked up when
// somebody asks. prom-client is loaded only then.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What a worker tells of its jobs. */
export interface WorkerMetrics {
  /** Jobs came from the platform. */
  taken(count: number): void;
  /** A poll for jobs failed. */
  takeFailed(): void;
  /** A job ended. @param seconds from its start */
  ended(outcome: "completed" | "failed" | "stopped", seconds: number): void;
  /** A result was given up. */
  resultLost(): void;
}

/** What can be looked up of a worker. */
export interface WorkerState {
  readonly running: number;
  readonly waiting: number;
  readonly undelivered: number;
}

/** Tells nobody. */
export const noMetrics: WorkerMetrics = {
  taken() {},
  takeFailed() {},
  ended() {},
  resultLost() {},
};

/** Metrics that are served. */
export interface ServedMetrics extends WorkerMetrics {
  readonly port: number;
  close(): Promise<void>;
}

const secondsBuckets = [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600];

/**
 * Serves GET /metrics. @param port 0 for any
 * @throws Error where the port cannot be had
 */
export async function serveMetrics(port: number, state: () => WorkerState): Promise<ServedMetrics> {
  const { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } = (await import("prom-client"))
    .default;
  const registers = [new Registry()];
  const [registry] = registers;
  if (registry === undefined) throw new Error("there is one registry");
  collectDefaultMetrics({ register: registry });
  const taken = new Counter({
    name: "infernode_jobs_taken_total",
    help: "Jobs taken from the platform.",
    registers,
  });
  const failures = new Counter({
    name: "infernode_take_failures_total",
    help: "Polls for jobs that failed.",
    registers,
  });
  const lost = new Counter({ name: "infernode_results_lost_total", help: "Results given up.", registers });
  const seconds = new Histogram({
    name: "infernode_job_seconds",
    help: "Seconds from a job's start to its end.",
    labelNames: ["outcome"],
    buckets: secondsBuckets,
    registers,
  });
  for (const [name, help] of [
    ["running", "Jobs that run."],
    ["waiting", "Jobs that wait for a slot."],
    ["undelivered", "Results on their way."],
  ] as const) {
    new Gauge({
      name: `infernode_jobs_${name}`,
      help,
      registers,
      collect() {
        this.set(state()[name]);
      },
    });
  }
  const server = await listen(port, async () => ({
    type: registry.contentType,
    text: await registry.metrics(),
  }));
  return {
    port: (server.address() as AddressInfo).port,
    taken: (count) => taken.inc(count),
    takeFailed: () => failures.inc(),
    ended: (outcome, took) => seconds.observe({ outcome }, took),
    resultLost: () => lost.inc(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(port: number, metrics: () => Promise<{ type: string; text: string }>): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== "/metrics") {
      response.writeHead(404).end("the metrics are at /metrics\n");
      return;
    }
    metrics().then(
      ({ type, text }) => response.writeHead(200, { "Content-Type": type }).end(text),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, resolve);
  });
  return server.unref();
}
