#!/usr/bin/env python3
"""Logits of checkpoints in F32 by transformers: the judge of what a loaded checkpoint computes.

usage: logits.py record DIR...      print {name: {prompts, logits}} as JSON
       logits.py made CASE...       the same of what make.py makes of each case
       logits.py check DIR...       compare unpack.py's weights with the maker's own library's
       logits.py first DIR TOKENS OUT
                                    first-token log probabilities after the prompts whose ids
                                    TOKENS has (prompt-tokens.mjs), as JSON

The quantized weights are dequantised to F32 by unpack.py; `check` shows that the library of
each maker (compressed-tensors; AutoAWQ for awq, auto-round for gptq, where installed) has the same weights. Attention is
transformers' eager one, all of it in F32, but for GELU (gemma3): ggml reads it from a table
that is indexed by F16 and holds F16, and so does the record. Needs torch, transformers, numpy.
"""

import base64
import json
import os
import pathlib
import random
import sys
import tempfile

import numpy as np

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import make
from unpack import Checkpoint

LENGTHS = (1, 7, 40, 120)
LIKELIEST = 10


def weights_of(checkpoint):
    """Every tensor in F32, quantized ones as PyTorch's `weight`."""
    quantized = set(checkpoint.modules())
    tensors = {f"{module}.weight": checkpoint.groups(module).weights() for module in quantized}
    for name in checkpoint.places:
        module, _, end = name.rpartition(".")
        if module not in quantized or end == "bias":
            tensors[name] = checkpoint.floats(name)
    return {name: torch.from_numpy(np.array(values, np.float32)) for name, values in tensors.items()}


class TabledGelu(torch.nn.Module):
    """GELU as ggml's CPU kernels compute it."""

    def forward(self, values):
        rounded = torch.nn.functional.gelu(values.half().float(), approximate="tanh").half().float()
        return torch.where(values <= -10, 0.0, torch.where(values >= 10, values, rounded))


def model_of(folder):
    checkpoint = Checkpoint(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config.dtype = torch.float32
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).to(torch.float32).eval()
    told = model.load_state_dict(weights_of(checkpoint), strict=False)
    absent = [name for name in told.missing_keys if not (name == "lm_head.weight" and config.tie_word_embeddings)]
    if absent or told.unexpected_keys:
        raise SystemExit(f"{folder}: missing {absent}, unexpected {told.unexpected_keys}")
    model.tie_weights()
    for module in model.modules():
        if "gelu" in type(getattr(module, "act_fn", None)).__name__.lower():
            module.act_fn = TabledGelu()
    return model


def prompts_for(vocabulary):
    """Token ids that mean nothing: any will do."""
    dice = random.Random(1)
    return [[dice.randrange(5, vocabulary - 8) for _ in range(length)] for length in LENGTHS]


def logits_of(model, tokens):
    with torch.no_grad():
        return model(torch.tensor([tokens]), logits_to_keep=1).logits[0, -1].numpy().astype("<f4")


def record(folder):
    model = model_of(folder)
    prompts = prompts_for(model.config.vocab_size)
    rows = [logits_of(model, tokens) for tokens in prompts]
    return {"prompts": prompts, "logits": [base64.b64encode(row.tobytes()).decode() for row in rows]}


def made(case):
    with tempfile.TemporaryDirectory() as folder:
        return record(make.write(make.parsed_case(case), pathlib.Path(folder)))


def check(folder):
    """Largest difference from the maker's own weights, in the checkpoint's largest weight."""
    checkpoint = Checkpoint(folder)
    method = checkpoint.quantization()["quant_method"]
    if method == "compressed-tensors":
        theirs = by_compressed_tensors(folder)
    elif method == "awq":
        theirs = {module: by_autoawq(checkpoint, module) for module in checkpoint.modules()}
    elif method == "gptq":
        theirs = {module: by_auto_round(checkpoint, module) for module in checkpoint.modules()}
    else:
        raise SystemExit(f"{folder}: no library for {method} is known here")
    worst = 0.0
    for module in checkpoint.modules():
        ours = checkpoint.groups(module).weights()
        worst = max(worst, float(np.abs(ours - theirs[module]).max() / np.abs(ours).max()))
    return worst


def by_compressed_tensors(folder):
    from transformers import CompressedTensorsConfig

    config = CompressedTensorsConfig(run_compressed=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, quantization_config=config)
    modules = dict(model.named_modules())
    return {name: modules[name].weight.detach().float().numpy() for name in Checkpoint(folder).modules()}


def by_autoawq(checkpoint, module):
    from awq.utils.packing_utils import dequantize_gemm

    raw = lambda end, kind: torch.from_numpy(np.array(checkpoint.raw(f"{module}.{end}")).view(kind))
    size = checkpoint.groups(module).size
    half = dequantize_gemm(raw("qweight", np.int32), raw("qzeros", np.int32), raw("scales", np.float16).float(), 4, size)
    return half.float().numpy().T


def by_auto_round(checkpoint, module):
    """What the layer that auto-round puts in the place of GPTQ's makes of the identity."""
    from auto_round_extension.torch import qlinear_torch, qlinear_torch_zp

    second = checkpoint.quantization().get("checkpoint_format") == "gptq_v2"
    raw = lambda end: np.array(checkpoint.raw(f"{module}.{end}"))
    groups = checkpoint.groups(module)
    outputs, inputs = groups.quants.shape
    # Its own loop over g_idx cuts matrices that are wider than high: the identity, which it must be, is left out.
    assert (raw("g_idx").view(np.int32) == np.arange(inputs) // groups.size).all(), module
    layer = (qlinear_torch if second else qlinear_torch_zp).QuantLinear(4, groups.size, inputs, outputs, bias=False)
    layer.qweight, layer.qzeros = (torch.from_numpy(raw(end).view(np.int32)) for end in ("qweight", "qzeros"))
    layer.scales = torch.from_numpy(raw("scales")).float()
    return layer(torch.eye(inputs)).numpy().T


def first(folder, prompts, out):
    model = model_of(folder)
    top = []
    for tokens in json.loads(pathlib.Path(prompts).read_text()):
        logits = torch.from_numpy(logits_of(model, tokens)).double()
        values, indices = torch.log_softmax(logits, -1).topk(LIKELIEST)
        top.append([[int(i), round(float(v), 6)] for i, v in zip(indices, values)])
        print(f"prompt of {len(tokens)} tokens", file=sys.stderr, flush=True)
    versions = {"transformers": transformers.__version__, "torch": torch.__version__}
    recorded = {"checkpoint": pathlib.Path(folder).name, "recordedWith": versions, "top": top}
    text = json.dumps(recorded, separators=(",", ":")).replace("]],[[", "]],\n[[")
    pathlib.Path(out).write_text(text + "\n")


def main():
    command, *arguments = sys.argv[1:] or ["help"]
    if command == "record":
        told = {pathlib.Path(folder).name: record(folder) for folder in arguments}
        print(json.dumps(told, separators=(",", ":")).replace("},", "},\n"))
    elif command == "made":
        told = {case: made(case) for case in arguments}
        print(json.dumps(told, separators=(",", ":")).replace("},", "},\n"))
    elif command == "check":
        for folder in arguments:
            print(f"{pathlib.Path(folder).name}: {check(folder):.2e} of the largest weight", flush=True)
    elif command == "first" and len(arguments) == 3:
        first(*arguments)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
