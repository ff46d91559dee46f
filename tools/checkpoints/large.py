"""A checkpoint of a real model's shapes with random quantized weights: for time and memory of
packing, not for text. AutoAWQ gemm, asymmetric, groups of 128. Nothing in it is sparse or zero:
scales are 0.002 to 0.03, zero points and quants any. Python's standard library is enough.

    python3 tools/checkpoints/large.py OUT [--shape 8b|1b] [--layers N] [--seed N]
"""

import argparse
import json
import random
import shutil
import struct
from pathlib import Path

SHAPES = {
    "8b": {"hidden": 4096, "inner": 14336, "heads": 32, "kv": 8, "layers": 32, "vocabulary": 128256},
    "1b": {"hidden": 2048, "inner": 8192, "heads": 32, "kv": 8, "layers": 16, "vocabulary": 32000},
}
GROUP = 128
FIXTURE = Path(__file__).resolve().parents[2] / "test/fixtures/checkpoints/autoawq-gemm-llama"
CHUNK = 1 << 24
SCALE_EXPONENTS = bytes(0x18 + value % 12 for value in range(256))  # f16 from 2^-9 to 2^-6


class Numbers:
    """Random bytes out of one block, from another place each time."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.block = self.random.randbytes(CHUNK + (1 << 20))

    def any(self, count):
        start = self.random.randrange(1 << 20)
        return self.block[start : start + count]

    def halves(self, count):
        """Positive f16 numbers, small and not zero."""
        both = bytearray(count)
        both[0::2] = self.any(count // 2)
        both[1::2] = self.any(count // 2).translate(SCALE_EXPONENTS)
        return bytes(both)


def ones(count):
    return struct.pack("<e", 1.0) * (count // 2)


def linear(name, inputs, outputs, numbers):
    return [
        (f"{name}.qweight", "I32", [inputs, outputs // 8], numbers.any),
        (f"{name}.qzeros", "I32", [inputs // GROUP, outputs // 8], numbers.any),
        (f"{name}.scales", "F16", [inputs // GROUP, outputs], numbers.halves),
    ]


def layer_tensors(layer, shape, numbers):
    hidden, inner = shape["hidden"], shape["inner"]
    kv = hidden // shape["heads"] * shape["kv"]
    prefix = f"model.layers.{layer}"
    tensors = []
    for name, inputs, outputs in [
        ("self_attn.q_proj", hidden, hidden),
        ("self_attn.k_proj", hidden, kv),
        ("self_attn.v_proj", hidden, kv),
        ("self_attn.o_proj", hidden, hidden),
        ("mlp.gate_proj", hidden, inner),
        ("mlp.up_proj", hidden, inner),
        ("mlp.down_proj", inner, hidden),
    ]:
        tensors += linear(f"{prefix}.{name}", inputs, outputs, numbers)
    for name in ["input_layernorm", "post_attention_layernorm"]:
        tensors.append((f"{prefix}.{name}.weight", "F16", [hidden], ones))
    return tensors


def all_tensors(shape, numbers):
    matrix = [shape["vocabulary"], shape["hidden"]]
    yield "model.embed_tokens.weight", "F16", matrix, numbers.halves
    yield "lm_head.weight", "F16", matrix, numbers.halves
    yield "model.norm.weight", "F16", [shape["hidden"]], ones
    for layer in range(shape["layers"]):
        yield from layer_tensors(layer, shape, numbers)


def write_weights(path, tensors):
    width = {"I32": 4, "F16": 2}
    header, end = {}, 0
    for name, dtype, lengths, _ in tensors:
        size = width[dtype]
        for length in lengths:
            size *= length
        header[name] = {"dtype": dtype, "shape": lengths, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, _, _, make in tensors:
            begin, stop = header[name]["data_offsets"]
            for start in range(begin, stop, CHUNK):
                file.write(make(min(CHUNK, stop - start)))


def write_config(out, shape):
    config = json.loads((FIXTURE / "config.json").read_text())
    config.update(
        hidden_size=shape["hidden"],
        intermediate_size=shape["inner"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv"],
        num_hidden_layers=shape["layers"],
        vocab_size=shape["vocabulary"],
        head_dim=shape["hidden"] // shape["heads"],
        tie_word_embeddings=False,
    )
    config["quantization_config"].update(group_size=GROUP, zero_point=True)
    (out / "config.json").write_text(json.dumps(config, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    shape = dict(SHAPES[options.shape])
    if options.layers is not None:
        shape["layers"] = options.layers
    options.out.mkdir(parents=True, exist_ok=True)
    for file in FIXTURE.iterdir():
        if file.suffix in (".json", ".jinja", ".model"):
            shutil.copy(file, options.out / file.name)
    write_config(options.out, shape)
    write_weights(options.out / "model.safetensors", list(all_tensors(shape, Numbers(options.seed))))


if __name__ == "__main__":
    main()
