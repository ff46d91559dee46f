// Opens a model, or makes engines, in address space that the kernel limits more and more
// tightly. Prints each outcome as a line of JSON, of an error its facts. V8 ends a process that
// it finds no memory in: it should have --expose-gc --min-semi-space-size=16, which lets it
// collect where there is no limit, and may end it at the tight end all the same.
import { execFileSync } from "node:child_process";
import { readFileSync, writeSync } from "node:fs";
import { embeddedModelPath, loadModel } from "../../dist/index.js";

const steps = 30;
const mebibyte = 2 ** 20;
const synthetic = "synthetic:llama?layers=24&dim=128&heads=2&kvHeads=2&feedForward=128";

function usedBytes() {
  const [, kibibytes] = /VmSize:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}

/** @param {number | string} bytes */
function limit(bytes) {
  execFileSync("prlimit", ["--pid", String(process.pid), `--as=${bytes}:`]);
}

/** @param {number} stepBytes @param {() => Promise<{ close(): Promise<void> }>} make */
async function sweep(stepBytes, make) {
  await (await make()).close(); // what stays allocated is allocated
  for (let step = steps; step > 0; step -= 1) {
    limit(usedBytes() + step * stepBytes);
    const outcome = await make().then(
      async (made) => void (await made.close()),
      ({ code, message, retryable }) => ({ code, message, retryable }),
    );
    limit("unlimited");
    globalThis.gc?.();
    writeSync(1, `${JSON.stringify(outcome ?? {})}\n`);
  }
}

const path = embeddedModelPath();
const model = await loadModel(path);
const sweeps = {
  engine: () => sweep(mebibyte, () => model.createEngine({ slots: 8, threads: 1 })),
  draft: async () => {
    const speculation = { draftModel: await loadModel(path) };
    await sweep(mebibyte, () => model.createEngine({ slots: 2, threads: 1, speculation }));
  },
  copied: () => sweep(4 * mebibyte, () => loadModel(synthetic)),
};
await sweeps[process.argv[2]]();
process.exit();
