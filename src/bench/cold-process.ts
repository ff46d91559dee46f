// One cold start in a process of its own: loads the package, the model and an engine, and generates,
// with the time of each. Started by cold-start.ts with an IPC channel, which tells what to load and
// hears the times. Imports nothing at its start, so that the process's own time is Node's alone.
import type { ColdOrder, ColdTimes } from "./cold-start.js";

const startedMs = now();
/** Tokens of the two prompts, which are alike in number and in nothing else. */
const promptTokens = 32;

/** Comparable between processes: performance.now() begins with each. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

process.on("message", (order: ColdOrder) => {
  measure(order).then(
    (times) => process.send?.({ times }, () => process.exit(0)),
    (thrown: unknown) => {
      const problem = thrown instanceof Error ? thrown.message : String(thrown);
      process.send?.({ problem }, () => process.exit(1));
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ ready: true });

async function measure({ path, ...options }: ColdOrder): Promise<ColdTimes> {
  const heardMs = now();
  const { devices, loadModel } = await import("../index.js");
  devices(); // backends are loaded by who first asks for them
  const libraryMs = now();
  const model = await loadModel(path, { gpuLayers: options.gpuLayers });
  const weightsMs = now();
  const { slots, contextLength, threads, kvType } = options;
  const engine = await model.createEngine({ slots, contextLength, threads, kvType });
  const contextMs = now();
  const generate = async (first: number) => {
    const beginMs = now();
    const most = model.info.vocabularySize;
    const prompt = Array.from({ length: promptTokens }, (_, at) => (first + 7 * at) % most);
    await engine.generate({ prompt, maxTokens: 1, temperature: 0, ignoreEos: true });
    return now() - beginMs;
  };
  const [cold, warm] = [await generate(1), await generate(3)];
  await engine.close();
  await model.close();
  return {
    startedMs,
    libraryMs: libraryMs - heardMs,
    weightsMs: weightsMs - libraryMs,
    contextMs: contextMs - weightsMs,
    warmupMs: Math.max(0, cold - warm),
    firstTokenMs: warm,
  };
}
