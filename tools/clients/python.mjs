// `npm run clients:python`: a virtual environment in .build with the Python packages that test/clients runs
// against the server, of one version each. 2 GB, most of it torch, with which lm-eval is judged.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { paths } from "../setup/paths.mjs";

const kPackages = [
  "openai==3.57.0",
  "runpod==1.12.0",
  "lm-eval[api]==0.4.13",
  "torch==2.13.0",
  "transformers==5.17.0",
  "accelerate==1.15.0",
  "gguf==0.19.0",
];

const kFolder = path.join(paths.state, "clients-python");

export const pythonPlace = path.join(kFolder, "bin/python");

function run(program, args) {
  const { status, error } = spawnSync(program, args, { stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) throw new Error(`infernode: ${program} ${args.join(" ")} ended with ${status}`);
}

function makeEnvironment() {
  if (!existsSync(pythonPlace)) run("python3", ["-m", "venv", kFolder]);
  run(pythonPlace, ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", ...kPackages]);
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) makeEnvironment();
