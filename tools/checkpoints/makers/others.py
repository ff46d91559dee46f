"""Checkpoints by llm-compressor and auto-round, on a CPU, without data: others.py SEED OUT KIND [GROUP]

KIND: ct-w4a16 ct-w4a16-asym ct-w8a16 ct-w8a8 ar-awq ar-awq-sym ar-gptq-sym ar-gptq-asym
Needs llmcompressor 0.14.0.1, auto-round 0.15.1 and torch.
"""

import json
import pathlib
import shutil
import sys
from importlib.metadata import version

GROUP = int(sys.argv[4]) if len(sys.argv) > 4 else 32


def by_llm_compressor(source, out, kind):
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from llmcompressor import oneshot
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    if kind == "ct-w8a8":
        chosen = {"targets": "Linear", "scheme": "W8A8"}
    else:
        weights = QuantizationArgs(
            num_bits=8 if "w8" in kind else 4,
            type="int",
            symmetric="asym" not in kind,
            strategy="group",
            group_size=GROUP,
        )
        chosen = {"config_groups": {"all": QuantizationScheme(targets=["Linear"], weights=weights)}}
    oneshot(model=model, recipe=QuantizationModifier(ignore=["lm_head"], **chosen))
    model.save_pretrained(out, save_compressed=True)
    AutoTokenizer.from_pretrained(source).save_pretrained(out)
    return ("llmcompressor", "compressed-tensors", "transformers", "torch")


def by_auto_round(source, out, kind):
    from auto_round import AutoRound

    # disable_opt_rtn: otherwise it asks a hub for calibration text.
    maker = AutoRound(source, bits=4, group_size=GROUP, sym=kind.endswith("-sym"), iters=0, disable_opt_rtn=True)
    maker.quantize_and_save(out, format="auto_awq" if "awq" in kind else "auto_gptq")
    for inner in [path for path in pathlib.Path(out).iterdir() if path.is_dir()]:
        for file in inner.iterdir():  # it makes a folder named after the model
            shutil.move(file, out)
        inner.rmdir()
    return ("auto-round", "transformers", "torch")


def main():
    source, out, kind = sys.argv[1:4]
    packages = (by_llm_compressor if kind.startswith("ct-") else by_auto_round)(source, out, kind)
    for name in ("tokenizer.json", "tokenizer_config.json"):  # AutoTokenizer adds a token to qwen2's
        shutil.copy(pathlib.Path(source) / name, out)
    versions = {name: version(name) for name in packages}
    (pathlib.Path(out) / "made-with.json").write_text(json.dumps(versions) + "\n")


if __name__ == "__main__":
    main()
