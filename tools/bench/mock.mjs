// The mock of the client's calibration (src/bench/mock-process.ts), and runs of the command line
// against it: a server in a process of its own whose times are told in its address.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { runQuietly } from "./child.mjs";
import { places } from "./places.mjs";

// Resolves to { url, stop }: url(times) is the address at which it answers at these times.
export async function startMock() {
  const child = fork(places.mock, [], { stdio: "ignore" });
  const [{ port }] = await once(child, "message");
  const url = ({ ttftMs, itlMs, noise = 0 }) =>
    `http://127.0.0.1:${port}/ttft-${ttftMs}/itl-${itlMs}/noise-${noise}/v1`;
  return { url, stop: () => child.kill("SIGKILL") };
}

// One run of `infernode bench` of an endpoint; resolves to what it wrote into `file`.
export async function benchUrl(url, flags, file) {
  const args = [places.commandLine, "bench", "mock", "--url", url, ...flags, "--json", file];
  await runQuietly(process.execPath, args);
  return JSON.parse(readFileSync(file, "utf8"));
}
