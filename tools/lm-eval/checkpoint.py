"""Writes the Hugging Face directory of a GGUF's weights, dequantised to F32, with its tokenizer.

usage: checkpoint.py MODEL.gguf FOLDER
Needs torch, transformers and gguf (pip).
"""

import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

source, folder = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
plain = type(model)(model.config).to(torch.float32)  # not marked as quantised
plain.load_state_dict(model.state_dict())
if hasattr(plain.config, "quantization_config"):
    del plain.config.quantization_config
plain.save_pretrained(folder)
AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(folder)
