// Where a model lies, and whether steps that are alike reuse llama.cpp's graph: a step that
// builds its graph anew costs the CPU what the device could have computed in.
import { embeddedModelPath } from "infernode";
import { withEngine, withModel } from "./opened.mjs";

const reuseBar = 0.95;
const tokens = 200;

async function steps(engine, requests) {
  const request = { prompt: "Once upon a time", temperature: 0, ignoreEos: true, cache: false };
  await engine.generate({ ...request, maxTokens: 2 });
  const before = engine.stats();
  const runs = Array.from({ length: requests }, () => engine.generate({ ...request, maxTokens: tokens }));
  await Promise.all(runs);
  const after = engine.stats();
  return {
    requests,
    passes: after.decodePasses - before.decodePasses,
    reused: after.graphsReused - before.graphsReused,
    failedPasses: after.failedPasses,
  };
}

export function check({ device, say }) {
  return withModel(embeddedModelPath(), { device }, async (model) => {
    const rows = [];
    for (const requests of [1, 4]) {
      const shape = { slots: 4, contextLength: 512 };
      const row = await withEngine(model, shape, (engine) => steps(engine, requests));
      say(`${requests} at once: ${row.reused} of ${row.passes} steps reused their graph`);
      rows.push(row);
    }
    const bars = rows.map(({ requests, passes, reused }) => ({
      what: `${requests} at once: share of steps that reuse their graph`,
      value: reused / passes,
      atLeast: reuseBar,
    }));
    return { result: { places: model.info.devices, rows }, bars };
  });
}
