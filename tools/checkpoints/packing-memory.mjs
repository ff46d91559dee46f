// Anonymous memory of `infernode convert`, sampled while it runs: what packing a checkpoint
// takes besides pages of files. Prints seconds and MB; exit code 1 over the limit. Linux only.
//   node tools/checkpoints/packing-memory.mjs CHECKPOINT OUT.gguf [--limit MB] [flags of convert…]
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const everyMs = 10;
const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const [source, out, ...rest] = process.argv.slice(2);
if (out === undefined) throw new Error("packing-memory.mjs CHECKPOINT OUT.gguf [--limit MB] [flags]");
const place = rest.indexOf("--limit");
const limitMb = place < 0 ? 512 : Number(rest.splice(place, 2)[1]);

const started = performance.now();
const child = spawn(process.execPath, [command, "convert", source, "--out", out, ...rest], {
  stdio: ["ignore", "inherit", "inherit"],
});
let peakKb = 0;
let samples = 0;
const sampling = setInterval(() => {
  peakKb = Math.max(peakKb, anonymousKb(child.pid));
  samples += 1;
}, everyMs);
child.on("close", (code) => {
  clearInterval(sampling);
  const seconds = (performance.now() - started) / 1000;
  const peakMb = peakKb / 1000;
  console.log(
    `anonymous memory at most ${peakMb.toFixed(0)} MB (limit ${limitMb}), ${samples} samples in ${seconds.toFixed(1)} s`,
  );
  process.exitCode = code !== 0 || samples === 0 || !(peakMb < limitMb) ? 1 : 0;
});

/** In units of 1024 bytes, as the kernel tells them, made those of 1000. */
function anonymousKb(pid) {
  try {
    const [, kib] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return (Number(kib ?? 0) * 1024) / 1000;
  } catch {
    return 0; // it has ended
  }
}
