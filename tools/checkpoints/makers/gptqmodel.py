"""A tiny checkpoint by GPTQModel, on a CPU: gptqmodel.py SEED OUT gptq|gptq_v2|awq

Needs gptqmodel 7.7.0 and torch 2.13.0. Calibrates on the sources of Python's own library.
"""

import argparse
import decimal
import inspect
import json
import os
import pathlib
import sys
from importlib.metadata import version

os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")  # it asks for two, and starts one on two cores
sys.path = [path for path in sys.path if path != str(pathlib.Path(__file__).parent)]  # it is named as this file
from gptqmodel import GPTQModel, QuantizeConfig

seed, out, kind = sys.argv[1:4]
chosen = {"method": "awq", "format": "gemm"} if kind == "awq" else {"format": kind, "desc_act": False}
config = QuantizeConfig(bits=4, group_size=32, sym=False, device="cpu", **chosen)
model = GPTQModel.load(seed, config)
sources = [inspect.getsource(module) for module in (argparse, decimal)]
texts = [source[at : at + 400] for source in sources for at in range(0, 20000, 2500)]
model.quantize([text for text in texts if len(text) == 400], batch_size=1)
model.save(out)
versions = {name: version(name) for name in ("gptqmodel", "transformers", "torch")}
(pathlib.Path(out) / "made-with.json").write_text(json.dumps(versions) + "\n")
