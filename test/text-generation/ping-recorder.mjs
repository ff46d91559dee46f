// A thread that writes down when pings arrive and passes them on to the platform. It
// runs neither the worker's JavaScript nor the test's, and knows when it was starved
// itself: a ping it could not have seen in time is no late ping.
import http from "node:http";
import { parentPort } from "node:worker_threads";

let platformUrl;
const tickMs = 20;
let pings = [];
let ticks = [];

const server = http.createServer((request, response) => {
  pings.push(performance.timeOrigin + performance.now());
  response.end();
  if (platformUrl === undefined) return; // the worker comes to life before the test looks
  http
    .get(platformUrl + request.url, { headers: request.headers, agent: false }, (answer) => answer.resume())
    .on("error", () => {}); // the platform closes first
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage({ port: server.address().port }));
setInterval(() => ticks.push(performance.timeOrigin + performance.now()), tickMs);

parentPort.on("message", (message) => {
  platformUrl = message.platformUrl;
  parentPort.postMessage({ pings, ticks });
  pings = [];
  ticks = [];
});
