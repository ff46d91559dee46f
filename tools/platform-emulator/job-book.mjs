// The platform's jobs: the queue, who has leased which, and what became of each.
// A lease ends with the job's end, or by the lease clock: when its worker pinged in
// two intervals in a row without naming it, or was silent for long; then the job
// waits again. Each lease knows what was destroyed of it, so that a job that runs
// again for no reason can be told from one that had to.
import { randomUUID } from "node:crypto";

/**
 * @typedef {object} Lease one hand-out of a job
 * @property {string} workerId who has it
 * @property {"take" | "result" | "worker" | undefined} destroyed what never arrived, or who was killed
 * @property {boolean} lapsed whether the job was queued again
 * @property {boolean} judged whether the clock looks at it already
 * @property {number} unnamed intervals in a row with pings that do not name it
 * @property {number} silent intervals in a row without a ping
 */

/**
 * @typedef {object} BookedJob
 * @property {string} id
 * @property {object} payload what a take gets
 * @property {"IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED"} status
 * @property {number} takes how often it was handed out
 * @property {Lease[]} leases the hand-outs, oldest first
 * @property {string[]} history what became of it, a sentence each
 * @property {object[]} done bodies of job-done that were accepted
 * @property {unknown[]} stream items that were accepted
 * @property {unknown[]} progress
 * @property {string | undefined} workerId who has it
 */

/** Single pings may be lost on their way. */
const silentIntervals = 10;
/** Of an interval in which this process did not run on time: old pings are seen soon after. */
const lateWeight = 0.25;
const ended = new Set(["COMPLETED", "FAILED", "CANCELLED"]);

export class JobBook {
  #options;
  #changed;
  /** @type {Map<string, BookedJob>} */
  #jobs = new Map();
  #queue = [];
  #stops = [];
  /** What each worker's pings named since the last tick. */
  #named = new Map();
  #killed = new Set();
  #onTime = true;

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
      leases: [],
      history: [],
      done: [],
      stream: [],
      progress: [],
    };
    this.#jobs.set(id, { ...known, workerId: undefined });
    this.#queue.push(id);
    this.#changed();
    return id;
  }

  /** @returns {object[]} payloads */
  lease(workerId, count) {
    return this.#queue.splice(0, count).map((id) => {
      const job = this.get(id);
      Object.assign(job, { status: "IN_PROGRESS", workerId, takes: job.takes + 1 });
      const destroyed = this.#killed.has(workerId) ? "worker" : undefined;
      job.leases.push({ workerId, destroyed, lapsed: false, judged: false, unnamed: 0, silent: 0 });
      note(job, `handed to ${workerId}`);
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
    if (job !== undefined && !ended.has(job.status)) {
      job.status = "CANCELLED";
      note(job, "stopped");
    }
    this.#stops.push({ id, workerId: job?.workerId });
    this.#changed();
  }

  hasStops(workerId) {
    return this.#stops.some((stop) => concerns(stop, workerId));
  }

  takeStops(workerId) {
    const ids = this.#stops.filter((stop) => concerns(stop, workerId)).map((stop) => stop.id);
    this.#stops = this.#stops.filter((stop) => !concerns(stop, workerId));
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
    note(job, `${job.status} by ${workerId}`);
    this.ended += 1;
    return true;
  }

  #held(id, workerId) {
    const job = this.#jobs.get(id);
    return job?.status === "IN_PROGRESS" && job.workerId === workerId ? job : undefined;
  }

  /**
   * Something of a lease was destroyed on purpose: who holds the job will not have
   * it, or thinks its result delivered.
   * @param {"take" | "result"} what
   */
  destroy(id, workerId, what) {
    const job = this.#held(id, workerId);
    if (job === undefined) return;
    job.leases.at(-1).destroyed = what;
    note(job, `the ${what} of ${workerId} was destroyed`);
  }

  /** A worker was killed: what it has, and what its last calls may still be given, is lost. */
  kill(workerId) {
    this.#killed.add(workerId);
    for (const job of this.#jobs.values()) {
      if (this.#held(job.id, workerId) === undefined) continue;
      job.leases.at(-1).destroyed ??= "worker";
      note(job, `${workerId} was killed`);
    }
  }

  ping(workerId, ids) {
    const named = this.#named.get(workerId) ?? new Set();
    for (const id of ids) named.add(id);
    this.#named.set(workerId, named);
  }

  /**
   * A ping interval is over. A process that did not run for a while finds many pings
   * at once, some older than the leases it has just made: it judges by whole intervals
   * after a lease; one that it was late for, and the one after that, weigh little.
   * @param {boolean} [onTime] whether this process ran on time in it
   */
  tick(onTime = true) {
    const weight = onTime && this.#onTime ? 1 : lateWeight;
    this.#onTime = onTime;
    for (const job of this.#jobs.values()) if (job.status === "IN_PROGRESS") this.#judge(job, weight);
    this.#named.clear();
  }

  #judge(job, weight) {
    const lease = job.leases.at(-1);
    const named = this.#named.get(lease.workerId);
    if (named !== undefined) lease.silent = 0;
    if (named?.has(job.id)) lease.unnamed = 0;
    const { judged } = lease;
    lease.judged = true;
    if (!judged || named?.has(job.id)) return;
    if (named === undefined) lease.silent += weight;
    else {
      lease.unnamed += weight;
      note(job, `not named by ${lease.workerId}`);
    }
    if (lease.unnamed < this.#options.missedPings && lease.silent < silentIntervals) return;
    lease.lapsed = true;
    note(job, `queued again, ${lease.workerId} ${lease.unnamed > 0 ? "does not name it" : "is silent"}`);
    Object.assign(job, { status: "IN_QUEUE", workerId: undefined, stream: [], progress: [] });
    this.#queue.push(job.id);
    this.#changed();
  }
}

function concerns(stop, workerId) {
  return stop.workerId === undefined || stop.workerId === workerId;
}

function note(job, sentence) {
  job.history.push(`${performance.now().toFixed(0)} ms: ${sentence}`);
}
