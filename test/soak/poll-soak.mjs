// A day of polls that bring no job, as fast as they go: nothing may grow with them.
// The worker runs in this process, whose heap and sockets are looked at.
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { serverless } from "../../dist/index.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

/** @param {number} count of polls */
export async function soakPolls(count) {
  let polls = 0;
  let heapBefore = 0;
  const warm = Math.floor(count / 5);
  const server = createServer((_request, response) => {
    polls += 1;
    if (polls === warm) heapBefore = heap();
    // 204 at once would be taken for a platform that does not hold its polls: this one
    // says that there is no job in a way that is asked again without a pause.
    response.writeHead(429, { "Retry-After": "0" });
    response.end();
    if (polls >= count) process.emit("SIGTERM");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = server.address();
  process.env.RUNPOD_WEBHOOK_GET_JOB = `http://127.0.0.1:${port}/v2/ep/job-take/$ID`;
  process.env.RUNPOD_LOG_LEVEL = "NOTSET";
  const ended = withoutExit(() => serverless.start({ handler: async () => null }));
  await ended;
  const heapAfter = heap();
  const sockets = await new Promise((resolve) => server.getConnections((_error, open) => resolve(open)));
  server.closeAllConnections();
  server.close();
  return { polls, heapGrowthBytes: heapAfter - heapBefore, sockets };
}

function heap() {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Runs what would end the process, and goes on instead. */
async function withoutExit(work) {
  const { exit } = process;
  const ended = new Promise((resolve) => {
    process.exit = (code) => resolve(code);
  });
  void work();
  await ended;
  process.exit = exit;
}
