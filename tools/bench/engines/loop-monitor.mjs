// Loaded into a server before its own code (node --import): measures its event loop and how long its
// refusals by 429 take, and tells both over the channel to the process that started it.
import { subscribe } from "node:diagnostics_channel";
import { monitorEventLoopDelay } from "node:perf_hooks";

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const begun = new WeakMap();
let refusals = [];
subscribe("http.server.request.start", ({ response }) => begun.set(response, performance.now()));
subscribe("http.server.response.finish", ({ response }) => {
  if (response.statusCode === 429) refusals.push(performance.now() - begun.get(response));
});

process.on("message", () => {
  const ms = (nanoseconds) => nanoseconds / 1e6;
  const loop = { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), longest: ms(delay.max) };
  process.send({ loop, refusals, memoryMb: process.memoryUsage().rss / 2 ** 20 });
  delay.reset();
  refusals = [];
});
process.channel?.unref();
