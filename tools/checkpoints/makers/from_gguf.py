"""The F32 checkpoint that a GGUF file's dequantised weights are: from_gguf.py MODEL.gguf OUT

What the makers beside this file start from where the weights that people have are in GGUF files.
Its tokenizer is the one transformers makes of the GGUF's, which for SmolLM2 does not split
digits: compare token ids with the GGUF's. Needs torch, transformers, accelerate and gguf.
"""

import json
import os
import pathlib
import sys

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    source, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    here = {"pretrained_model_name_or_path": source.parent, "gguf_file": source.name}
    loaded = AutoModelForCausalLM.from_pretrained(**here, dtype=torch.float32)
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    plain = type(loaded)(loaded.config).to(torch.float32)
    told = plain.load_state_dict(loaded.state_dict(), strict=False)
    if told.missing_keys or told.unexpected_keys:
        raise SystemExit(f"{source}: missing {told.missing_keys}, unexpected {told.unexpected_keys}")
    plain.save_pretrained(out)
    AutoTokenizer.from_pretrained(**here).save_pretrained(out)
    file = out / "config.json"
    config = json.loads(file.read_text())
    base = (config.get("rope_parameters") or {}).get("rope_theta")
    if base is not None:  # where transformers 4, which AutoAWQ needs, looks for it
        file.write_text(json.dumps(config | {"rope_theta": base}, indent=1) + "\n")


if __name__ == "__main__":
    main()
