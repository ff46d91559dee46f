// `npm run gpu:check -- --part N [options]`: is this GPU right, and how fast is it? Prints one
// JSON object on stdout and what it does on stderr; exit code 1 where a bar is missed.
//   part 1  greedy text of the device beside the CPU's, by weight type and KV layout
//   part 2  where a model lies, and how many steady steps reuse their graph
//   part 3  tokens/s of 1, 8, 32, 64 and 128 requests on a model of 8B shape beside
//           llama-batched-bench, the share of what the memory's bandwidth allows, and what a step
//           spends its time on
//   part 4  tokens/s of 16, 32 and 64 clients of a server beside llama-server
// Options: --device NAME (default "gpu"; "cpu" and a software device are dry runs), --small
// (models of a dry run), --seconds S (a part begins nothing new after them, default 500),
// --reference FOLDER (llama-batched-bench and llama-server; without it nothing is compared).
// Wants a built package. See docs/guides/gpu.md.
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { devices } from "infernode";
import { missedBars } from "../bench/bars.mjs";
import * as decode from "./decode.mjs";
import * as parity from "./parity.mjs";
import * as serving from "./serving.mjs";
import * as steady from "./steady.mjs";

const parts = { 1: parity, 2: steady, 3: decode, 4: serving };

function readOptions() {
  const { values } = parseArgs({
    options: {
      part: { type: "string" },
      device: { type: "string", default: "gpu" },
      small: { type: "boolean", default: false },
      seconds: { type: "string", default: "500" },
      reference: { type: "string" },
    },
  });
  const part = parts[values.part];
  if (part === undefined)
    throw new Error(`--part must be one of ${Object.keys(parts).join(", ")}, got ${values.part}`);
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds must be a number above 0, got ${values.seconds}`);
  const began = performance.now();
  return {
    number: Number(values.part),
    part,
    device: values.device,
    small: values.small,
    reference: values.reference === undefined ? null : path.resolve(values.reference),
    hasTime: () => performance.now() - began < seconds * 1000,
    say: (line) => process.stderr.write(`${line}\n`),
  };
}

function machine() {
  const { cpus, arch, platform } = { cpus: os.cpus(), arch: os.arch(), platform: os.platform() };
  return {
    cpu: cpus[0]?.model,
    cpus: cpus.length,
    arch,
    platform,
    node: process.version,
    devices: devices(),
  };
}

try {
  const options = readOptions();
  const { result, bars } = await options.part.check(options);
  const missed = missedBars(bars);
  const report = { part: options.number, device: options.device, small: options.small, result, bars, missed };
  process.stdout.write(`${JSON.stringify({ ...report, machine: machine() }, null, 1)}\n`);
  for (const { what, value } of missed) options.say(`missed: ${what}: ${value}`);
  process.exitCode = missed.length > 0 ? 1 : 0;
} catch (error) {
  process.stderr.write(`gpu:check: ${error.message}\n`);
  process.exitCode = 2;
}
