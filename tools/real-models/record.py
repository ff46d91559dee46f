"""Records what the tests of real models compare with, into test/real-models/references.

usage: record.py SERVER MODELS

SERVER is llama-server, built by tools/setup/build-reference.mjs; MODELS the folder that
`npm run models:real` fills. Needs torch, transformers, accelerate and gguf (pip); minutes per model.

Of each prompt of prompts.json, which names slices of the pinned llama.cpp sources:
- the ten likeliest first tokens and their log probabilities, computed by transformers in
  F32 from the dequantised weights, and
- how far llama-server's log probabilities of the same tokens are from those, on a
  processor of this kind.
Of each text of llama.cpp's tokenizer tests: the ids that llama-server gives it.
"""

import json
import math
import pathlib
import subprocess
import sys
import time
import urllib.request

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ROOT / "third_party/.sources/llama.cpp"
TESTS = ROOT / "test/real-models"
VECTORS = "models/ggml-vocab-llama-bpe.gguf.inp"
MODELS = {"smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma3": "gemma-3-270m-q4_k_m.gguf"}
PORT = 18417
LIKELIEST = 10
ASKED = 20


def main():
    server, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    prompts = json.loads((TESTS / "prompts.json").read_text())
    for name, file in MODELS.items():
        target = TESTS / "references" / f"{name}.json"
        recorded = record(server, folder, file, prompts)
        if target.exists():  # llama.cpp's figures of other processors stay
            recorded["llamaDistance"] = json.loads(target.read_text())["llamaDistance"] | recorded["llamaDistance"]
        text = json.dumps(recorded, separators=(",", ":")).replace("]],[[", "]],\n[[")
        target.write_text(text + "\n")


def record(server, folder, file, prompts):
    process = subprocess.Popen(
        [server, "-m", str(folder / file), "--port", str(PORT), "-c", "4096", "-np", "1", "-t", "1", "--no-webui"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_server()
        tokens = [ids_of(prompt) for prompt in prompts]
        vectors = [
            [tokenize(text, special) for special in (False, True)]
            for text in test_vectors()
        ]
        theirs = [likeliest_of_server(ids) for ids in tokens]
    finally:
        process.terminate()
        process.wait()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    top, distances = [], []
    for ids, their in zip(tokens, theirs):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1].double()
        values, indices = torch.log_softmax(logits, -1).topk(LIKELIEST)
        top.append([[int(i), round(float(v), 6)] for i, v in zip(indices, values)])
        distances.append(distance(top[-1], their))
    versions = {"transformers": transformers.__version__, "torch": torch.__version__, "llama.cpp": "v0.5.0"}
    return {"model": file, "recordedWith": versions, "llamaDistance": {processor(): round(mean(distances), 5)}, "top": top, "vectors": vectors}


def processor():
    """The instructions that llama.cpp's rounding depends on, as test/helpers/real-models.ts names them."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    known = {"amx_int8": "amx", "avx512_vnni": "avx512-vnni", "avx2": "avx2"}
    return next((name for flag, name in known.items() if flag in flags), "other")


def ids_of(prompt):
    text = (SOURCES / prompt["file"]).read_text("utf-8")[prompt["at"] :]
    ids = tokenize(text[: 8 * prompt["tokens"] + 64], True)
    assert len(ids) > prompt["tokens"], prompt
    return ids[: prompt["tokens"]]


def tokenize(text, add_special):
    asked = {"content": text, "add_special": add_special, "parse_special": False}
    return post("/tokenize", asked)["tokens"]


def test_vectors():
    return (SOURCES / VECTORS).read_text("utf-8").split("\n__ggml_vocab_test__\n")


def likeliest_of_server(ids):
    asked = {"prompt": ids, "n_predict": 1, "n_probs": ASKED, "temperature": 0, "cache_prompt": False}
    told = post("/completion", asked)["completion_probabilities"][0]["top_logprobs"]
    return {each["id"]: each["logprob"] for each in told}


def distance(reference, told):
    """Root mean square over the reference's tokens that are among those told."""
    squares = [(value - told[token]) ** 2 for token, value in reference if token in told]
    return math.sqrt(mean(squares))


def mean(values):
    return sum(values) / len(values)


def post(route, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}{route}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as response:
        return json.load(response)


def wait_for_server():
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("llama-server does not answer")


if __name__ == "__main__":
    main()
