// How far a benchmark is, on stderr: one line that is rewritten where that is a terminal, and a
// line for each load point that is done.
import type { BenchmarkNews } from "../bench/benchmark.js";
import { loadText } from "../bench/load-text.js";
import { pointLine } from "../bench/point-cells.js";
import { notice } from "./terminal.js";

const eraseLine = "\r\x1b[K";
const everyMs = 200;

/** @param total load points x repeats; null: a sweep decides */
export function benchmarkProgress(
  total: number | null,
): Required<Pick<BenchmarkNews, "onRequest" | "onPoint">> {
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
      const of = expected === null ? "" : ` of ${expected}`;
      const so = `${eraseLine}${name}: ${ended}${of} requests`;
      if (total === null) return void process.stderr.write(so);
      // Repeats count alike, which is rough: later ones have more requests at once.
      const share = (done + (expected === null ? 0.5 : ended / expected)) / total;
      const leftSeconds = Math.ceil(((now - startedMs) / 1000) * (1 / share - 1));
      process.stderr.write(`${so}, about ${leftSeconds} s left`);
    },
    onPoint(point) {
      erase();
      notice(pointLine(point));
    },
  };
}
