// Where models are looked for: paths, volumes, and the platform's cache with its
// folders in any case of letters.
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { embeddedModelPath } from "../../src/index.js";
import { textGenerationWorker } from "../../src/text-generation/worker.js";
import { workerModel } from "../../src/text-generation/worker-model.js";
import { createPlatform } from "../../tools/platform-emulator/index.mjs";
import { caught } from "../helpers/caught.js";
import { finished, startWorker } from "../serverless/harness.js";
import { withTextWorker } from "./scene.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "infernode-models-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** The worker's look-up without a network; what it says is collected. */
function findModel(model: string, folders: readonly string[], revision?: string, said: string[] = []) {
  const environment = { HF_HUB_OFFLINE: "1", HF_HOME: join(folder, "home") };
  return workerModel({ model, folders, revision }, environment, (_, message) => void said.push(message));
}

async function put(...parts: string[]): Promise<string> {
  const path = join(folder, ...parts);
  await mkdir(dirname(path), { recursive: true });
  await copyFile(embeddedModelPath(), path);
  return path;
}

/** As Hugging Face lays a repository out. */
async function cached(name: string, revision: string, ...files: string[]): Promise<void> {
  const root = join(folder, "hub", name);
  for (const [index, file] of files.entries()) {
    const blob = await put("hub", name, "blobs", `blob${index}`);
    const link = join(root, "snapshots", revision, file);
    await mkdir(dirname(link), { recursive: true });
    await symlink(blob, link);
  }
  await mkdir(join(root, "refs"), { recursive: true });
  await writeFile(join(root, "refs", "main"), `${revision}\n`);
}

describe("a model reference", () => {
  it("is a file, whose name answers carry without its folder", async () => {
    const path = await put("somewhere", "Fox-7B-Q8_0.gguf");
    expect(await findModel(path, [])).toEqual({ path, name: "Fox-7B-Q8_0" });
  });

  it("is a folder, of which the best type is taken, and no projector", async () => {
    await put("fox", "fox-F16.gguf");
    await put("fox", "mmproj-fox-Q4_K_M.gguf");
    const best = await put("fox", "fox-q4_k_m.gguf");
    expect(await findModel(join(folder, "fox"), [])).toEqual({ path: best, name: "fox" });
  });

  it("is a repository in the platform's cache, in any case of letters, by its main revision", async () => {
    await cached("models--acme--fox-7b-gguf", "abc", "Fox-Q5_K_M.gguf", "Fox-Q8_0.gguf");
    const hub = [join(folder, "nothing"), join(folder, "hub")];
    const found = await findModel("Acme/Fox-7B-GGUF", hub);
    expect(found.name).toBe("Acme/Fox-7B-GGUF");
    expect(found.path).toMatch(/snapshots\/abc\/Fox-Q5_K_M\.gguf$/);
    expect((await findModel("Acme/Fox-7B-GGUF:Q8_0", hub)).path).toMatch(/abc\/Fox-Q8_0\.gguf$/);
    expect((await findModel("hf:acme/fox-7b-gguf:Fox-Q8_0.gguf", hub)).path).toMatch(/abc\/Fox-Q8_0\.gguf$/);
    const error = await caught(() => findModel("Acme/Fox-7B-GGUF:IQ2_XS", hub));
    expect(error.message).toContain("has no GGUF file of type IQ2_XS; it has Fox-Q5_K_M.gguf, Fox-Q8_0.gguf");
  });

  it("without a type is chosen by preference, which the log tells", async () => {
    await cached("models--acme--fox", "abc", "Fox-Q5_K_M.gguf", "Fox-BF16.gguf", "Fox-Q4_0_4_4.gguf");
    const said: string[] = [];
    await findModel("acme/fox", [join(folder, "hub")], undefined, said);
    expect(said).toEqual([
      "acme/fox has 3 GGUF models; taking Fox-Q5_K_M.gguf (name another by its type or file).",
    ]);
    await findModel("acme/fox:BF16", [join(folder, "hub")], undefined, said);
    expect(said.length).toBe(1);
  });

  it("of a revision is that revision's, and no other", async () => {
    await cached("models--acme--fox", "abc", "Fox-Q8_0.gguf");
    await cached("models--acme--fox", "def", "Fox-Q8_0.gguf");
    const hub = [join(folder, "hub")];
    expect((await findModel("acme/fox", hub)).path).toContain("/def/");
    expect((await findModel("acme/fox@abc", hub)).path).toContain("/abc/");
    expect((await findModel("acme/fox", hub, "abc")).path).toContain("/abc/");
    const missing = await caught(() => findModel("acme/fox", hub, "v2"));
    expect(missing.message).toContain("the model hf:acme/fox@v2 is in none of");
    const contrary = await caught(() => findModel("acme/fox@abc", hub, "def"));
    expect(contrary.message).toBe(
      'MODEL_REVISION must be the revision in MODEL_NAME, "abc", or unset, got "def"',
    );
    const wrong = await caught(() => findModel("acme/fox", hub, "../../etc"));
    expect(wrong.message).toContain("MODEL_REVISION must be a branch, a tag or a commit");
  });

  it("is a folder of the network volume", async () => {
    const path = await put("models", "acme", "fox", "fox.gguf");
    expect(await findModel("acme/fox", [join(folder, "models")])).toEqual({
      path,
      name: "acme/fox",
    });
  });

  it("that leads nowhere says where it looked and what to do", async () => {
    const error = await caught(() => findModel("acme/none", ["/a", "/b"]));
    expect(error.code).toBe("MODEL_NOT_FOUND");
    expect(error.message).toBe(
      `the model hf:acme/none is in none of /a, /b, ${join(folder, "home/hub")}; HF_HUB_OFFLINE is set, so that ` +
        "nothing is downloaded: unset it, or run infernode pull hf:acme/none first",
    );
    const file = await caught(() => findModel("none.gguf", ["/a", "/b"]));
    expect(file.message).toContain(
      '"none.gguf" is no file and lies in none of /a, /b; put its GGUF file there',
    );
    const strange = await caught(() => findModel("llama3:8b", ["/a"]));
    expect(strange.message).toContain("MODEL_NAME must be the path of a model");
  });

  it("of a sharded checkpoint is there once all its files are", async () => {
    const snapshot = join(folder, "hub/models--acme--awq/snapshots/abc");
    await mkdir(snapshot, { recursive: true });
    const index = { weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } };
    await writeFile(join(snapshot, "config.json"), "{}");
    await writeFile(join(snapshot, "model.safetensors.index.json"), JSON.stringify(index));
    await writeFile(join(snapshot, "model-1.safetensors"), "x");
    const hub = [join(folder, "hub")];
    expect((await caught(() => findModel("acme/awq", hub))).code).toBe("MODEL_NOT_FOUND");
    await writeFile(join(snapshot, "model-2.safetensors"), "x");
    expect(await findModel("acme/awq", hub)).toEqual({ path: snapshot, name: "acme/awq" });
  });

  it("that is half downloaded is not there", async () => {
    await cached("models--acme--fox", "abc", "Fox-Q8_0.gguf");
    await rm(join(folder, "hub/models--acme--fox/blobs"), { recursive: true });
    expect((await caught(() => findModel("acme/fox", [join(folder, "hub")]))).code).toBe("MODEL_NOT_FOUND");
  });

  it("with weights of another format says so", async () => {
    await mkdir(join(folder, "awq"));
    await writeFile(join(folder, "awq", "model.safetensors"), "x");
    const error = await caught(() => findModel(join(folder, "awq"), []));
    expect(error.code).toBe("MODEL_FORMAT_UNSUPPORTED");
    expect(error.message).toContain("has .safetensors files without a config.json");
  });

  it("that is not set is the embedded model, loudly; answers never name a path", async () => {
    await withTextWorker({}, async ({ run, worker }) => {
      await run({ prompt: "Hi", params: { max_tokens: 2 } });
      expect(
        worker.lines.some((line) => line.startsWith("WARN") && line.includes("MODEL_NAME is not set")),
      ).toBe(true);
    });
    await cached("models--acme--tale", "abc", "tale-Q8_0.gguf");
    await withTextWorker(
      { MODEL_NAME: "acme/tale", HUGGINGFACE_HUB_CACHE: join(folder, "hub") },
      async ({ run }) => {
        const { output } = await run({ prompt: "Hi", params: { max_tokens: 2 } });
        expect(output).toMatchObject({ model: "acme/tale" });
      },
    );
  });
});

describe("a configuration that cannot be served", () => {
  it.each([
    [
      { MODEL_NAME: "acme/none", HF_HUB_OFFLINE: "1", HF_HOME: "/nowhere" },
      "MODEL_NOT_FOUND|the model hf:acme/none is in none of /nowhere/hub",
    ],
    [{ MODEL_NAME: "ollama:llama3" }, "MODEL_NAME must be the path of a model"],
    [
      { TENSOR_PARALLEL_SIZE: "4" },
      "TENSOR_PARALLEL_SIZE times PIPELINE_PARALLEL_SIZE must be at most the GPUs there are, 0; got 4",
    ],
    [
      { MAX_MODEL_LEN: "long" },
      'MAX_MODEL_LEN must be a number of tokens such as 8192 or 8k, or "auto", got "long"',
    ],
    [{ MAX_CONCURRENCY: "0" }, 'MAX_CONCURRENCY must be an integer of at least 1, got "0"'],
    [{ OPENAI_RESPONSE_ROLE: "bot" }, 'OPENAI_RESPONSE_ROLE must be "assistant", got "bot"'],
    [
      { LLAMA_SERVER_CMD_ARGS: "-ngl 9" },
      "LLAMA_SERVER_CMD_ARGS is not supported: no llama-server is started",
    ],
    [{ ENABLE_LORA: "true" }, "ENABLE_LORA is not supported"],
    [{ SPECULATIVE_CONFIG: "{}" }, "SPECULATIVE_CONFIG is not supported"],
    [
      { KV_CACHE_DTYPE: "int3" },
      "KV_CACHE_DTYPE must be one of auto, fp8, bfloat16, f16, bf16, f32, q8_0, q4_0",
    ],
  ])("%j is told to the platform by name, and the worker leaves", async (environment, sentence) => {
    const platform = await createPlatform();
    const { options } = textGenerationWorker(environment, () => {});
    const worker = startWorker(options, platform.env());
    expect(await worker.ended).toBe(1);
    const sick = platform.calls("ping").find((call) => call.url.includes("status=unhealthy"));
    expect(sick?.parameters.query?.get("reason")).toContain(sentence.split("|").at(-1)?.slice(0, 150));
    await platform.close();
  });

  it("variables without effect are named, those that mean nothing here pass", async () => {
    const environment = {
      QUANTIZATION: "awq",
      TENSOR_PARALLEL_SIZE: "1",
      DTYPE: "None",
      HF_TOKEN: "secret",
      VLLM_USE_DEEP_GEMM: "1",
      DEVICE: "cpu",
      MAX_MODEL_LEN: "1k",
    };
    const platform = await createPlatform();
    const { options, service } = textGenerationWorker(environment, () => {});
    const worker = startWorker(options, platform.env());
    await finished(platform, { id: "x", input: { prompt: "Hi", params: { max_tokens: 2 } } });
    const log = worker.lines.join("\n");
    expect(log).toContain("QUANTIZATION has no effect: a GGUF file has its own number types.");
    expect(log).not.toContain("HF_TOKEN");
    expect(log).toContain("VLLM_USE_DEEP_GEMM has no effect: no vLLM is started.");
    expect(log).not.toContain("DTYPE");
    expect(log).not.toContain("secret");
    expect(service()?.engine.options.contextLength).toBe(1024);
    worker.signal("SIGTERM");
    await worker.ended;
    await service()?.close();
    await platform.close();
  });
});
