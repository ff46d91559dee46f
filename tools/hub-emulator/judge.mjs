// The judge of the emulated hub and of our cache is Python's huggingface_hub: it downloads
// from the hub, finds what our pull fetched, and our pull finds what it fetched.
//   node tools/hub-emulator/judge.mjs PYTHON    (a Python with huggingface_hub; needs dist/)
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { startHub } from "./index.mjs";

const root = path.resolve(import.meta.dirname, "../..");
const kRepository = "owner/name";
const files = {
  "model-Q8_0.gguf": Buffer.alloc(3_000_000, "weights "),
  "config.json": "{}\n",
  "sub/näme.txt": "text\n",
};
const execute = promisify(execFile);

const kDownload = `
import huggingface_hub as h, sys
print(h.snapshot_download("${kRepository}"))
`;
const kOffline = `
import huggingface_hub as h
print(h.try_to_load_from_cache("${kRepository}", "model-Q8_0.gguf"))
print(h.hf_hub_download("${kRepository}", "model-Q8_0.gguf"))
info = h.scan_cache_dir()
assert [r.repo_id for r in info.repos] == ["${kRepository}"], info
assert all("urls" not in str(w) for w in info.warnings), info.warnings
print(h.__version__)
`;

function check(isRight, what) {
  console.log(`${isRight ? "ok" : "WRONG"}: ${what}`);
  if (!isRight) process.exitCode = 1;
}

async function main(python) {
  const folder = mkdtempSync(path.join(tmpdir(), "infernode-judge-"));
  const hub = await startHub({ [kRepository]: { files, token: "hf_secret" } });
  const environment = (cache, more = {}) => ({
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      HF_ENDPOINT: hub.endpoint,
      HF_HUB_CACHE: path.join(folder, cache),
      HF_TOKEN: "hf_secret",
      HF_HUB_DISABLE_XET: "1",
      ...more,
    },
  });
  const ours = (cache) =>
    execute(
      process.execPath,
      [path.join(root, "dist/cli/main.js"), "pull", `hf:${kRepository}`],
      environment(cache),
    );
  const theirs = (cache, program, more) => execute(python, ["-c", program], environment(cache, more));
  try {
    const downloaded = (await theirs("theirs", kDownload)).stdout.trim();
    check(
      downloaded.endsWith(hub.commitOf(kRepository)),
      "huggingface_hub downloads a snapshot from the emulated hub",
    );
    const before = hub.sentBytes();
    const { stdout, stderr } = await ours("theirs");
    check(
      hub.sentBytes() === before && stderr.includes("there already"),
      "our pull finds what huggingface_hub fetched",
    );
    check(stdout.trim() === path.join(downloaded, "model-Q8_0.gguf"), "in the same place");
    const pulled = (await ours("ours")).stdout.trim();
    const [cached, offline, version] = (await theirs("ours", kOffline, { HF_HUB_OFFLINE: "1" })).stdout
      .trim()
      .split("\n");
    check(
      cached === pulled && offline === pulled,
      `huggingface_hub ${version} finds offline what our pull fetched`,
    );
    const sent = hub.sentBytes();
    await theirs(
      "ours",
      `import huggingface_hub as h; h.hf_hub_download("${kRepository}", "model-Q8_0.gguf")`,
    );
    check(hub.sentBytes() === sent, "and downloads it not again");
    const leaked = hub.requests.some(
      ({ origin, headers }) =>
        origin === "store" && headers["user-agent"] === "infernode" && headers.authorization !== undefined,
    );
    check(!leaked, "the store never saw the token of our pull");
  } finally {
    await hub.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main(process.argv[2] ?? "python3");
