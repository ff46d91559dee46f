// llama-batched-bench on a device: decoding with nothing around it. Tokens/s of each width, of the
// faster KV layout. The programs come from build-reference.mjs --portable, in a bundle or here.
import { existsSync } from "node:fs";
import path from "node:path";
import { batchedRows } from "../bench/reference-programs.mjs";

const kCellStep = 256; // llama.cpp pads each sequence's share of the context to it

/** Where a program of llama.cpp's lies in `folder`; null without a folder. */
export function programIn(folder, name) {
  if (folder === null) return null;
  const program = path.join(folder, name);
  if (!existsSync(program)) throw new Error(`--reference names ${folder}, where ${name} is not`);
  return program;
}

/**
 * llama.cpp's flags for a device of that name. One thread in a dry run on the CPU: its threads wait
 * for each other without sleeping, which takes minutes where other programs compute too.
 */
export const deviceFlags = (device) =>
  device === "cpu" ? ["-ngl", "0", "--device", "none", "-t", "1"] : ["-ngl", "99"];

/**
 * @param task { model, device, widths, promptTokens, newTokens }
 * @returns tokens/s by width, e.g. { 1: 210.4, 8: 1490.1 }
 */
export async function batchedBench(program, task) {
  const speeds = {};
  for (const layout of ["--kv-unified", "--no-kv-unified"]) {
    for (const { pl, speed_tg: speed } of await runLayout(program, layout, task)) {
      speeds[pl] = Math.max(speeds[pl] ?? 0, speed);
    }
  }
  return speeds;
}

async function runLayout(program, layout, { model, device, widths, promptTokens, newTokens }) {
  const cells = Math.ceil((promptTokens + newTokens) / kCellStep) * kCellStep;
  const sizes = ["-c", String(cells * Math.max(...widths)), "-b", "2048", "-ub", "512"];
  const load = ["-npp", String(promptTokens), "-ntg", String(newTokens)];
  const args = ["-m", model, ...sizes, ...load, ...deviceFlags(device), layout];
  return batchedRows(program, args, widths);
}
