#!/usr/bin/env python3
"""What a checkpoint directory is as GGUF tensors, by a second implementation: the judge of bytes.

usage: repack.py digests DIR...          write digests of every tensor in every type, as JSON
       repack.py compare DIR FILE.gguf   compare the loader's file tensor by tensor
       repack.py write DIR OUT.gguf TYPE TEMPLATE.gguf
                                         write f32, q4_0, q4_1, q5_0 or q8_0; the other values
                                         of the header are TEMPLATE's

Needs numpy; `gguf` comes with the pinned llama.cpp sources. Shares no code with the loader.
"""

import hashlib
import json
import pathlib
import re
import sys

import numpy as np

import blocks
from unpack import Checkpoint, Groups

GGUF_PY = pathlib.Path(__file__).resolve().parents[2] / "third_party/.sources/llama.cpp/gguf-py"
MOST_Q4_K = 0.1
LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)$")
OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
INSIDE = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
GEMMA = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


class Names:
    """GGUF's names, and what each architecture does to values."""

    def __init__(self, checkpoint):
        config = checkpoint.config
        self.kind = config["model_type"]
        self.heads = config["num_attention_heads"]
        self.kv_heads = config.get("num_key_value_heads", self.heads)
        self.tied = config.get("tie_word_embeddings", self.kind.startswith("gemma"))
        self.inside = INSIDE | GEMMA if self.kind.startswith("gemma") else INSIDE

    def gguf(self, name):
        """None: the file has no such tensor."""
        if name == "lm_head.weight" and self.tied:
            return None
        if name in OUTSIDE:
            return OUTSIDE[name]
        layer, module, end = LAYER.match(name).groups()
        return f"blk.{layer}.{self.inside[module]}.{end}"

    def row_order(self, name, rows):
        """Which of Hugging Face's rows each GGUF row is; None: the same.

        llama.cpp's llama turns neighbours, Hugging Face halves of a head."""
        if self.kind not in ("llama", "mistral") or not re.search(r"self_attn\.[qk]_proj", name):
            return None
        heads = self.heads if ".q_proj" in name else self.kv_heads
        return np.arange(rows).reshape(heads, 2, -1).transpose(0, 2, 1).ravel()

    def added(self, name):
        """Gemma keeps its norms less one."""
        return np.float32(1 if self.kind.startswith("gemma") and name.endswith("norm.weight") else 0)


def token_rows(checkpoint, names):
    """How many embedding rows there are in the file: gemma3's rows beyond the tokens are cut."""
    if not names.kind.startswith("gemma"):
        return None
    told = json.loads((checkpoint.folder / "tokenizer.json").read_text())
    ids = [*told["model"]["vocab"].values(), *(token["id"] for token in told["added_tokens"])]
    return max(ids) + 1


def tensors_of(checkpoint):
    """(GGUF name, Groups or float32 array) of every tensor."""
    names = Names(checkpoint)
    quantized = set(checkpoint.modules())
    for module in sorted(quantized):
        groups = checkpoint.groups(module)
        order = names.row_order(module, len(groups.quants))
        if order is not None:
            groups = Groups(groups.quants[order], groups.zeros[order], groups.scales[order], groups.bits, groups.stored)
        yield names.gguf(f"{module}.weight"), groups
    for name in sorted(checkpoint.places):
        module, _, end = name.rpartition(".")
        if (module in quantized and end != "bias") or names.gguf(name) is None:
            continue
        values = checkpoint.floats(name)
        if name == "model.embed_tokens.weight":
            values = values[: token_rows(checkpoint, names)]
        order = names.row_order(name, len(values))
        yield names.gguf(name), (values if order is None else values[order]) + names.added(name)


def bytes_of(value, type_name):
    if isinstance(value, Groups):
        return blocks.PACKERS[type_name](value)
    return blocks.plain(value, type_name)


def types_of(value):
    if isinstance(value, Groups):
        return blocks.possible(value)
    return ["f32"] if value.ndim == 1 else ["f32", "f16", "bf16"]


def digest(data):
    return hashlib.sha256(data).hexdigest()[:12]


def digests(folder):
    return {
        name: {kind: digest(bytes_of(value, kind)) for kind in types_of(value)}
        for name, value in tensors_of(Checkpoint(folder))
    }


def reader(path):
    sys.path.insert(0, str(GGUF_PY))
    import gguf

    return gguf, gguf.GGUFReader(path)


def compare(folder, path):
    """Prints what differs; returns how many tensors do."""
    gguf, file = reader(path)
    found = {tensor.name: tensor for tensor in file.tensors}
    wrong, seen = 0, set()
    for name, value in tensors_of(Checkpoint(folder)):
        seen.add(name)
        if name not in found:
            print(f"{name}: missing")
            wrong += 1
            continue
        tensor = found[name]
        kind = tensor.tensor_type.name.lower()
        if kind in types_of(value):
            same = bytes(tensor.data.tobytes()) == bytes_of(value, kind)
            wrong += not same
            print(f"{name}: {kind} {'identical' if same else 'DIFFERENT'}")
        elif isinstance(value, Groups):
            allowed, told = distance(gguf, tensor, value)
            wrong += not allowed
            print(f"{name}: {kind} {told}{'' if allowed else ' TOO FAR'}")
        else:
            wrong += 1
            print(f"{name}: {kind} is no type for it")
    extra = sorted(found.keys() - seen - {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"})
    for name in extra:
        print(f"{name}: not of the checkpoint")
    return wrong + len(extra)


def distance(gguf, tensor, groups):
    """Error of a type that is not exact, in quantization steps; and whether it is allowed.

    Allowed: a tenth of a weight's own step, or of the matrix's median step where that is more."""
    decoded = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(groups.quants.shape)
    error = np.abs(decoded - groups.weights()).astype(np.float64)
    own = np.abs(np.repeat(groups.scales, groups.size, 1))
    steps = error / np.maximum(own, np.finfo(np.float32).tiny)
    allowed = bool((error <= MOST_Q4_K * np.maximum(own, np.median(np.abs(groups.scales)))).all())
    told = f"rms {np.sqrt(np.mean(np.square(steps))):.5f}, worst {steps.max():.4f} steps"
    return allowed, told


def write(folder, out, kind, template):
    gguf, file = reader(template)
    writer = gguf.GGUFWriter(out, str(file.fields["general.architecture"].contents()))
    for field in file.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        sub = field.types[-1] if len(field.types) > 1 else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub)
    for name, value in tensors_of(Checkpoint(folder)):
        used = kind if isinstance(value, Groups) else "f32"
        rows = value.quants.shape[0] if isinstance(value, Groups) else None
        data = np.frombuffer(bytes_of(value, used), np.uint8 if used != "f32" else np.float32)
        shape = (rows, -1) if rows else value.shape
        writer.add_tensor(name, data.reshape(shape), raw_dtype=gguf.GGMLQuantizationType[used.upper()] if used != "f32" else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    command, *arguments = sys.argv[1:] or ["help"]
    if command == "digests":
        told = {pathlib.Path(folder).name: digests(folder) for folder in arguments}
        print(json.dumps(told, separators=(",", ":")).replace("},", "},\n"))
    elif command == "compare" and len(arguments) == 2:
        raise SystemExit(1 if compare(*arguments) else 0)
    elif command == "write" and len(arguments) == 4:
        write(*arguments)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
