// The loader's bytes against an independent repacker's: `infernode convert` of each
// checkpoint, tensor by tensor. The digests were recorded by tools/checkpoints (repack.py,
// check.py), which shares no code with the loader. Checkpoints: what real makers wrote
// (test/fixtures), in every profile, and generated ones that show every pair of format,
// architecture, group and so on, in one profile each; tools/checkpoints/check.py compares more.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canGenerate, generateCheckpoints } from "../helpers/generated-checkpoints.js";
import { digestOf, tensorsOf } from "../helpers/gguf-tensors.js";
import { runCommand } from "../helpers/programs.js";

const timeout = 120_000;
const fixtures = new URL("../fixtures/checkpoints/", import.meta.url);
// Made by the loader out of config.json, not out of a tensor of the checkpoint.
const computed = ["rope_freqs.weight"];

/** Of each tensor, by GGUF's name: digests by type, for every type that holds it exactly. */
type Digests = Readonly<Record<string, Readonly<Record<string, string>>>>;
const recordedIn = (file: URL) => JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, Digests>>;
const makers = recordedIn(new URL("digests.json", fixtures));
const generated = recordedIn(new URL("pairwise-digests.json", import.meta.url));

// What a profile makes of a quantized matrix that the types `kinds` hold.
const profiles: Readonly<Record<string, (kinds: readonly string[]) => string>> = {
  lossless: (kinds) => (eightBit(kinds) ? "q8_0" : kinds.includes("q4_0") ? "q4_0" : "q5_0"),
  q4_1: (kinds) => (eightBit(kinds) ? "q8_0" : "q4_1"),
  q5_0: (kinds) => (eightBit(kinds) ? "q8_0" : "q5_0"),
  q8_0: () => "q8_0",
  f32: () => "f32",
};
const profileNames = Object.keys(profiles);

const eightBit = (kinds: readonly string[]) => !kinds.includes("q4_1");
const isQuantized = (kinds: readonly string[]) => kinds.includes("q8_0");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "infernode-repacked-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Converts a checkpoint and compares all its tensors. */
async function judge(source: string, digests: Digests, profile: string): Promise<void> {
  const out = join(folder, "converted.gguf");
  const { code, stderr } = await runCommand(["convert", source, "--out", out, "--profile", profile]);
  expect(code, stderr).toBe(0);
  const found = tensorsOf(out);
  const names = [...found.keys()].filter((name) => !computed.includes(name));
  expect(names.sort()).toEqual(Object.keys(digests).sort());
  for (const [tensor, kinds] of Object.entries(digests)) {
    const { type, bytes } = found.get(tensor) ?? { type: "none", bytes: Buffer.alloc(0) };
    const possible = Object.keys(kinds);
    if (isQuantized(possible)) expect(`${tensor} ${type}`).toBe(`${tensor} ${profiles[profile]?.(possible)}`);
    expect(`${tensor} ${type} ${digestOf(bytes)}`).toBe(`${tensor} ${type} ${kinds[type]}`);
  }
  rmSync(out);
}

describe.each(Object.keys(makers))("%s", (name) => {
  const digests = makers[name] ?? {};
  const quantized = Object.values(digests).some((each) => isQuantized(Object.keys(each)));

  it.each(quantized ? profileNames : ["lossless"])(
    "has the independent repacker's bytes as %s",
    { timeout },
    async (profile) => await judge(fileURLToPath(new URL(name, fixtures)), digests, profile),
  );
});

const title = canGenerate ? "generated" : "generated: python3 is missing";

describe.skipIf(!canGenerate)(title, () => {
  let sources: readonly string[];
  beforeAll(() => {
    sources = generateCheckpoints(Object.keys(generated), join(folder, "generated"));
  }, timeout);

  it.each(Object.keys(generated).map((each, place) => [each, place] as const))(
    "%s has the independent repacker's bytes",
    { timeout },
    async (each, place) => {
      const profile = profileNames[place % profileNames.length] ?? "";
      await judge(sources[place] ?? "", generated[each] ?? {}, profile);
    },
  );
});
