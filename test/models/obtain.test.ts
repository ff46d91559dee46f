// loadModel() by reference, over a hub of this machine: downloaded once, found afterwards,
// refused in a sentence where nothing may be downloaded.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { embeddedModelPath, inspectModel, type LoadProgress, loadModel } from "../../src/index.js";
import { type Hub, sha256, startHub } from "../../tools/hub-emulator/index.mjs";
import { caught } from "../helpers/caught.js";

let hub: Hub;
let home: string;
const tale = await readFile(embeddedModelPath());

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "infernode-home-"));
  hub = await startHub({
    "acme/Tale-GGUF": {
      files: {
        "Tale-F16.gguf": "not a model at all",
        "Tale-Q8_0.gguf": tale,
        "README.md": "# Tale",
        "mmproj-Tale-Q4_K_M.gguf": "a projector",
      },
    },
    "acme/Pickled": { files: { "pytorch_model.bin": "x", "config.json": "{}" } },
  });
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_HUB_CACHE", "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  await rm(home, { recursive: true });
});

describe("a model of the hub", () => {
  it("is downloaded once, of the preferred type, and loaded from the cache afterwards", async () => {
    const told: [number, LoadProgress][] = [];
    const model = await loadModel("hf:acme/Tale-GGUF", { onProgress: (part, how) => told.push([part, how]) });
    expect(model.path).toBe(
      join(home, "hub/models--acme--Tale-GGUF/snapshots", hub.commitOf("acme/Tale-GGUF"), "Tale-Q8_0.gguf"),
    );
    await model.close();
    expect(hub.sentBytes()).toBe(tale.length); // no projector, no other type, no README
    const phases = told.map(([, { phase }]) => phase);
    expect(phases.indexOf("load")).toBeGreaterThan(phases.lastIndexOf("download"));
    expect(phases).toContain("download");
    expect(told.filter(([, { phase }]) => phase === "download").every(([part]) => part <= 0.9)).toBe(true);
    expect(told.find(([, { phase }]) => phase === "download")?.[1].totalBytes).toBe(tale.length);
    expect(told.at(-1)).toEqual([1, { phase: "load" }]);
    expect([...told].map(([part]) => part)).toEqual(
      told.map(([part]) => part).sort((one, other) => one - other),
    );

    const asked = hub.requests.length;
    for (const reference of [
      "hf:acme/Tale-GGUF",
      "hf:acme/Tale-GGUF:Q8_0@main",
      "hf.co/acme/Tale-GGUF:Q8_0",
    ]) {
      await (await loadModel(reference)).close();
    }
    expect(inspectModel("hf:acme/Tale-GGUF:Q8_0").metadata["general.architecture"]).toBe("llama");
    expect(hub.requests.length).toBe(asked);
  });

  it("may be named by the address of its page, and by a revision that moves no other", async () => {
    const commit = hub.commitOf("acme/Tale-GGUF");
    const page = `${hub.endpoint}/acme/Tale-GGUF/resolve/${commit}/Tale-Q8_0.gguf?download=true`;
    await using model = await loadModel(page);
    expect(model.path).toContain(`/snapshots/${commit}/Tale-Q8_0.gguf`);
    expect((await caught(() => loadModel("hf:acme/Tale-GGUF@v9"))).code).toBe("MODEL_NOT_FOUND");
  });

  it("is an adapter, too, whose name is its file's", async () => {
    await using model = await loadModel(embeddedModelPath());
    // The file is a model and no adapter: it is found, and the loader says so.
    const error = await caught(() => model.createEngine({ loras: [{ path: "hf:acme/Tale-GGUF:Q8_0" }] }));
    expect(error.message).toContain("Tale-Q8_0");
    expect(hub.sentBytes()).toBe(tale.length);
  });

  it.each<[reference: string, code: string, sentence: string]>([
    ["hf:acme/None", "MODEL_", "acme/None"],
    [
      "hf:acme/Tale-GGUF:IQ1_S",
      "MODEL_NOT_FOUND",
      "acme/Tale-GGUF has no GGUF file of type IQ1_S; it has Tale-F16.gguf, Tale-Q8_0.gguf",
    ],
    ["hf:acme/Tale-GGUF:other.gguf", "MODEL_NOT_FOUND", "has no file other.gguf"],
    ["hf:acme/Pickled", "MODEL_FORMAT_UNSUPPORTED", "weights in a format that is not read"],
  ])("%s is refused in a sentence", async (reference, code, sentence) => {
    const error = await caught(() => loadModel(reference));
    expect(error.code).toContain(code);
    expect(error.message).toContain(sentence);
    expect(hub.sentBytes()).toBe(0);
  });
});

describe("without a download", () => {
  it("names what is missing, where it was looked for and the command that fetches it", async () => {
    const cache = join(home, "hub");
    const rows: [() => unknown, string][] = [
      [
        () => loadModel("hf:acme/Tale-GGUF:Q8_0", { download: false }),
        "nothing is downloaded with download: false",
      ],
      [() => inspectModel("hf:acme/Tale-GGUF:Q8_0"), "inspectModel() downloads nothing"],
    ];
    for (const [load, why] of rows) {
      const error = await caught(load);
      expect(error.code).toBe("MODEL_NOT_FOUND");
      expect(error.message).toBe(
        `the model hf:acme/Tale-GGUF:Q8_0 is not in ${cache}; ${why}: run infernode pull hf:acme/Tale-GGUF:Q8_0 first`,
      );
    }
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const error = await caught(() => loadModel("hf:acme/Tale-GGUF:Q8_0"));
    expect(error.message).toContain("HF_HUB_OFFLINE is set");
    expect(hub.requests).toEqual([]);
  });

  it("finds what was downloaded, and says what else is there", async () => {
    await (await loadModel("hf:acme/Tale-GGUF:Q8_0")).close();
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await (await loadModel("hf:acme/Tale-GGUF")).close();
    const error = await caught(() => loadModel("hf:acme/Tale-GGUF:Q4_0"));
    expect(error.message).toContain("(acme/Tale-GGUF has no GGUF file of type Q4_0; it has Tale-Q8_0.gguf)");
  });

  it("finds the file of an address that was fetched before", async () => {
    const address = `${hub.store}/files/tale.gguf`;
    hub.state.intercept = (request, response, url) => {
      if (url.pathname !== "/files/tale.gguf") return false;
      const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "") ?? [];
      const body = tale.subarray(Number(from ?? 0), to ? Number(to) + 1 : undefined);
      const range = { "content-range": `bytes ${from}-${Number(from) + body.length - 1}/${tale.length}` };
      response.writeHead(from === undefined ? 200 : 206, {
        etag: '"1"',
        "content-length": body.length,
        ...(from && range),
      });
      response.end(request.method === "HEAD" ? undefined : body);
      return true;
    };
    const missing = await caught(() => loadModel(address, { download: false }));
    expect(missing.code).toBe("MODEL_NOT_FOUND");
    await (await loadModel(`${address}#sha256=${sha256(tale)}`)).close();
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await using model = await loadModel(address);
    expect(model.path).toMatch(/tale\.gguf$/);
    expect(inspectModel(address).tensors.length).toBeGreaterThan(0);
    const wrong = await caught(() => loadModel(`${address}#sha256=${"0".repeat(64)}`));
    expect(wrong.code).toBe("MODEL_NOT_FOUND");
  });
});

describe("a download that ends early", () => {
  it("is cancelled by the signal, with its reason", async () => {
    hub.state.bytesPerSecond = 1e6;
    const controller = new AbortController();
    const loading = loadModel("hf:acme/Tale-GGUF", {
      signal: controller.signal,
      onProgress: () => controller.abort("enough"),
    });
    const error = await caught(() => loading);
    expect(error).toMatchObject({ code: "CANCELLED", cause: "enough" });
  });

  it("is ended by what onProgress throws", async () => {
    hub.state.bytesPerSecond = 1e6;
    const loading = loadModel("hf:acme/Tale-GGUF", {
      onProgress: () => {
        throw new RangeError("stop");
      },
    });
    await expect(loading).rejects.toThrow(RangeError);
  });
});
