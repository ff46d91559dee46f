// Tokens/s of many requests on a model of 8B shape, counted while all of them decode, and the
// share of what the memory's bandwidth and the matrix rate of this GPU allow (planModel()).
import { devices, planModel } from "infernode";
import { withEngine, withModel } from "./opened.mjs";

const large =
  "synthetic:llama?layers=32&dim=4096&feedForward=14336&heads=32&kvHeads=8&vocab=128256&type=q4_0&context=1024";
const little = "synthetic:llama?layers=2&dim=128&context=1024";
const widths = [1, 8, 32, 64, 128];
const contextLength = 256;
const promptTokens = 16;
const newTokens = 128;

const request = {
  prompt: Array.from({ length: promptTokens }, (_, index) => 10 + index),
  temperature: 0,
  ignoreEos: true,
  cache: false,
};

/** Tokens that arrive from when all requests have begun until the first one ends, by their time. */
async function measure(engine, width, maxTokens) {
  const all = (work) => Promise.all(Array.from({ length: width }, work));
  await all(() => engine.generate({ ...request, maxTokens: 4 }));
  const steady = { begun: 0, since: Number.NaN, until: Number.NaN, tokens: 0, over: false };
  await all(async () => {
    let begun = false;
    for await (const event of engine.generate({ ...request, maxTokens })) {
      if (event.type !== "text-delta") continue;
      if (steady.begun === width && !steady.over) {
        steady.tokens += event.tokens.length;
        steady.until = performance.now();
      }
      if (begun) continue;
      begun = true;
      steady.begun += 1;
      if (steady.begun === width) steady.since = performance.now();
    }
    steady.over = true;
  });
  const { decodeMs, sampleMs, planMs, emitMs, decodePasses, graphsReused } = engine.stats();
  return {
    width,
    tokens: steady.tokens,
    tokensPerSecond: (steady.tokens * 1000) / (steady.until - steady.since),
    spent: { decodeMs, sampleMs, planMs, emitMs, decodePasses, graphsReused },
  };
}

/** The plan's row for this device: of a GPU the longest name that its description holds. */
function rowFor({ rows }, description) {
  const known = rows.filter(({ device }) => description.includes(device));
  return known.sort((one, other) => other.device.length - one.device.length)[0];
}

async function ceilingOf(reference, width, isCpu, description) {
  const plan = await planModel(reference, { slots: width, contextLength, measureCpu: isCpu });
  const row = rowFor(plan, isCpu ? "this CPU" : description);
  return row?.tokensPerSecond?.ceiling ?? null;
}

export function check({ device, small, hasTime, say }) {
  const reference = small ? little : large;
  return withModel(reference, { device }, async (model) => {
    const [place] = model.info.devices;
    const isCpu = place.name === "CPU";
    const description = devices().find(({ name }) => name === place.name)?.description ?? "";
    const rows = [];
    for (const width of small ? widths.slice(0, 2) : widths) {
      if (!hasTime()) break;
      const shape = { slots: width, contextLength };
      const measured = await withEngine(model, shape, (engine) => measure(engine, width, newTokens));
      const ceiling = await ceilingOf(reference, width, isCpu, description);
      const share = ceiling === null ? null : measured.tokensPerSecond / ceiling;
      const told = share === null ? "" : `, ${(share * 100).toFixed(0)} % of the ceiling`;
      say(`${width} at once: ${measured.tokensPerSecond.toFixed(1)} tokens/s${told}`);
      rows.push({ ...measured, ceiling, share });
    }
    return { result: { model: reference, description, places: model.info.devices, rows }, bars: [] };
  });
}
