// The endpoint API that clients speak: run, runsync, status, stream, cancel, health,
// purge-queue, and the OpenAI shim, which turns a call into a job and a job's
// stream into an answer's bytes.

const ended = new Set(["COMPLETED", "FAILED", "CANCELLED"]);
const defaultWaitMs = 90_000;
const streamHoldMs = 500;

const operations =
  /^\/v2\/([^/]+)\/(run|runsync|status|status-sync|stream|cancel|retry|health|purge-queue)(?:\/([^/?]+))?(?:\?(.*))?$/;
const shim = /^\/v2\/([^/]+)\/openai(\/[^?]*)/;

/** @param {import("./index.mjs").Platform} platform */
export function clientRoutes(platform, options) {
  const answers = {
    run: (call) => run(platform, call),
    runsync: (call) => runSync(platform, call),
    status: (call) => withJob(platform, call, (job) => ({ status: 200, body: statusOf(job) })),
    "status-sync": (call) => withJob(platform, call, (job) => waitFor(platform, job, call)),
    stream: (call) => withJob(platform, call, (job) => streamOf(platform, job)),
    cancel: (call) => withJob(platform, call, (job) => cancel(platform, job)),
    health: () => ({ status: 200, body: healthOf(platform) }),
    "purge-queue": () => ({ status: 200, body: { removed: platform.book.purge(), status: "completed" } }),
    openai: (call, connection) => openai(platform, call, connection),
  };
  return {
    find(method, url) {
      const found = operations.exec(url);
      if (found) {
        const [, endpointId, route, jobId, query = ""] = found;
        return { route, parameters: { endpointId, jobId, query: new URLSearchParams(query) } };
      }
      const [, endpointId, path] = shim.exec(url) ?? [];
      return path === undefined ? undefined : { route: "openai", parameters: { endpointId, path, method } };
    },
    async answer(call, connection) {
      const key = call.headers.authorization?.replace(/^Bearer /, "");
      if (key !== options.apiKey) return { status: 401, body: { error: "invalid key" } };
      return answers[call.route](call, connection);
    },
  };
}

function run(platform, call) {
  const request = JSON.parse(call.body);
  if (!("input" in request)) return { status: 400, body: { error: "input is required" } };
  return { status: 200, body: { id: platform.enqueue(request), status: "IN_QUEUE" } };
}

async function runSync(platform, call) {
  const job = platform.job(platform.enqueue(JSON.parse(call.body)));
  return waitFor(platform, job, call);
}

async function waitFor(platform, job, call) {
  const wait = Number(call.parameters.query.get("wait") ?? defaultWaitMs);
  const end = performance.now() + wait;
  while (!ended.has(job.status) && performance.now() < end && !platform.closed) {
    await platform.nextChange(end - performance.now());
  }
  return { status: 200, body: statusOf(job) };
}

function withJob(platform, call, work) {
  const job = platform.book.all.find((each) => each.id === call.parameters.jobId);
  return job === undefined ? { status: 404, body: { error: "job not found" } } : work(job);
}

// Each call gives what was not given yet; one that has nothing waits a while.
async function streamOf(platform, job) {
  const end = performance.now() + streamHoldMs;
  while (job.stream.length === (job.given ?? 0) && !ended.has(job.status) && performance.now() < end) {
    await platform.nextChange(end - performance.now());
  }
  const items = job.stream.slice(job.given ?? 0);
  job.given = job.stream.length;
  return { status: 200, body: { status: job.status, stream: items.map((output) => ({ output })) } };
}

function cancel(platform, job) {
  platform.stop(job.id);
  return { status: 200, body: { id: job.id, status: "CANCELLED" } };
}

function statusOf(job) {
  const [last] = job.done;
  const output = last === undefined ? job.progress.at(-1) : last.output;
  return {
    delayTime: 1,
    executionTime: 1,
    id: job.id,
    status: job.status,
    ...(job.workerId !== undefined && { workerId: job.workerId }),
    ...(output !== undefined && { output }),
    ...(last?.error !== undefined && { error: last.error }),
  };
}

function healthOf(platform) {
  const count = (status) => platform.book.all.filter((job) => job.status === status).length;
  return {
    jobs: {
      completed: count("COMPLETED"),
      failed: count("FAILED"),
      inProgress: count("IN_PROGRESS"),
      inQueue: count("IN_QUEUE"),
      retried: platform.book.all.filter((job) => job.takes > 1).length,
    },
    workers: { idle: 0, initializing: 0, ready: 1, running: 1, throttled: 0, unhealthy: 0 },
  };
}

async function openai(platform, call, { response }) {
  const { path } = call.parameters;
  const body = call.body === "" ? undefined : JSON.parse(call.body);
  const input = { openai_route: path, ...(body !== undefined && { openai_input: body }) };
  const job = platform.job(platform.enqueue({ input }));
  response.on("close", () => {
    if (!ended.has(job.status)) platform.stop(job.id);
  });
  if (body?.stream === true) return streamBytes(platform, job, response);
  while (!ended.has(job.status) && !platform.closed) await platform.nextChange();
  const [last] = job.done;
  if (last?.error !== undefined) return { status: 400, body: { error: JSON.parse(last.error) } };
  const { output } = last ?? {};
  return { status: 200, body: Array.isArray(output) ? output[0] : output };
}

/** The concatenation of what the worker streams, as it comes. */
async function streamBytes(platform, job, response) {
  let given = 0;
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  while (!response.destroyed) {
    const items = job.stream.slice(given);
    given += items.length;
    for (const item of items) response.write(item);
    if (ended.has(job.status) && given === job.stream.length) break;
    await platform.nextChange();
  }
  response.end();
  return { sent: true, status: 200 };
}
