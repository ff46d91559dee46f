// A worker whose heartbeat thread dies: at its start with TEST_HEART=missing, else
// whenever a job begins.
import { createRequire, syncBuiltinESMExports } from "node:module";

const threads = createRequire(import.meta.url)("node:worker_threads");
const missing = process.env.TEST_HEART === "missing";
let heart;
threads.Worker = class extends threads.Worker {
  constructor(file, options) {
    super(missing ? "/nowhere/heartbeat-thread.js" : file, options);
    heart = this;
  }
};
syncBuiltinESMExports();

const { serverless } = await import("../../../dist/index.js");
await serverless.start({
  async handler(_job, { signal }) {
    await heart.terminate();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },
});
