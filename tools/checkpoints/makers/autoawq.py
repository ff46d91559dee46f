"""A checkpoint by AutoAWQ itself, on a CPU: autoawq.py SEED OUT GEMM|GEMV|GEMVFast GROUP [TOKENS [no-clip]]

Needs setuptools<81, torch 2.6.0 (2.13.0+cpu is imported without complaint), transformers 4.51.3 and autoawq 0.2.9, in an
environment of its own. Calibrates on TOKENS (400) tokens of the sources of Python's own library: nothing is
downloaded. Fewer, and no-clip, which leaves out AutoAWQ's longest search, are enough where the layout is what counts.
"""

import argparse
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

seed, out, layout, group = sys.argv[1:5]
length = int(sys.argv[5]) if len(sys.argv) > 5 else 400
clips = sys.argv[6:7] != ["no-clip"]
# transformers 4 does not know the tokenizer class that transformers 5 writes.
told = json.loads((pathlib.Path(seed) / "tokenizer_config.json").read_text())
special = {name: told[name] for name in ("bos_token", "eos_token", "unk_token") if told.get(name)}
tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{seed}/tokenizer.json", **special)
model = AutoAWQForCausalLM.from_pretrained(seed, device_map="cpu", safetensors=True, torch_dtype=torch.float32)
sources = [inspect.getsource(module) for module in (argparse, statistics, decimal)]
texts = [source[at : at + length] for source in sources for at in range(0, 20000, 2500)]
quantization = {"zero_point": True, "q_group_size": int(group), "w_bit": 4, "version": layout}
model.quantize(
    tokenizer,
    quant_config=quantization,
    calib_data=[text for text in texts if len(text) == length],
    max_calib_samples=4,
    max_calib_seq_len=length,
    apply_clip=clips,
)
model.model.half()
model.save_quantized(out)
tokenizer.save_pretrained(out)
versions = {name: version(name) for name in ("autoawq", "transformers", "torch")}
(pathlib.Path(out) / "made-with.json").write_text(json.dumps(versions) + "\n")
