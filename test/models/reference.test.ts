// What names a model: what users of Ollama, llama-server, vLLM, node-llama-cpp and
// transformers type, each with its meaning here or with the spelling to use.
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { hubReferenceText } from "../../src/models/hub-reference.js";
import { type ModelReference, parseReference } from "../../src/models/reference.js";
import { caught } from "../helpers/caught.js";

const parse = (given: unknown, endpoint?: string) => parseReference("loadModel()", given, { endpoint });

function hub(repository: string, selected: { file?: string; type?: string; revision?: string } = {}) {
  const { file, type: quantization, revision } = selected;
  return { type: "hub", repository, file, quantization, revision };
}
const path = (text: string) => ({ type: "path", path: resolve(text), text });
const digest = "ab".repeat(32);

describe("a reference to the hub", () => {
  it.each<[given: string, ModelReference | object]>([
    ["hf:acme/Fox-GGUF", hub("acme/Fox-GGUF")],
    ["HF:acme/Fox-GGUF", hub("acme/Fox-GGUF")],
    ["hf://acme/Fox-GGUF", hub("acme/Fox-GGUF")],
    ["hf:acme/Fox-GGUF:Q4_K_M", hub("acme/Fox-GGUF", { type: "Q4_K_M" })],
    ["hf:acme/Fox-GGUF:q8_0", hub("acme/Fox-GGUF", { type: "q8_0" })],
    ["hf:acme/Fox-GGUF:UD-Q4_K_XL", hub("acme/Fox-GGUF", { type: "UD-Q4_K_XL" })],
    ["hf:acme/Fox-GGUF:latest", hub("acme/Fox-GGUF")],
    ["hf:acme/Fox-GGUF:fox Q8.gguf", hub("acme/Fox-GGUF", { file: "fox Q8.gguf" })],
    [
      "hf:acme/Fox-GGUF:Q8_0/fox-00001-of-00002.gguf",
      hub("acme/Fox-GGUF", { file: "Q8_0/fox-00001-of-00002.gguf" }),
    ],
    ["hf:acme/Fox-GGUF:50%25.gguf", hub("acme/Fox-GGUF", { file: "50%25.gguf" })],
    ["hf:acme/Fox-GGUF/fox.gguf", hub("acme/Fox-GGUF", { file: "fox.gguf" })],
    ["hf:acme/Fox-GGUF@v1.0", hub("acme/Fox-GGUF", { revision: "v1.0" })],
    ["hf:acme/Fox-GGUF@refs/pr/1", hub("acme/Fox-GGUF", { revision: "refs/pr/1" })],
    [
      "hf:acme/Fox-GGUF:Q4_0@0123456789abcdef0123456789abcdef01234567",
      hub("acme/Fox-GGUF", { type: "Q4_0", revision: "0123456789abcdef0123456789abcdef01234567" }),
    ],
    ["hf:acme/Fox-GGUF:a@b.gguf@main", hub("acme/Fox-GGUF", { file: "a@b.gguf", revision: "main" })],
    // Ollama
    ["hf.co/acme/Fox-GGUF:Q4_K_M", hub("acme/Fox-GGUF", { type: "Q4_K_M" })],
    ["huggingface.co/acme/Fox-GGUF", hub("acme/Fox-GGUF")],
    // a browser
    ["https://huggingface.co/acme/Fox-GGUF", hub("acme/Fox-GGUF")],
    ["https://huggingface.co/acme/Fox-GGUF/", hub("acme/Fox-GGUF")],
    ["https://huggingface.co/acme/Fox-GGUF/tree/main", hub("acme/Fox-GGUF", { revision: "main" })],
    [
      "https://huggingface.co/acme/Fox-GGUF?show_file_info=fox-Q4_K_M.gguf",
      hub("acme/Fox-GGUF", { file: "fox-Q4_K_M.gguf" }),
    ],
    [
      "https://huggingface.co/acme/Fox-GGUF/blob/main/x.gguf",
      hub("acme/Fox-GGUF", { file: "x.gguf", revision: "main" }),
    ],
    [
      "https://huggingface.co/acme/Fox-GGUF/resolve/main/x.gguf?download=true",
      hub("acme/Fox-GGUF", { file: "x.gguf", revision: "main" }),
    ],
    [
      "https://huggingface.co/acme/Fox-GGUF/resolve/main/sub/a%20b.gguf",
      hub("acme/Fox-GGUF", { file: "sub/a b.gguf", revision: "main" }),
    ],
    [
      "https://huggingface.co/acme/Fox-GGUF/resolve/refs%2Fpr%2F1/x.gguf",
      hub("acme/Fox-GGUF", { file: "x.gguf", revision: "refs/pr/1" }),
    ],
    [
      "https://huggingface.co/acme/Fox-GGUF/blob/refs/pr/1/x.gguf",
      hub("acme/Fox-GGUF", { file: "x.gguf", revision: "refs/pr/1" }),
    ],
    [
      "huggingface.co/acme/Fox-GGUF/blob/main/x.gguf",
      hub("acme/Fox-GGUF", { file: "x.gguf", revision: "main" }),
    ],
    ["https://hf.co/acme/Fox-GGUF", hub("acme/Fox-GGUF")],
  ])("%s", (given, expected) => {
    expect(parse(given)).toEqual(expected);
  });

  it("may be an address of the hub that HF_ENDPOINT names", () => {
    const page = "http://127.0.0.1:8080/acme/fox/resolve/main/x.gguf";
    expect(parse(page, "http://127.0.0.1:8080")).toEqual(
      hub("acme/fox", { file: "x.gguf", revision: "main" }),
    );
    expect(parse(page)).toEqual({ type: "address", url: page, sha256: undefined });
  });

  it.each(["hf:acme/fox", "hf:acme/fox:Q8_0@main", "hf:acme/fox:a/b c.gguf@refs/pr/2"])(
    "%s is told as it is typed",
    (text) => {
      const parsed = parse(text);
      expect(parsed.type === "hub" && hubReferenceText(parsed)).toBe(text);
    },
  );
});

describe("a reference to this machine", () => {
  it.each<[given: string | URL, object]>([
    ["model.gguf", path("model.gguf")],
    ["./acme/fox", path("./acme/fox")],
    ["../model.gguf", path("../model.gguf")],
    ["a model.gguf", path("a model.gguf")],
    ["50%.gguf", path("50%.gguf")],
    ["50%25.gguf", path("50%25.gguf")],
    ["/models/a:b.gguf", path("/models/a:b.gguf")],
    ["models/hf:x.gguf", path("models/hf:x.gguf")],
    ["~/model.gguf", path("~/model.gguf")],
    ["C:\\models\\x.gguf", path("C:\\models\\x.gguf")],
    ["c:/models/x.gguf", path("c:/models/x.gguf")],
    ["\\\\server\\share\\x.gguf", path("\\\\server\\share\\x.gguf")],
    ["hf.co/../x.gguf", path("hf.co/../x.gguf")],
    ["file:///models/a%20b.gguf", path("/models/a b.gguf")],
    [new URL("file:///models/50%25.gguf"), path("/models/50%.gguf")],
    ["synthetic:llama?layers=2", { type: "synthetic", text: "synthetic:llama?layers=2" }],
  ])("%s", (given, expected) => {
    expect(parse(given)).toMatchObject(expected);
  });

  it.each<[given: string, object | undefined]>([
    ["acme/fox", hub("acme/fox")],
    ["acme/fox:Q4_K_M", hub("acme/fox", { type: "Q4_K_M" })],
    ["acme/fox:fox.gguf@main", hub("acme/fox", { file: "fox.gguf", revision: "main" })],
    ["acme/fox/sub/fox.gguf", undefined],
    ["./acme/fox", undefined],
    ["../fox", undefined],
    ["fox", undefined],
    ["acme--x/fox", undefined],
    ["datasets/fox", undefined],
  ])("%s may name a repository, too: %j", (given, repository) => {
    expect(parse(given)).toMatchObject({ type: "path", path: resolve(given), repository });
  });
});

describe("an address", () => {
  it.each<[given: string, url: string, sha256?: string]>([
    ["https://example.org/a/m.gguf", "https://example.org/a/m.gguf"],
    ["https://example.org/m.GGUF?token=1", "https://example.org/m.GGUF?token=1"],
    [`https://example.org/m.gguf#sha256=${digest.toUpperCase()}`, "https://example.org/m.gguf", digest],
    ["http://localhost:8000/m.gguf", "http://localhost:8000/m.gguf"],
    ["http://[::1]/m.gguf", "http://[::1]/m.gguf"],
    ["HTTPS://Example.org/m.gguf", "https://example.org/m.gguf"],
  ])("%s", (given, url, sha256) => {
    expect(parse(given)).toEqual({ type: "address", url, sha256 });
    expect(parse(new URL(given))).toEqual({ type: "address", url, sha256 });
  });
});

describe("what is refused", () => {
  it.each<[given: unknown, sentence: string]>([
    [
      undefined,
      "must be the path of a model, a file: URL, hf:owner/name or the https:// address of a GGUF file, got nothing",
    ],
    ["  ", 'got "  "'],
    ["a\0b", 'got "a\\u0000b"'],
    ["llama3:8b", "a file of that name is written ./llama3:8b, a model of the hub hf:owner/name"],
    ["ollama://llama3", "Ollama's models are not read; take the model's GGUF repository, as hf:owner/name"],
    ["huggingface:acme/fox", "write hf:owner/name"],
    ["s3://bucket/m.gguf", "download the GGUF file and give its path, or give its https:// address"],
    ["gs://bucket/m.gguf", "or give its https:// address"],
    ["hf:", "must be hf:owner/name[:file-or-quantization][@revision]"],
    ["hf:gpt2", "the owner is missing"],
    ["hf:acme\\fox", 'the separator is "/"'],
    ["hf:acme/fox/sub", "a file of the repository follows a colon"],
    ["hf:datasets/acme/fox", "datasets/ is no owner of models"],
    ["hf:../fox", "must be hf:owner/name"],
    ["hf:acme/..", "must be hf:owner/name"],
    ["hf:acme/f--x", "must be hf:owner/name"],
    ["hf:acme/fox:../../etc/x.gguf", "must have a .gguf file or a type such as Q4_K_M after the colon"],
    ["hf:acme/fox:", "must have a .gguf file or a type"],
    ["hf:acme/fox:model.safetensors", "a checkpoint is hf:acme/fox"],
    ["hf:acme/fox@main:Q4_0", "the revision comes last: hf:acme/fox:Q4_0@main"],
    ["hf://acme/fox@main/sub/x.gguf", "the revision comes last: hf:acme/fox:sub/x.gguf@main"],
    ["hf:acme/fox@../x", "must have a branch, a tag or a commit after @"],
    ["hf:acme/fox@", "must have a branch, a tag or a commit after @"],
    ["hf:acme/fox/x.gguf#main", "a revision is written @main"],
    ["http://example.org/m.gguf", "must be an https:// address (http:// only of localhost)"],
    ["https://example.org/m.bin", "must be the address of a .gguf file"],
    ["https://example.org/m.gguf#sha256=12", "must end with #sha256= and 64 hexadecimal digits"],
    ["https://user:secret@example.org/m.gguf", "without a user name and a password, got one of example.org"],
    ["https://", "must be an address"],
    ["https://huggingface.co/acme", "must be the address of a model's repository or of a file in it"],
    ["https://huggingface.co/datasets/acme/fox", "must be the address of a model's repository"],
    ["https://huggingface.co/acme/fox/tree/main/sub", "not a folder"],
    ["https://huggingface.co/acme/fox/blob/main/config.json", "the whole is hf:acme/fox"],
    ["https://huggingface.co/acme/fox/discussions", "must be the address of a .gguf file in the repository"],
    ["https://huggingface.co/acme/fox/resolve/main/..%2Fx.gguf", "must be the address of a .gguf file"],
    ["https://huggingface.co/acme/fox/resolve/main/50%.gguf", "a percent sign is written %25"],
    [`https://huggingface.co/acme/fox/resolve/main/x.gguf#sha256=${digest}`, "@commit pins one"],
    ["file:///models/50%.gguf", "a percent sign is written %25"],
    ["file://host/m.gguf", "such as file:///models/m.gguf"],
  ])("%j: %s", async (given, sentence) => {
    const error = await caught(() => parse(given));
    expect(error).toMatchObject({ code: "INVALID_OPTION", path: ["path"] });
    expect(error.message).toContain(sentence);
    expect(error.message).not.toContain("secret");
  });
});
