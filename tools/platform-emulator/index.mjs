// RunPod on this machine, as a worker sees it (jobs to take, stops, streams,
// results, pings) and as a client does (run, status, stream, OpenAI). For tests and
// benchmarks only. Strict: what a worker must not send is written down as a
// violation. Answers can be scripted call by call, or go wrong at random by a seed;
// everything that passed is in the trace.
import { EventEmitter } from "node:events";
import { clientRoutes } from "./client-routes.mjs";
import { Faults } from "./faults.mjs";
import { JobBook } from "./job-book.mjs";
import { listen } from "./server.mjs";
import { workerRoutes } from "./worker-routes.mjs";

const patienceMs = 25_000;

/**
 * @typedef {object} PlatformOptions
 * @property {string} [endpointId] default "ep"
 * @property {string} [workerId] default "w1"
 * @property {string} [apiKey] default "secret-key"
 * @property {number} [holdMs] how long a take or stop poll is held open without a job; default 300
 * @property {number} [pingIntervalMs] what workers are told; default 200
 * @property {number} [missedPings] ping intervals in a row without a job's id after which it is queued again; default 2
 * @property {import("./faults.mjs").FaultOptions} [faults] default none
 */

/** @param {PlatformOptions} [options] */
export async function createPlatform(options = {}) {
  const given = {
    endpointId: "ep",
    workerId: "w1",
    apiKey: "secret-key",
    holdMs: 300,
    pingIntervalMs: 200,
    missedPings: 2,
    ...options,
  };
  const platform = new Platform(given);
  await platform.open();
  return platform;
}

export class Platform {
  #options;
  #changes = new EventEmitter({ captureRejections: false });
  #scripts = new Map();
  #server;
  #leaseTimer;

  constructor(options) {
    this.#options = options;
    this.#changes.setMaxListeners(0);
    this.faults = new Faults(options.faults);
    this.book = new JobBook(options, () => this.changed());
    /** Everything that passed, oldest first. */
    this.trace = [];
    /** Sentences about what a worker must not do. */
    this.violations = [];
  }

  async open() {
    this.#server = await listen(
      this,
      both(workerRoutes(this, this.#options), clientRoutes(this, this.#options)),
    );
    this.url = this.#server.url;
    const { pingIntervalMs } = this.#options;
    let last = performance.now();
    const tick = () => {
      const now = performance.now();
      this.book.tick(now - last < 1.5 * pingIntervalMs);
      last = now;
    };
    this.#leaseTimer = setInterval(tick, pingIntervalMs).unref();
  }

  async close() {
    clearInterval(this.#leaseTimer);
    this.closed = true;
    this.changed();
    await this.#server.close();
  }

  /**
   * The environment of a worker.
   * @param {Record<string, string | undefined>} [over] what differs
   */
  env(over = {}) {
    const { endpointId, workerId, apiKey, pingIntervalMs } = this.#options;
    const base = `${this.url}/v2/${endpointId}`;
    const gpu = "?gpu=NVIDIA+RTX+4090";
    const environment = {
      RUNPOD_WEBHOOK_GET_JOB: `${base}/job-take/$ID${gpu}`,
      RUNPOD_WEBHOOK_POST_OUTPUT: `${base}/job-done/$RUNPOD_POD_ID/$ID${gpu}`,
      RUNPOD_WEBHOOK_POST_STREAM: `${base}/job-stream/$RUNPOD_POD_ID/$ID${gpu}`,
      RUNPOD_WEBHOOK_PING: `${base}/ping/$RUNPOD_POD_ID`,
      RUNPOD_PING_INTERVAL: String(pingIntervalMs),
      RUNPOD_AI_API_KEY: apiKey,
      RUNPOD_POD_ID: workerId,
      // The machine that runs a test is not the one a worker is to judge.
      RUNPOD_SKIP_AUTO_SYSTEM_CHECKS: "true",
      RUNPOD_SKIP_GPU_CHECK: "true",
      ...over,
    };
    return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
  }

  /**
   * Puts a job in the queue.
   * @param {object} job with input, or with anything else a test wants to send; an id is made where there is none
   * @returns {string} its id
   */
  enqueue(job) {
    return this.book.enqueue(job);
  }

  /** Tells workers to stop a job. @param {string} id */
  stop(id) {
    this.book.stop(id);
  }

  /** Writes down that a worker was killed: the jobs it has will run again. @param {string} workerId */
  workerKilled(workerId) {
    this.book.kill(workerId);
  }

  /** What is known of a job. @param {string} id */
  job(id) {
    return this.book.get(id);
  }

  /**
   * Answers the next calls of a route in another way, one after the other.
   * Fields: status, headers, body (text or a value), delayMs, drop ("before" the call
   * is looked at or "after"), lateMs (from then to the answer), truncate, redirect (to
   * the call's own URL), pass (look at the call, then answer so).
   * @param {string} route job-take, job-take-batch, job-stop, job-stream, job-done or ping
   * @param {readonly object[]} responses
   */
  script(route, responses) {
    this.#scripts.set(route, [...(this.#scripts.get(route) ?? []), ...responses]);
  }

  /** The next scripted answer of a route, or the injector's. */
  nextTrouble(route) {
    return this.#scripts.get(route)?.shift() ?? this.faults.next(route);
  }

  /** The calls of a route, oldest first. @param {...string} routes */
  calls(...routes) {
    return this.trace.filter((call) => routes.includes(call.route));
  }

  changed() {
    this.#changes.emit("change");
  }

  /** Resolves at the next change, or after the time. @param {number} [milliseconds] */
  nextChange(milliseconds) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#changes.off("change", end);
        resolve(undefined);
      };
      const timer = milliseconds === undefined ? undefined : setTimeout(end, milliseconds);
      this.#changes.once("change", end);
    });
  }

  /**
   * Resolves once the condition holds; looks at every change.
   * @param {() => unknown} condition
   * @param {string} [what] for the error
   * @param {number} [limitMs] until it gives up
   */
  async until(condition, what = String(condition), limitMs = patienceMs) {
    const end = performance.now() + limitMs;
    while (!condition()) {
      const left = end - performance.now();
      if (left <= 0) throw new Error(`waited ${limitMs} ms in vain for: ${what}`);
      await this.nextChange(Math.min(left, 50)); // what happens outside is seen too
    }
  }
}

/** Two sets of routes as one. */
function both(one, other) {
  return {
    find(method, url) {
      const found = one.find(method, url);
      if (found) return { ...found, owner: one };
      const second = other.find(method, url);
      return second && { ...second, owner: other };
    },
    answer: (call, connection) => call.owner?.answer(call, connection) ?? { status: 404 },
  };
}
