"""Tiny checkpoints by transformers' own save_pretrained: plain.py TOKENIZER_DIR OUT

Random weights (seeded) of every architecture, under the first 512 tokens of the embedded
model's tokenizer: what the real writer calls its tensors and puts into config.json. Also `seed-*`: what the quantizing
makers beside this file start from. Needs torch and transformers.
"""

import json
import pathlib
import sys
import tempfile

import torch
import transformers
from transformers import AutoTokenizer

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SEED = {"num_key_value_heads": 2}  # AutoAWQ wants 64 outputs or more
GEMMA = {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 16}

# name: (config class, changes, tied, dtype, bytes of a shard)
CHECKPOINTS = {
    "llama-f16": ("Llama", {}, False, "float16", None),
    "llama3-bf16-sharded": ("Llama", {"rope": LLAMA3, "rope_theta": 500000.0}, True, "bfloat16", "60KB"),
    "llama-bias-f32": ("Llama", {"attention_bias": True}, True, "float32", None),
    "mistral-bf16": ("Mistral", {"sliding_window": None}, True, "bfloat16", None),
    "qwen2-f16": ("Qwen2", {}, True, "float16", None),
    "qwen3-bf16": ("Qwen3", {"head_dim": 64}, True, "bfloat16", None),
    "gemma3-bf16": ("Gemma3Text", GEMMA, True, "bfloat16", None),
    "phi3-f16": ("Phi3", {"pad_token_id": 0, "sliding_window": None}, True, "float16", None),
    "seed-llama-f32": ("Llama", SEED, True, "float32", None),
    "seed-llama-f16": ("Llama", SEED, True, "float16", None),
    "seed-qwen2-f16": ("Qwen2", SEED, True, "float16", None),
}


VOCABULARY = 512


def cut_tokenizer(folder):
    """The tokenizer without its later merges, so that embeddings stay small."""
    told = json.loads((pathlib.Path(folder) / "tokenizer.json").read_text())
    model = told["model"]
    model["vocab"] = {piece: token for piece, token in model["vocab"].items() if token < VOCABULARY}
    parts = (each.split(" ") if isinstance(each, str) else each for each in model["merges"])
    model["merges"] = [pair for pair in parts if {*pair, "".join(pair)} <= model["vocab"].keys()]
    with tempfile.TemporaryDirectory() as cut:
        for file in pathlib.Path(folder).glob("*token*"):
            (pathlib.Path(cut) / file.name).write_bytes(file.read_bytes())
        (pathlib.Path(cut) / "chat_template.jinja").write_bytes((pathlib.Path(folder) / "chat_template.jinja").read_bytes())
        (pathlib.Path(cut) / "tokenizer.json").write_text(json.dumps(told))
        return AutoTokenizer.from_pretrained(cut)


def config_of(kind, changes, tied, vocabulary):
    changes = dict(changes)
    rope = changes.pop("rope", None)
    theta = changes.pop("rope_theta", 10000.0)
    if kind != "Gemma3Text":  # which has one base per layer type
        changes["rope_parameters"] = {"rope_theta": theta, **(rope or {"rope_type": "default"})}
    chosen = getattr(transformers, f"{kind}Config")
    return chosen(**(SHAPE | changes), vocab_size=vocabulary, tie_word_embeddings=tied, bos_token_id=0, eos_token_id=1)


def weights_of(model, seed):
    """Larger than the library's initial values, so that logits differ by more than rounding."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.2 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5
            noise = torch.randn(parameter.shape, generator=generator) * spread
            parameter.copy_(parameter.float() + noise if parameter.ndim == 1 else noise)


def main():
    tokenizer = cut_tokenizer(sys.argv[1])
    assert len(tokenizer) == VOCABULARY
    wanted = sys.argv[3:] or CHECKPOINTS
    for seed, (name, (kind, changes, tied, dtype, shard)) in enumerate(CHECKPOINTS.items()):
        if name not in wanted:
            continue
        out = pathlib.Path(sys.argv[2]) / name
        config = config_of(kind, changes, tied, len(tokenizer))
        model = transformers.AutoModelForCausalLM.from_config(config)
        weights_of(model, seed)
        model.to(getattr(torch, dtype)).save_pretrained(out, **({"max_shard_size": shard} if shard else {}))
        tokenizer.save_pretrained(out)
        versions = {"transformers": transformers.__version__, "torch": torch.__version__}
        (out / "made-with.json").write_text(json.dumps(versions) + "\n")
        print(name, flush=True)


if __name__ == "__main__":
    main()
