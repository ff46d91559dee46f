// The thread that pings: has an event loop of its own, so that a handler that
// blocks the main thread does not look dead. A thread and not a process, so that
// a killed worker stops pinging. It is a file of its own in dist/.
import http from "node:http";
import https from "node:https";
import { parentPort, workerData } from "node:worker_threads";
import type { HeartbeatData, HeartbeatMessage } from "./heartbeat.js";

const { url, headers, intervalMs, jobs } = workerData as HeartbeatData;
/** What a request line may hold with its headers, as the platform's SDK bounds it. */
const idsBytes = 60 * 1024;
let list = "";

function say(message: HeartbeatMessage): void {
  parentPort?.postMessage(message);
}

function setIds(ids: readonly string[]): void {
  let text = ids.join(",");
  if (encodeURIComponent(text).length > idsBytes) {
    const share = Math.floor((text.length * idsBytes) / encodeURIComponent(text).length);
    text = text.slice(0, text.lastIndexOf(",", share));
  }
  list = encodeURIComponent(text);
}

function ping(): void {
  const target = list === "" ? url : url.replace(/([?&])(runpod_version=[^&]*)$/, `$1job_id=${list}&$2`);
  const send = target.startsWith("https:") ? https.get : http.get;
  let failed = false;
  const fail = (reason: string) => {
    if (!failed) say({ type: "failed", reason });
    failed = true;
  };
  try {
    const request = send(target, { headers, agent: false }, (response) => {
      const status = response.statusCode ?? 0;
      if (status >= 400) fail(`status ${status}`);
      response.resume();
      response.on("error", () => {});
    });
    request.setTimeout(2 * intervalMs, () => request.destroy(new Error("no answer in time")));
    request.on("error", (error) => fail(error.message));
  } catch (thrown) {
    fail(String(thrown));
  }
}

setIds(jobs);
parentPort?.on("message", (ids: readonly string[]) => setIds(ids));
ping();
setInterval(ping, intervalMs);
say({ type: "started" });
