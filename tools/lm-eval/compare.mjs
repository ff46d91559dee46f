// lm-eval's accuracy of a served GGUF (local-completions) beside that of transformers on the same weights
// (hf), on the task of make-task.mjs. Prints a JSON object: for each way `acc` and its standard error `stderr`.
//
// node tools/lm-eval/compare.mjs URL MODEL.gguf [PYTHON]
// URL is that of `infernode serve MODEL.gguf`; PYTHON has lm-eval, torch, transformers and gguf, by default the
// one of `npm run clients:python`.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pythonPlace } from "../clients/python.mjs";

const kHere = path.dirname(fileURLToPath(import.meta.url));
const kTask = "infernode_mc";
const kOutput = 64 * 1024 * 1024; // bytes: lm-eval's progress bars

// Nothing is downloaded: the task and the model are files. Threads of OpenMP spin while they wait for each other,
// which on a machine that does other things makes transformers many times slower than one thread is.
const kEnvironment = {
  HF_HUB_OFFLINE: "1",
  HF_DATASETS_OFFLINE: "1",
  TOKENIZERS_PARALLELISM: "false",
  OMP_NUM_THREADS: "1",
};

async function compare(url, model, python = pythonPlace) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "infernode-lm-eval-"));
  const env = { ...process.env, ...kEnvironment, HF_HOME: path.join(folder, "cache") };
  const run = (program, args) => promisify(execFile)(program, args, { env, maxBuffer: kOutput });
  const [task, checkpoint] = [path.join(folder, "task"), path.join(folder, "checkpoint")];
  const accuracy = async (kind, modelArgs, more = []) => {
    const output = path.join(folder, kind);
    const common = ["--tasks", kTask, "--include_path", task, "--output_path", output];
    const args = ["-m", "lm_eval", "run", "--model", kind, "--model_args", modelArgs, ...common, ...more];
    await run(python, args);
    return figuresIn(output);
  };
  try {
    const { data } = await (await fetch(`${url}/v1/models`)).json();
    await run(process.execPath, [path.join(kHere, "make-task.mjs"), task]);
    await run(python, [path.join(kHere, "checkpoint.py"), model, checkpoint]);
    const served = await accuracy(
      "local-completions",
      `model=${data[0].id},base_url=${url}/v1/completions,tokenizer=${checkpoint},num_concurrent=8`,
    );
    const hf = await accuracy("hf", `pretrained=${checkpoint},dtype=float32`, [
      "--device",
      "cpu",
      "--batch_size",
      "16",
    ]);
    return { served, hf };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function figuresIn(folder) {
  const [file] = readdirSync(folder, { recursive: true }).filter((name) => /results.*\.json$/.test(name));
  const { results } = JSON.parse(readFileSync(path.join(folder, file), "utf8"));
  return { acc: results[kTask]["acc,none"], stderr: results[kTask]["acc_stderr,none"] };
}

const [url, model, python] = process.argv.slice(2);
console.log(JSON.stringify(await compare(url, path.resolve(model), python)));
