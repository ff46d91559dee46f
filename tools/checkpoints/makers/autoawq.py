"""Checkpoints by AutoAWQ itself, on a CPU: autoawq.py SEED OUT LAYOUTS GROUP [TOKENS [no-clip|no-search]]

LAYOUTS are gemm, gemv and gemv_fast, or several of them with commas between: searched once, packed into OUT-LAYOUT each.

Needs setuptools<81, torch 2.6.0 (2.13.0+cpu is imported without complaint), transformers 4.51.3 and autoawq 0.2.9, in an
environment of its own. Calibrates on TOKENS (400) tokens of the sources of Python's own library: nothing is
downloaded. Fewer, and no-clip, which leaves out AutoAWQ's longest search, are enough where the layout is what counts;
no-search leaves out that of the scales too, which takes most of a whole model's time: AutoAWQ then rounds to nearest.
"""

import argparse
import copy
import decimal
import inspect
import json
import pathlib
import statistics
import sys
from importlib.metadata import version

import torch
from awq import AutoAWQForCausalLM
from transformers import PreTrainedTokenizerFast

seed, out, layouts, group = sys.argv[1:5]
length = int(sys.argv[5]) if len(sys.argv) > 5 else 400
left_out = sys.argv[6] if len(sys.argv) > 6 else None
layouts = layouts.lower().split(",")


def tokenizer_of(folder):
    """transformers 4 does not know the tokenizer class that transformers 5 writes."""
    told = json.loads((pathlib.Path(folder) / "tokenizer_config.json").read_text())
    special = {name: told[name] for name in ("bos_token", "eos_token", "unk_token") if told.get(name)}
    template = pathlib.Path(folder) / "chat_template.jinja"
    if template.exists():
        special["chat_template"] = template.read_text()
    return PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", **special)


def calibration():
    sources = [inspect.getsource(module) for module in (argparse, statistics, decimal)]
    texts = [source[at : at + length] for source in sources for at in range(0, 20000, 2500)]
    return [text for text in texts if len(text) == length]


def main():
    tokenizer = tokenizer_of(seed)
    model = AutoAWQForCausalLM.from_pretrained(seed, device_map="cpu", safetensors=True, torch_dtype=torch.float32)
    if left_out == "no-search":
        model.get_layers_for_scaling = lambda *_: []
    model.quantize(
        tokenizer,
        quant_config={"zero_point": True, "q_group_size": int(group), "w_bit": 4, "version": layouts[0]},
        calib_data=calibration(),
        max_calib_samples=4,
        max_calib_seq_len=length,
        apply_clip=left_out is None,
        export_compatible=True,
    )
    layers = model.quantizer.modules
    searched = copy.deepcopy(layers)
    for layout in layouts:
        for place, layer in enumerate(searched):
            layers[place] = copy.deepcopy(layer)
        model.quantizer.version = model.quant_config.version = layout
        model.pack()
        model.model.half()
        save(model, tokenizer, pathlib.Path(out if len(layouts) == 1 else f"{out}-{layout}"))


def save(model, tokenizer, folder):
    model.save_quantized(str(folder))
    tokenizer.save_pretrained(folder)
    versions = {name: version(name) for name in ("autoawq", "transformers", "torch")}
    (folder / "made-with.json").write_text(json.dumps(versions) + "\n")


main()
