// Lets calls go wrong at random, the same way for the same seed. What that destroys
// (jobs handed out that never arrive, results that are sent away) is told to the
// book of jobs, by the server.

/**
 * @typedef {object} FaultOptions
 * @property {number} seed
 * @property {number} rate of calls that go wrong, 0 to 1
 * @property {readonly string[]} [routes] default all
 * @property {number} [slowMs] of a slow answer; default 50
 */

const all = ["job-take", "job-take-batch", "job-stop", "job-stream", "job-done", "ping"];

export class Faults {
  #options;
  #state;
  /** Calls that went wrong. */
  injected = 0;

  /** @param {FaultOptions} [options] */
  constructor(options) {
    this.#options = options;
    this.#state = options?.seed ?? 0;
  }

  /** No more from now on. */
  stop() {
    this.#options = undefined;
  }

  next(route) {
    const options = this.#options;
    if (options === undefined || !(options.routes ?? all).includes(route)) return undefined;
    if (this.#random() >= options.rate) return undefined;
    this.injected += 1;
    const troubles = this.#troubles(route, options.slowMs ?? 50);
    return troubles[Math.floor(this.#random() * troubles.length)];
  }

  #troubles(route, slowMs) {
    const common = [
      { drop: "before" },
      { drop: "after" },
      { status: 500 },
      { status: 502, body: "<html>bad gateway</html>", headers: { "Content-Type": "text/html" } },
      { status: 429, headers: { "Retry-After": "0.05" } },
      { delayMs: slowMs },
      { truncate: true },
    ];
    if (route === "job-done" || route === "job-stream") {
      common.push({ status: 307, redirect: true }, { status: 302, redirect: true }, { status: 403 });
    }
    return route === "job-done" || route.startsWith("job-take") ? [...common, { status: 400 }] : common;
  }

  // mulberry32
  #random() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }
}
