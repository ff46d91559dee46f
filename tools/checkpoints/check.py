#!/usr/bin/env python3
"""The loader's bytes against the independent repacker's, over generated checkpoints.

usage: check.py record                    digests of the pairwise cases, as JSON
       check.py run --pairwise | --all | --sample N | DIR...
                                          make each case, convert it in every profile and
                                          compare every tensor; prints what differs

`run` needs `npm run build` and numpy; DIR is a checkpoint that exists.
"""

import argparse
import contextlib
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import make
import repack

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROFILES = ("lossless", "q4_1", "q5_0", "q8_0", "q4_k", "f32")


def record():
    told = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in make.pairwise():
            told[make.text_of(case)] = repack.digests(make.write(case, pathlib.Path(folder)))
    print(json.dumps(told, separators=(",", ":")).replace("},", "},\n"))


def convert(source, out, profile):
    command = ["node", str(ROOT / "dist/cli/main.js"), "convert", str(source), "--out", str(out), "--profile", profile]
    done = subprocess.run(command, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stderr.strip()


def judge(source, folder):
    """How many of the profiles differ."""
    wrong = 0
    profiles = PROFILES if repack.Checkpoint(source).modules() else ("lossless",)
    for profile in profiles:
        out = pathlib.Path(folder) / "out.gguf"
        refused = convert(source, out, profile)
        said = io.StringIO()
        if refused is None:
            with contextlib.redirect_stdout(said):
                refused = repack.compare(source, out) and "differs"
            out.unlink()
        if refused:
            wrong += 1
            print(f"{source.name} {profile}: {refused}")
            print("".join(f"  {line}\n" for line in said.getvalue().splitlines() if "identical" not in line), end="")
    return wrong


def cases_of(asked):
    if asked.pairwise:
        return make.pairwise()
    cases = list(make.every_case())
    return cases if asked.all else random.Random(asked.seed).sample(cases, asked.sample)


def run(asked):
    wrong = judged = 0
    with tempfile.TemporaryDirectory() as folder:
        for source in asked.folders:
            wrong += judge(source, folder)
            judged += 1
        if asked.pairwise or asked.all or asked.sample:
            for case in cases_of(asked):
                source = make.write(case, pathlib.Path(folder))
                wrong += judge(source, folder)
                judged += 1
                for file in source.iterdir():
                    file.unlink()
    print(f"{judged} checkpoints, {wrong} conversions differ")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("record", "run"))
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    parser.add_argument("--pairwise", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.command == "record":
        record()
    elif run(asked):
        sys.exit(1)


if __name__ == "__main__":
    main()
