// The weights that contenders compute with, named FAMILY:TYPE, such as smollm2:q8_0. Each file is
// made once in the store's folder models/: from what tools/real-models fetches, or from seeded random
// weights, by llama-quantize of the pinned tree. Every contender of a row reads the same file, but
// for the AWQ checkpoint, whose own 4-bit numbers vLLM reads and ours gets repacked.
import { copyFileSync, existsSync, mkdirSync, renameSync } from "node:fs";
import path from "node:path";
import { kRealModels } from "../../real-models/catalogue.mjs";
import { paths } from "../../setup/paths.mjs";
import { runLoudly } from "../child.mjs";
import { BenchFailure } from "../failure.mjs";
import { ensureModel } from "../make-model.mjs";
import { referenceEnvironment, referenceProgram } from "./reference.mjs";

const kCheckpoint = "smollm2-awq";

const families = {
  smollm2: { title: "SmolLM2-135M", ownType: "q4_1", source: () => realModel("smollm2"), isTrained: true },
  "60m": {
    title: "60M random weights",
    ownType: "q8_0",
    source: () => ensureModel("small"),
    isTrained: false,
  },
  gemma3: { title: "Gemma 3 270M", ownType: "q4_k_m", source: () => realModel("gemma3"), isTrained: true },
  // The story model of the package: small enough for tests.
  embedded: {
    title: "the embedded model",
    ownType: "q8_0",
    source: () => path.join(paths.root, "assets/tinytale-q8_0.gguf"),
    isTrained: true,
  },
  awq: { title: "SmolLM2-135M, AWQ", source: undefined, isTrained: true },
};

// { title, type, isTrained, file } of a name; the file is there.
export async function ensureWeights(name, store, programs) {
  const { title, isTrained } = families[familyOf(name)];
  return { title, type: typeOf(name), isTrained, file: await fileOf(name, store, programs) };
}

export const titleOf = (name) => `${families[familyOf(name)].title} ${typeOf(name).toUpperCase()}`;

const typeOf = (name) => name.split(":")[1];

export function familyOf(name) {
  const [family, type] = name.split(":");
  if (families[family] !== undefined && type !== undefined) return family;
  throw new BenchFailure(`There are no weights "${name}"; they are named ${Object.keys(families)}:TYPE.`);
}

async function fileOf(name, store, programs) {
  const [family, type] = name.split(":");
  const folder = path.join(store, "models");
  if (name === "awq:awq") return checkpoint(folder);
  const file = path.join(folder, `${family}-${type}.gguf`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const partial = `${file}.partial`;
  if (family === "awq") await convert(checkpoint(folder), partial, type);
  else await quantize(families[family], partial, type, programs);
  renameSync(partial, file);
  return file;
}

function checkpoint(folder) {
  const made = path.join(folder, kCheckpoint);
  if (existsSync(path.join(made, "config.json"))) return made;
  throw new BenchFailure(
    `${made} is missing: an AWQ checkpoint of SmolLM2-135M, which tools/checkpoints/README.md says how to make.`,
  );
}

function realModel(name) {
  const { file } = kRealModels.find((model) => model.name === name);
  const found = path.join(paths.realModels, file);
  if (existsSync(found)) return found;
  throw new BenchFailure(`${file} is missing; \`npm run models:real\` fetches it.`);
}

async function quantize({ source, ownType }, partial, type, programs) {
  const from = source();
  if (type === ownType) return copyFileSync(from, partial);
  const program = await referenceProgram("llama-quantize", programs);
  const args = ["--allow-requantize", from, partial, type.toUpperCase()];
  await runLoudly(program, args, { stdio: "ignore", env: referenceEnvironment(program) });
}

// The profile of that name repacks the checkpoint's numbers without rounding them a second time.
async function convert(from, partial, type) {
  const program = path.join(paths.dist, "cli/main.js");
  const args = [program, "convert", from, "--out", partial, "--profile", type, "--force"];
  await runLoudly(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
}
