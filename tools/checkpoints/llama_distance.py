#!/usr/bin/env python3
"""How far llama.cpp itself is from recorded first-token log probabilities, on a converted file.

usage: llama_distance.py PROGRAM FILE.gguf TYPE TOKENS RECORDED [BACKENDS ...]

PROGRAM is first_tokens_bench (targets first_tokens_bench and infernode_unmodified), FILE made by
`infernode convert` with the profile TYPE (repack.py compare shows that its bytes are right),
TOKENS by prompt-tokens.mjs, or the first of them, RECORDED by `logits.py first`, which gets
llamaDistance[processor][TYPE]: the mean distance, and each prompt's. BACKENDS and what follows are handed to PROGRAM,
which says what they are.
"""

import json
import math
import pathlib
import subprocess
import sys


def main():
    program, file, kind, tokens, path = sys.argv[1:6]
    recorded = json.loads(pathlib.Path(path).read_text())
    command = [program, file, tokens, *sys.argv[6:]]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    told = [likeliest(line.split()) for line in printed.splitlines()]
    distances = [distance(top, each) for top, each in zip(recorded["top"][: len(told)], told, strict=True)]
    theirs = recorded.setdefault("llamaDistance", {}).setdefault(processor(), {})
    mean = round(sum(distances) / len(distances), 5)
    theirs[kind] = {"prompts": len(distances), "distance": mean, "each": [round(one, 4) for one in distances]}
    text = json.dumps(recorded, separators=(",", ":")).replace("]],[[", "]],\n[[")
    pathlib.Path(path).write_text(text + "\n")
    print(f"{kind}, {len(distances)} prompts: {mean}")


def likeliest(words):
    return {int(token): float(value) for token, value in zip(words[::2], words[1::2], strict=True)}


def distance(reference, told):
    """Root mean square over the reference's tokens that are among those told."""
    squares = [(value - told[token]) ** 2 for token, value in reference if token in told]
    return math.sqrt(sum(squares) / len(squares))


def processor():
    """The instructions that llama.cpp's rounding depends on, as test/helpers/real-models.ts names them."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    known = {"amx_int8": "amx", "avx512_vnni": "avx512-vnni", "avx2": "avx2"}
    return next((name for flag, name in known.items() if flag in flags), "other")


if __name__ == "__main__":
    main()
