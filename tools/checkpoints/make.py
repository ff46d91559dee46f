#!/usr/bin/env python3
"""Small Hugging Face checkpoints, valid by construction, of every format the loader reads.

usage: make.py OUT --pairwise | --all | --case arch=qwen2,format=ct-w4a16,group=32,...
       make.py --list [--all]

Writes one directory per case into OUT: config.json, tokenizer.json, tokenizer_config.json,
generation_config.json and safetensors. The same case has the same bytes on every machine:
the random numbers are Python's own. --pairwise covers every pair of values that can stand
together; --all is the whole product. Standard library only.
"""

import argparse
import hashlib
import itertools
import json
import pathlib
import random

from config_files import config_of, quantization_of
from layouts import LAYOUTS, Linear, number_bytes
from tiny_tokenizers import TOKENIZERS, token_count

AXES = {
    "arch": ("llama", "qwen2", "qwen3", "mistral", "gemma3", "phi3"),
    "format": ("plain", *LAYOUTS),
    "group": (128, 64, 32, -1),
    "sym": (False, True),
    "tied": (False, True),
    "bias": (False, True),
    "rope": ("none", "llama3", "linear", "yarn"),
    "shards": (1, 3),
    "scales": ("F16", "BF16", "F32"),
    "dense": ("F16", "BF16", "F32"),
    "tokenizer": ("bpe", "spm"),
}
SHAPE = {"layers": 2, "hidden": 128, "heads": 4, "kv_heads": 2, "ffn": 256}


def head_size(case):
    return 64 if case["arch"] in ("qwen3", "gemma3") else SHAPE["hidden"] // SHAPE["heads"]


def valid(case):
    """Whether a maker could have written it and the loader is to read it."""
    form, arch = case["format"], case["arch"]
    if form == "plain":
        if (case["group"], case["sym"], case["scales"]) != (128, False, "F16"):
            return False  # one spelling of what does not matter
    elif form == "ct-w8a8":
        if case["group"] != -1 or not case["sym"]:
            return False
    elif form == "ct-w8a16" and not case["sym"]:
        return False
    scale_types = {"llm-awq": ("F16", "BF16"), "plain": ("F16",)}.get(form)
    if form.startswith("ct-"):
        scale_types = ("F16", "BF16", "F32")
    if case["scales"] not in (scale_types or ("F16",)):
        return False
    if form == "llm-awq" and case["scales"] == "BF16" and not case["sym"]:
        return False  # a product in bf16 is no integer multiple of the scale
    if case["bias"] != (arch == "qwen2") and not (arch == "llama" and case["bias"]):
        return False
    if case["rope"] == "llama3" and arch != "llama":
        return False
    if case["rope"] == "linear" and arch not in ("llama", "gemma3"):
        return False
    if case["rope"] == "yarn" and arch not in ("qwen2", "qwen3"):
        return False
    if arch == "gemma3" and (not case["tied"] or case["tokenizer"] != "spm"):
        return False
    if arch in ("qwen2", "qwen3") and case["tokenizer"] != "bpe":
        return False
    if arch in ("mistral", "phi3") and case["tokenizer"] != "spm":
        return False
    return not (arch in ("mistral", "phi3") and case["tied"])


def every_case():
    for values in itertools.product(*AXES.values()):
        case = dict(zip(AXES, values))
        if valid(case):
            yield case


def pairs_of(case):
    return set(itertools.combinations(sorted(case.items()), 2))


def pairwise():
    """Greedy: each next case is the one that shows most pairs not seen yet."""
    cases = [(case, pairs_of(case)) for case in every_case()]
    missing = set().union(*(pairs for _, pairs in cases))
    chosen = []
    while missing:
        case, pairs = max(cases, key=lambda each: len(each[1] & missing))
        missing -= pairs
        chosen.append(case)
        cases = [each for each in cases if each[1] & missing]
    return chosen


def name_of(case):
    group = "row" if case["group"] == -1 else case["group"]
    parts = [case["arch"], case["format"]]
    if case["format"] != "plain":
        parts += [f"g{group}", "sym" if case["sym"] else "asym", case["scales"].lower()]
    parts += [case["dense"].lower(), case["tokenizer"]]
    parts += [word for word in ("tied", "bias") if case[word]]
    if case["rope"] != "none":
        parts.append(case["rope"])
    if case["shards"] > 1:
        parts.append(f"{case['shards']}shards")
    return "-".join(parts)


class Weights:
    """Seeded random tensors of a case, in Hugging Face's names."""

    def __init__(self, case):
        self.case = case
        digest = hashlib.sha256(name_of(case).encode()).digest()
        self.random = random.Random(int.from_bytes(digest[:8], "little"))
        self.tensors = {}

    def dense(self, name, shape, spread, around=0.0):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        raw = self.random.randbytes(count)  # 256 levels: every dense type holds them exactly
        values = [around + (byte - 127.5) / 127.5 * spread for byte in raw]
        if self.case["dense"] == "BF16":
            values = [round(value * 4096) / 4096 if abs(value) < 0.06 else round(value * 128) / 128 for value in values]
        self.tensors[name] = (self.case["dense"], shape, number_bytes(values, self.case["dense"]))

    def linear(self, module, rows, columns, bias):
        layout = self.case["format"]
        if layout == "plain":
            self.dense(f"{module}.weight", [rows, columns], columns**-0.5)
        else:
            self.quantized(module, self.random_linear(rows, columns))
        if bias:
            self.dense(f"{module}.bias", [rows], 0.1)

    def quantized(self, module, linear):
        for suffix, tensor in LAYOUTS[self.case["format"]](linear).items():
            self.tensors[f"{module}.{suffix}"] = tensor

    def random_linear(self, rows, columns):
        case = self.case
        group = columns if case["group"] == -1 else min(case["group"], columns)
        eight = "w8" in case["format"]
        raw = self.random.randbytes(rows * columns)
        flat = raw.translate(bytes(max(byte, 1) if eight else byte & 15 for byte in range(256)))
        quants = [flat[row * columns : (row + 1) * columns] for row in range(rows)]
        middle = 128 if eight else 8
        unit = columns**-0.5 / (74 if eight else 4.6)
        fixed = case["sym"]
        zeros = [[middle if fixed else self.zero() for _ in range(columns // group)] for _ in range(rows)]
        scales = [[self.scale(unit) for _ in range(columns // group)] for _ in range(rows)]
        return Linear(rows, columns, group, quants, zeros, scales, case["scales"], fixed)

    def zero(self):
        if self.case["format"].startswith("gptq-v1"):
            return self.random.randrange(1, 17)
        return self.random.randrange(0, 16)

    def scale(self, unit):
        """About `unit`, with as many significant bits as the type holds."""
        bits = {"F16": 11, "BF16": 8, "F32": 24}[self.case["scales"]]
        exponent = 0
        while 2.0 ** (exponent - 1) > unit:
            exponent -= 1
        return self.random.randrange(2 ** (bits - 1), 2**bits) * 2.0 ** (exponent - bits)


def fill(weights, vocabulary):
    case, shape = weights.case, SHAPE
    hidden, size = shape["hidden"], head_size(case)
    queries, keys = shape["heads"] * size, shape["kv_heads"] * size
    around = 0.0 if case["arch"] == "gemma3" else 1.0
    weights.dense("model.embed_tokens.weight", [vocabulary, hidden], 0.5)
    for layer in range(shape["layers"]):
        at = f"model.layers.{layer}."
        attention(weights, at + "self_attn.", hidden, queries, keys)
        feed_forward(weights, at + "mlp.", hidden, shape["ffn"])
        norms = ["input_layernorm", "post_attention_layernorm"]
        if case["arch"] == "gemma3":
            norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
        for norm in norms:
            weights.dense(f"{at}{norm}.weight", [hidden], 0.25, around)
        if case["arch"] in ("qwen3", "gemma3"):
            weights.dense(f"{at}self_attn.q_norm.weight", [size], 0.25, around)
            weights.dense(f"{at}self_attn.k_norm.weight", [size], 0.25, around)
    weights.dense("model.norm.weight", [hidden], 0.25, around)
    if not case["tied"]:
        weights.dense("lm_head.weight", [vocabulary, hidden], hidden**-0.5)


def attention(weights, at, hidden, queries, keys):
    bias = weights.case["bias"]
    if weights.case["arch"] == "phi3":
        weights.linear(at + "qkv_proj", queries + 2 * keys, hidden, False)
    else:
        weights.linear(at + "q_proj", queries, hidden, bias)
        weights.linear(at + "k_proj", keys, hidden, bias)
        weights.linear(at + "v_proj", keys, hidden, bias)
    weights.linear(at + "o_proj", hidden, queries, bias and weights.case["arch"] != "qwen2")


def feed_forward(weights, at, hidden, ffn):
    if weights.case["arch"] == "phi3":
        weights.linear(at + "gate_up_proj", 2 * ffn, hidden, False)
    else:
        weights.linear(at + "gate_proj", ffn, hidden, False)
        weights.linear(at + "up_proj", ffn, hidden, False)
    weights.linear(at + "down_proj", hidden, ffn, False)


def safetensors(tensors):
    header, position = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + len(data)]}
        position += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(data for _, (_, _, data) in tensors)


def write(case, out):
    folder = out / name_of(case)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, tokenizer_config, specials = TOKENIZERS[case["tokenizer"]](case["arch"])
    vocabulary = -(-token_count(tokenizer) // 8) * 8
    weights = Weights(case)
    fill(weights, vocabulary)
    config = config_of(case, SHAPE, head_size(case), vocabulary, specials)
    if case["format"] != "plain":
        config["quantization_config"] = quantization_of(case)
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", specials)
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    write_tensors(folder, list(weights.tensors.items()), case["shards"])
    return folder


def write_tensors(folder, tensors, shards):
    if shards == 1:
        (folder / "model.safetensors").write_bytes(safetensors(tensors))
        return
    places = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = tensors[shard::shards]  # a layer's tensors lie in several files
        (folder / file).write_bytes(safetensors(part))
        places |= {name: file for name, _ in part}
    total = sum(len(data) for _, (_, _, data) in tensors)
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def text_of(case):
    """What --case reads."""
    return ",".join(f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in case.items())


def parsed_case(text):
    case = {name: values[0] for name, values in AXES.items()}
    for part in text.split(","):
        name, _, value = part.partition("=")
        case[name] = {"true": True, "false": False}.get(value) if value in ("true", "false") else value
        if name in ("group", "shards"):
            case[name] = int(value)
    if case["arch"] == "qwen2":
        case["bias"] = True
    if not valid(case):
        raise SystemExit(f"{text}: no checkpoint can be so")
    return case


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", type=pathlib.Path)
    parser.add_argument("--pairwise", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    cases = [parsed_case(text) for text in asked.case]
    if not cases:
        cases = every_case() if asked.all else pairwise()
    for case in cases:
        print(name_of(case) if asked.list else write(case, asked.out).name)


if __name__ == "__main__":
    main()
