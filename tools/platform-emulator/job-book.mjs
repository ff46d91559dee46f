// The platform's jobs: the queue, who has leased which, and what became of each.
// A lease ends with the job's end, or when two pings in a row (or as much silence)
// do not name it: then the job waits again.
import { randomUUID } from "node:crypto";

/**
 * @typedef {object} BookedJob
 * @property {string} id
 * @property {object} payload what a take gets
 * @property {"IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED"} status
 * @property {number} takes how often it was handed out
 * @property {object[]} done bodies of job-done that were accepted
 * @property {unknown[]} stream items that were accepted
 * @property {unknown[]} progress
 * @property {string | undefined} workerId who has it
 */

/** Single pings may be lost on their way. */
const silentIntervals = 8;
const ended = new Set(["COMPLETED", "FAILED", "CANCELLED"]);

export class JobBook {
  #options;
  #changed;
  /** @type {Map<string, BookedJob>} */
  #jobs = new Map();
  #queue = [];
  #stops = [];
  /** When each worker last pinged. */
  #pinged = new Map();

  constructor(options, changed) {
    this.#options = options;
    this.#changed = changed;
  }

  get queued() {
    return this.#queue.length;
  }

  /** Jobs that have ended. */
  ended = 0;

  get all() {
    return [...this.#jobs.values()];
  }

  /** @returns {BookedJob} */
  get(id) {
    const job = this.#jobs.get(id);
    if (job === undefined) throw new Error(`no job ${id}`);
    return job;
  }

  enqueue(payload) {
    const id = String(payload.id ?? `${randomUUID()}-u1`);
    const known = {
      id,
      payload: { id, ...payload },
      status: "IN_QUEUE",
      takes: 0,
      done: [],
      stream: [],
      progress: [],
    };
    this.#jobs.set(id, { ...known, workerId: undefined, missed: 0 });
    this.#queue.push(id);
    this.#changed();
    return id;
  }

  /** @returns {object[]} payloads */
  lease(workerId, count) {
    return this.#queue.splice(0, count).map((id) => {
      const job = this.get(id);
      Object.assign(job, { status: "IN_PROGRESS", workerId, missed: 0, takes: job.takes + 1 });
      this.#pinged.set(workerId, this.#pinged.get(workerId) ?? performance.now());
      return job.payload;
    });
  }

  /** Takes waiting jobs away. @returns {number} how many */
  purge() {
    const waiting = this.#queue.splice(0);
    for (const id of waiting) this.get(id).status = "CANCELLED";
    this.#changed();
    return waiting.length;
  }

  stop(id) {
    const job = this.#jobs.get(id);
    this.#queue = this.#queue.filter((queued) => queued !== id);
    if (job !== undefined && !ended.has(job.status)) job.status = "CANCELLED";
    this.#stops.push({ id, workerId: job?.workerId });
    this.#changed();
  }

  takeStops(workerId) {
    const mine = (stop) => stop.workerId === undefined || stop.workerId === workerId;
    const ids = this.#stops.filter(mine).map((stop) => stop.id);
    this.#stops = this.#stops.filter((stop) => !mine(stop));
    return ids;
  }

  stream(id, workerId, output) {
    const job = this.#held(id, workerId);
    job?.stream.push(output);
    return job !== undefined;
  }

  progress(id, workerId, output) {
    const job = this.#held(id, workerId);
    job?.progress.push(output);
    return job !== undefined;
  }

  /** @returns {boolean} false where the job has ended or is nobody's */
  finish(id, workerId, body) {
    const job = this.#held(id, workerId);
    if (job === undefined) return false;
    job.done.push(body);
    job.status = body.error === undefined ? "COMPLETED" : "FAILED";
    this.ended += 1;
    return true;
  }

  #held(id, workerId) {
    const job = this.#jobs.get(id);
    return job?.status === "IN_PROGRESS" && job.workerId === workerId ? job : undefined;
  }

  ping(workerId, ids) {
    this.#pinged.set(workerId, performance.now());
    for (const job of this.#jobs.values()) {
      if (job.workerId !== workerId || job.status !== "IN_PROGRESS") continue;
      job.missed = ids.includes(job.id) ? 0 : job.missed + 1;
      this.#requeueMissed(job);
    }
  }

  /** Counts a ping that should have come, of workers that have been silent for long. */
  missSilentWorkers() {
    const late = performance.now() - silentIntervals * this.#options.pingIntervalMs;
    for (const job of this.#jobs.values()) {
      if (job.status !== "IN_PROGRESS" || (this.#pinged.get(job.workerId) ?? 0) > late) continue;
      job.missed += 1;
      this.#requeueMissed(job);
    }
  }

  #requeueMissed(job) {
    if (job.missed < this.#options.missedPings) return;
    Object.assign(job, { status: "IN_QUEUE", workerId: undefined, missed: 0, stream: [], progress: [] });
    this.#queue.push(job.id);
    this.#changed();
  }
}
