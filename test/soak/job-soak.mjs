// A platform that fails at every call, workers that are told to leave, killed and
// started anew, and jobs that succeed, throw or are stopped: whatever happens, each
// job ends once, as it should, and none runs again but one whose hand-out, result or
// worker was destroyed on purpose.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";

const workerFile = join(import.meta.dirname, "../serverless/workers/worker.mjs");
const slots = 8;

/**
 * @typedef {object} JobSoakOptions
 * @property {number} jobs
 * @property {number} seed
 * @property {number} [faultRate] of calls that go wrong; default 0.05
 * @property {number} [workers] at once; default 3
 * @property {number} [chaosMs] between two workers being told to leave or killed; default 1500, 0: never
 * @property {number} [lost] results that the platform takes and forgets, as if a worker had; default 0
 * @property {number} [limitMs] until it gives up; default 10 minutes
 */

/**
 * @param {JobSoakOptions} options
 * @returns what happened, and the sentences that should have been true
 */
export async function soakJobs(options) {
  const soak = new JobSoak(options);
  try {
    return await soak.run();
  } finally {
    await soak.end();
  }
}

class JobSoak {
  #options;
  #platform;
  #state;
  #children = new Map();
  /** Those that were told to leave: a second signal would fail their jobs. */
  #leaving = new Set();
  #nextWorker = 0;
  #chaos;
  #expected = new Map();
  #memory = [];
  #over = false;

  constructor(options) {
    this.#options = { faultRate: 0.05, workers: 3, chaosMs: 1500, lost: 0, limitMs: 600_000, ...options };
    this.#state = options.seed;
  }

  async run() {
    const { jobs, seed, faultRate, workers, chaosMs, lost, limitMs } = this.#options;
    const faults = { seed, rate: faultRate, slowMs: 30 };
    this.#platform = await createPlatform({ faults, pingIntervalMs: 800, holdMs: 200 });
    this.#platform.script(
      "job-done",
      Array.from({ length: lost }, () => ({ status: 200, body: {} })),
    );
    for (let index = 0; index < workers; index += 1) this.#start();
    if (chaosMs > 0) this.#chaos = setInterval(() => this.#strike(), chaosMs);
    const started = performance.now();
    await this.#feed(jobs);
    const { book } = this.#platform;
    const done = () => book.all.every((job) => job.status !== "IN_QUEUE" && job.status !== "IN_PROGRESS");
    await this.#platform.until(done, "every job has ended", limitMs);
    const seconds = (performance.now() - started) / 1000;
    this.#over = true;
    clearInterval(this.#chaos);
    return { ...this.#report(), seconds };
  }

  /** As many jobs in the queue as keep the workers busy, until all were there. */
  async #feed(count) {
    for (let index = 0; index < count; index += 1) {
      const id = `job-${index}`;
      const throws = this.#random() < 0.05;
      const input = {
        echo: id,
        sleepMs: Math.floor(this.#random() * 8),
        ...(throws && { throws: `no ${id}` }),
      };
      this.#expected.set(id, throws ? "FAILED" : "COMPLETED");
      this.#platform.enqueue({ id, input });
      if (this.#random() < 0.02) this.#stopSoon(id);
      await this.#platform.until(() => this.#platform.book.queued < 4 * slots, "workers take jobs", 60_000);
      if (index % Math.ceil(count / 60) === 0) this.#look();
    }
  }

  #stopSoon(id) {
    setTimeout(() => {
      const job = this.#platform.job(id);
      if (job.status !== "IN_QUEUE" && job.status !== "IN_PROGRESS") return;
      this.#expected.set(id, "CANCELLED");
      this.#platform.stop(id);
    }, this.#random() * 20);
  }

  #start() {
    this.#nextWorker += 1;
    const id = `w${this.#nextWorker}`;
    const env = { PATH: process.env.PATH, TEST_SLOTS: String(slots), RUNPOD_LOG_LEVEL: "ERROR" };
    const child = spawn(process.execPath, ["--max-semi-space-size=1", workerFile], {
      env: { ...env, ...this.#platform.env({ RUNPOD_POD_ID: id }) },
      stdio: "ignore",
    });
    this.#children.set(id, child);
    child.on("exit", () => {
      this.#children.delete(id);
      if (!this.#over) this.#start();
    });
  }

  /** One worker is told to leave, or killed; the first one lives as long as the soak. */
  #strike() {
    const ids = [...this.#children.keys()].filter((id) => id !== "w1");
    const id = ids[Math.floor(this.#random() * ids.length)];
    const child = this.#children.get(id);
    if (child === undefined) return;
    if (this.#random() < 0.5 && !this.#leaving.has(id)) {
      this.#leaving.add(id);
      child.kill("SIGTERM");
      return;
    }
    this.#platform.workerKilled(id);
    child.kill("SIGKILL");
  }

  /** Resident memory of the worker that lives on. */
  #look() {
    const { pid } = this.#children.get("w1") ?? {};
    try {
      const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
      this.#memory.push(Number(kilobytes) * 1024);
    } catch {
      // No /proc here: nothing is said of memory.
    }
  }

  #report() {
    const { book, faults, violations } = this.#platform;
    const wrong = [];
    const reruns = { takes: 0, results: 0, workers: 0 };
    for (const job of book.all) {
      wrong.push(...this.#wrongWith(job));
      for (const { lapsed, destroyed } of job.leases) {
        if (!lapsed) continue;
        if (destroyed === undefined)
          wrong.push(`${job.id} ran again for no reason: ${job.history.join("; ")}`);
        else reruns[`${destroyed}s`] += 1;
      }
    }
    for (const sentence of violations) wrong.push(sentence);
    return {
      wrong,
      jobs: book.all.length,
      reruns,
      injected: faults.injected,
      workers: this.#nextWorker,
      memoryGrowth: this.#memoryGrowth(),
    };
  }

  /** Memory goes up and down with the collector: the lowest points tell what stays. */
  #memoryGrowth() {
    const warm = this.#memory.slice(Math.floor(this.#memory.length / 5));
    const third = Math.floor(warm.length / 3);
    if (third === 0) return undefined;
    return Math.min(...warm.slice(-third)) / Math.min(...warm.slice(0, third)) - 1;
  }

  #wrongWith({ id, status, done, history }) {
    const expected = this.#expected.get(id);
    const wrong = [];
    if (status !== expected) wrong.push(`${id} is ${status}, not ${expected}: ${history.join("; ")}`);
    if (done.length !== (expected === "CANCELLED" ? 0 : 1)) wrong.push(`${id} has ${done.length} results`);
    if (status === "COMPLETED" && done[0]?.output !== id) wrong.push(`${id} has another job's output`);
    return wrong;
  }

  async end() {
    this.#over = true;
    clearInterval(this.#chaos);
    const exits = [...this.#children.values()].map(
      (child) => new Promise((resolve) => child.on("exit", resolve)),
    );
    for (const child of this.#children.values()) child.kill("SIGKILL");
    await Promise.all(exits);
    await this.#platform?.close();
  }

  // mulberry32
  #random() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}
