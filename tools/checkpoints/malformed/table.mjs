// The table of malformed checkpoints: what each directory is and how it must be answered.
// An entry's `change` alters a valid model before it is written; `after` alters the written
// directory and may return another one to load. `refused`: the error codes that fit; `names`:
// what the message must say, "a|b" for either. An entry without `refused` must load. Entries
// 62 (a file that changes while it is read) and 63 (no room on the disk) need hooks inside and
// are native tests.
//
// usage: table.mjs OUT    writes every directory
import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { validModel, writeModel } from "./checkpoint.mjs";
import { safetensorsEntries } from "./container.mjs";
import { directoryEntries } from "./directory.mjs";
import { modelEntries } from "./model.mjs";
import { quantizationEntries } from "./quantization.mjs";
import { schemeEntries } from "./schemes.mjs";
import { tokenizerEntries } from "./tokenizer.mjs";

export const table = [
  { entry: "0 the valid checkpoint that all others change" },
  ...safetensorsEntries,
  ...directoryEntries,
  ...schemeEntries,
  ...quantizationEntries,
  ...modelEntries,
  ...tokenizerEntries,
];

/** Writes one entry's directory below `out` and returns its path. */
export function writeEntry({ entry, change, after }, out) {
  const model = validModel();
  change?.(model);
  const folder = path.join(out, entry.replaceAll(/[^A-Za-z0-9]+/g, "-"));
  writeModel(model, folder);
  return after?.(folder) ?? folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = process.argv[2];
  if (out === undefined) throw new Error("usage: table.mjs OUT");
  mkdirSync(out, { recursive: true });
  for (const entry of table) console.log(writeEntry(entry, out));
}
