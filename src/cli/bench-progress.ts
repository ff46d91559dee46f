// How far a benchmark is, on stderr: one line that is rewritten where that is a terminal, and a
// line for each load point that is done.
import type { BenchmarkNews } from "../bench/benchmark.js";
import { loadText } from "../bench/load-text.js";
import { pointLine } from "../bench/point-cells.js";
import { notice } from "./terminal.js";

const eraseLine = "\r\x1b[K";
const everyMs = 200;

/** @param total load points x repeats */
export function benchmarkProgress(total: number): Required<Pick<BenchmarkNews, "onRequest" | "onPoint">> {
  const startedMs = performance.now();
  let shownMs = 0;
  let done = -1;
  let current = "";
  const erase = () => {
    if (process.stderr.isTTY) process.stderr.write(eraseLine);
  };
  return {
    onRequest({ load, repeat, ended, expected }) {
      const name = `${loadText(load)}, repeat ${repeat + 1}`;
      if (name !== current) done += 1;
      current = name;
      const now = performance.now();
      if (!process.stderr.isTTY || now - shownMs < everyMs) return;
      shownMs = now;
      // Repeats count alike, which is rough: later ones have more requests at once.
      const share = (done + (expected === null ? 0.5 : ended / expected)) / total;
      const leftSeconds = Math.ceil(((now - startedMs) / 1000) * (1 / share - 1));
      const of = expected === null ? "" : ` of ${expected}`;
      process.stderr.write(`${eraseLine}${name}: ${ended}${of} requests, about ${leftSeconds} s left`);
    },
    onPoint(point) {
      erase();
      notice(pointLine(point));
    },
  };
}
