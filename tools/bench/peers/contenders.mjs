// Everybody who is compared, each with how it is prepared, started and described. A contender is
//   { title, version, settings, prepare(setting), start(setting, task) }
// where setting is { store, programs, isa, native } and task is { model, slots, contextLength,
// threads }. What start() resolves to runs prompts: { pid, loadMs, run(prompts, newTokens), stop() },
// or whole workloads where no texts can be passed: { measure(workload) }.
import { execFileSync, spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { paths } from "../../setup/paths.mjs";
import { ensureEnvironment, pythonPackages } from "./environments.mjs";
import { llamaBatchedBench, llamaBench } from "./llama-programs.mjs";
import { ensurePeers, peerVersions } from "./packages.mjs";
import { referenceEnvironment, referenceProgram } from "./reference.mjs";
import { startServer } from "./server.mjs";
import { startWorker } from "./worker.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const programFile = (name) => path.join(here, "programs", name);
const kCellStep = 256; // llama.cpp pads each sequence's share of the context to it
const cellsOf = ({ contextLength }) => Math.ceil(contextLength / kCellStep) * kCellStep;
const cli = path.join(paths.dist, "cli/main.js");

const ownEnvironment = ({ native }) => (native === undefined ? {} : { INFERNODE_NATIVE: native });
const ownVersion = () => execFileSync(process.execPath, [cli, "--version"], { encoding: "utf8" }).trim();

const infernode = {
  title: "infernode",
  isOurs: true,
  settings: "createEngine({ slots, contextLength, threads }), in a Node.js process",
  version: ownVersion,
  start: (setting, task) =>
    startWorker("infernode", process.execPath, [programFile("infernode.mjs")], {
      task,
      env: ownEnvironment(setting),
    }),
};

const infernodeServe = {
  title: "infernode serve",
  isOurs: true,
  settings: "infernode serve --slots --context-length, over HTTP",
  version: ownVersion,
  start: (setting, { model, slots, contextLength, threads }) =>
    startServer(
      "infernode serve",
      (port) =>
        [process.execPath, cli, "serve", model, "--port", port, "--served-model-name", "m"]
          .concat(["--slots", slots, "--context-length", contextLength, "--no-playground"])
          .map(String),
      { threads, startMs: setting.startMs, env: ownEnvironment(setting) },
    ),
};

const kServerFlags = ["-ngl", "0", "-fa", "auto", "--no-kv-unified", "--cache-ram", "0"];

const llamaServer = {
  title: "llama-server",
  settings: `llama-server -np -c -t ${kServerFlags.join(" ")}, over HTTP`,
  version: async ({ programs }) => versionOfProgram(await referenceProgram("llama-server", programs)),
  prepare: ({ programs }) => referenceProgram("llama-server", programs),
  async start({ programs, startMs }, task) {
    const program = await referenceProgram("llama-server", programs);
    const { model, slots, threads } = task;
    const sizes = ["-np", slots, "-c", cellsOf(task) * slots, "-t", threads, "-tb", threads];
    const address = (port) => ["--host", "127.0.0.1", "--port", port];
    return startServer(
      "llama-server",
      (port) => [program, "-m", model, ...address(port), ...sizes, ...kServerFlags].map(String),
      { threads, startMs, env: referenceEnvironment(program), extra: { cache_prompt: false } },
    );
  },
};

function versionOfProgram(program) {
  const { stdout, stderr } = spawnSync(program, ["--version"], {
    env: referenceEnvironment(program),
    encoding: "utf8",
  });
  return /version: .*/.exec(`${stdout}${stderr}`)?.[0] ?? "of the pinned tree";
}

const kVllmFlags = ["--dtype", "bfloat16", "--no-enable-prefix-caching"];

const vllm = {
  title: "vLLM",
  settings: `vllm serve --max-num-seqs --max-model-len ${kVllmFlags.join(" ")}, over HTTP`,
  version: () => `${pythonPackages.vllm.name} ${pythonPackages.vllm.version}`,
  prepare: ({ store }) => ensureEnvironment("vllm", store),
  async start({ store, startMs }, { model, slots, contextLength, threads }) {
    const python = await ensureEnvironment("vllm", store);
    const sizes = ["--max-num-seqs", slots, "--max-model-len", contextLength];
    const address = (port) => ["--host", "127.0.0.1", "--port", port, "--served-model-name", "m"];
    return startServer(
      "vLLM",
      (port) => {
        const serve = ["-m", "vllm.entrypoints.cli.main", "serve", model];
        return [python, ...serve, ...address(port), ...sizes, ...kVllmFlags].map(String);
      },
      { threads, startMs, env: vllmEnvironment(store, threads) },
    );
  },
};

// It works offline, and keeps what it compiles beside its environment. Its own programs call
// others by name, so that its folder leads the PATH.
function vllmEnvironment(store, threads) {
  return {
    PATH: `${path.join(store, "vllm/bin")}:${process.env.PATH}`,
    VLLM_CPU_KVCACHE_SPACE: "2",
    VLLM_CPU_OMP_THREADS_BIND: `0-${threads - 1}`,
    VLLM_CACHE_ROOT: path.join(store, "vllm-cache"),
    TORCHINDUCTOR_CACHE_DIR: path.join(store, "vllm-cache/inductor"),
    HF_HUB_OFFLINE: "1",
    TRANSFORMERS_OFFLINE: "1",
    VLLM_NO_USAGE_STATS: "1",
    DO_NOT_TRACK: "1",
  };
}

// One of the two variables alone leaves the other library at its best instructions.
const openvinoEnvironment = ({ isa }) =>
  isa === undefined ? {} : { ONEDNN_MAX_CPU_ISA: isa.toUpperCase(), OV_CPU_MAX_ISA: isa.toUpperCase() };

const openvino = {
  title: "OpenVINO GenAI",
  settings: "ContinuousBatchingPipeline, 512 tokens a pass, dynamic split-fuse, no prefix cache, in process",
  isRestrictable: true,
  version: () => `${pythonPackages.openvino.name} ${pythonPackages.openvino.version}`,
  prepare: ({ store }) => ensureEnvironment("openvino", store),
  async start(setting, task) {
    const python = await ensureEnvironment("openvino", setting.store);
    return startWorker("OpenVINO GenAI", python, [programFile("openvino_worker.py")], {
      task,
      env: openvinoEnvironment(setting),
    });
  },
};

const npmPackage = (title, name, file, settings) => ({
  title,
  settings,
  version: () => `${name} ${peerVersions[name]}`,
  prepare: ({ store }) => ensurePeers(store),
  start({ store }, task) {
    return startWorker(title, process.execPath, [programFile(file)], { task: { ...task, packages: store } });
  },
});

export const contenders = {
  infernode,
  "infernode-serve": infernodeServe,
  "llama-server": llamaServer,
  "llama-bench": llamaBench,
  "llama-batched-bench": llamaBatchedBench,
  openvino,
  vllm,
  "node-llama-cpp": npmPackage(
    "node-llama-cpp",
    "node-llama-cpp",
    "node-llama-cpp.mjs",
    "sequence.evaluate(), a sequence for each request, in process",
  ),
  "llama-node": npmPackage(
    "llama.node",
    "@fugood/llama.node",
    "llama-node.mjs",
    "parallel.completion(), in process; its package has no SIMD beyond SSE2",
  ),
};
