// The six calls of a worker, and what each must look like.

const patterns = [
  ["GET", /^\/v2\/([^/]+)\/(job-take|job-take-batch|job-stop)\/([^/?&]+)/],
  ["POST", /^\/v2\/([^/]+)\/(job-done|job-stream)\/([^/?]+)\/([^/?&]+)/],
  ["GET", /^\/v2\/([^/]+)\/(ping)\/([^/?]+)/],
];

/** @param {import("./index.mjs").Platform} platform */
export function workerRoutes(platform, options) {
  const answers = {
    "job-take": (call, connection) => take(platform, options, call, connection),
    "job-take-batch": (call, connection) => take(platform, options, call, connection),
    "job-stop": (call, connection) => stops(platform, options, call, connection),
    "job-stream": (call) => stream(platform, call),
    "job-done": (call) => done(platform, call),
    ping: (call) => ping(platform, call),
  };
  return {
    find(method, url) {
      for (const [wanted, pattern] of patterns) {
        const found = method === wanted && pattern.exec(url);
        if (!found) continue;
        const [, endpointId, route, workerId, jobId] = found;
        const query = new URLSearchParams(/[?&](.*)$/.exec(url)?.[1] ?? "");
        const job = jobId === undefined ? {} : { jobId: decodeURIComponent(jobId) };
        return { route, parameters: { endpointId, workerId, ...job, query } };
      }
      return undefined;
    },
    async answer(call, connection) {
      const handle = answers[call.route];
      if (handle === undefined) return { status: 404 };
      if (call.headers.authorization !== options.apiKey) {
        if (call.headers.authorization !== "")
          platform.violations.push(`${call.route}: a wrong Authorization`);
        if (options.apiKey !== "") return { status: 401 };
      }
      return handle(call, connection);
    },
  };
}

// A long poll: answered when there is a job, or when it was held long enough.
async function take(platform, options, call, connection) {
  const { workerId, query } = call.parameters;
  const batch = call.route === "job-take-batch";
  const count = batch ? Number(query.get("batch_size")) : 1;
  if (batch && !(count > 1)) platform.violations.push(`job-take-batch of ${query.get("batch_size")}`);
  if (!["0", "1"].includes(query.get("job_in_progress")))
    platform.violations.push("a take without job_in_progress");
  const jobs = await held(platform, options, connection, {
    ready: () => platform.book.queued > 0,
    get: () => platform.book.lease(workerId, count),
  });
  if (jobs === undefined) return { drop: true };
  if (jobs.length === 0) return { status: 204 };
  return { status: 200, body: batch ? jobs : jobs[0], jobs };
}

async function stops(platform, options, call, connection) {
  const { workerId } = call.parameters;
  const ids = await held(platform, options, connection, {
    ready: () => platform.book.hasStops(workerId),
    get: () => platform.book.takeStops(workerId),
  });
  if (ids === undefined) return { drop: true };
  return ids.length > 0 ? { status: 200, body: { jobsToStop: ids } } : { status: 204 };
}

/**
 * Holds a poll until there is something for it. Who has hung up gets nothing: before
 * something is given away, the event loop turns twice, so that a hang-up is seen that
 * has arrived, however long this process did not run.
 * @returns {Promise<unknown[] | undefined>} nothing after the time, undefined where the caller has gone
 */
async function held(platform, options, { response, gone }, { ready, get }) {
  const end = performance.now() + options.holdMs;
  const left = () => response.destroyed || response.socket?.writable !== true;
  void gone.then(() => platform.changed());
  for (;;) {
    if (ready()) {
      await turn();
      await turn();
    }
    if (left()) return undefined;
    const given = get();
    const wait = end - performance.now();
    if (given.length > 0 || wait <= 0 || platform.closed) return given;
    await platform.nextChange(wait);
  }
}

function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}

function stream(platform, call) {
  checkPost(platform, call);
  const { jobId, workerId, query } = call.parameters;
  if (query.get("isStream") !== "false") platform.violations.push("job-stream without isStream=false");
  const body = parse(platform, call);
  if (body === undefined) return { status: 400 };
  return { status: platform.book.stream(jobId, workerId, body.output) ? 200 : 400 };
}

function done(platform, call) {
  checkPost(platform, call);
  const { jobId, workerId } = call.parameters;
  const body = parse(platform, call);
  if (body === undefined) return { status: 400 };
  if (body.status === "IN_PROGRESS") {
    const known = platform.book.progress(jobId, workerId, body.output);
    if (!known) platform.violations.push(`progress of ${jobId} after its end`);
    return { status: known ? 200 : 400 };
  }
  if (body.error !== undefined && typeof body.error !== "string")
    platform.violations.push("an error that is no string");
  return { status: platform.book.finish(jobId, workerId, body) ? 200 : 400 };
}

function ping(platform, call) {
  const { workerId, query } = call.parameters;
  const ids = (query.get("job_id") ?? "").split(",").filter((id) => id !== "");
  platform.book.ping(workerId, ids);
  return { status: 200 };
}

function checkPost(platform, call) {
  const { headers, route, parameters } = call;
  const wrong = (sentence) => platform.violations.push(`${route} of ${parameters.jobId}: ${sentence}`);
  if (headers["content-type"] !== "application/x-www-form-urlencoded") wrong("a wrong Content-Type");
  if (headers.charset !== "utf-8") wrong("no charset header");
  if (headers["x-request-id"] !== encodeURIComponent(parameters.jobId)) wrong("another job's X-Request-ID");
  if (headers["content-length"] === undefined) wrong("no Content-Length");
}

function parse(platform, call) {
  try {
    return JSON.parse(call.body);
  } catch {
    platform.violations.push(`${call.route}: a body that is no JSON`);
    return undefined;
  }
}
