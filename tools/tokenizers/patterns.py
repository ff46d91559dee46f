"""Every byte-level pattern that the loader knows, under one vocabulary, beside Hugging Face's
`tokenizers`: python tools/tokenizers/patterns.py OUT, then node tools/tokenizers/patterns.mjs OUT.
The vocabulary is Llama 3.1's (npm run tokenizers:real), since no real file of most patterns can be
fetched; the patterns stand here a second time so that the loader's table is not its own judge.
Writes a checkpoint and the expected ids of each. Needs `tokenizers` (0.23.3 was used)."""

import json
import struct
import sys
from pathlib import Path

import tokenizers
from texts import texts

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / ".build" / "tokenizers" / "llama3_1" / "tokenizer.json"

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASED_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+|"


def cased(after: str) -> str:
    upper = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
    lower = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    first = r"[^\r\n\p{L}\p{N}]?"
    return f"{first}{upper}*{lower}+{after}|{first}{upper}+{lower}*{after}"


def split(pattern: str) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def byte_level(use_regex: bool) -> dict:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


BYTES = byte_level(False)
DIGITS = {"type": "Digits", "individual_digits": True}
MARKED = r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# name: whether llama.cpp ignores merges there, and the steps. deepseek-v3 has a real file.
PATTERNS = {
    "llama-bpe": (True, [split(CONTRACTIONS + "|" + WORD + r"\p{N}{1,3}|" + REST), BYTES]),
    "smaug-bpe": (False, [split(CONTRACTIONS + "|" + WORD + r"\p{N}{1,3}|" + REST), BYTES]),
    "qwen2": (False, [split(CONTRACTIONS + "|" + WORD + r"\p{N}|" + REST), BYTES]),
    "qwen35": (False, [split(CONTRACTIONS + MARKED), BYTES]),
    "tekken": (True, [split(cased("") + r"|\p{N}" + CASED_REST), BYTES]),
    "granite-embed-multi-97m": (
        True,
        [split(cased(CONTRACTIONS + "?") + r"|\p{N}{1,3}" + CASED_REST), BYTES],
    ),
    "ufakzeka": (False, [split(WORD + r"\p{N}|" + REST), BYTES]),
    "seed-coder": (
        False,
        [
            split(CONTRACTIONS + "|" + WORD + r"\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"),
            BYTES,
        ],
    ),
    "minicpm5": (
        True,
        [split(r"\p{N}{1,3}"), split(CONTRACTIONS + "|" + WORD + r"\p{N}+|" + REST), BYTES],
    ),
    "gpt-2": (False, [byte_level(True)]),
    "smollm": (False, [DIGITS, byte_level(True)]),
    "deepseek-coder": (
        False,
        [
            split(r"[\r\n]"),
            split(r"\s?\p{L}+"),
            split(r"\s?\p{P}+"),
            split("[一-龥ࠀ-一가-퟿]+"),
            DIGITS,
            BYTES,
        ],
    ),
}

WIDTH = 32
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": WIDTH,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
}


def write_weights(path: Path, rows: int) -> None:
    """Zeros: only the tokenizer is asked."""
    layer = "model.layers.0."
    shapes = {"model.embed_tokens.weight": [rows, WIDTH], "model.norm.weight": [WIDTH]}
    for name in ("input_layernorm", "post_attention_layernorm"):
        shapes[f"{layer}{name}.weight"] = [WIDTH]
    for name in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down"):
        shapes[f"{layer}{name}_proj.weight"] = [WIDTH, WIDTH]
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))


def main(out: Path) -> None:
    base = json.loads(BASE.read_text())
    rows = max(tokenizers.Tokenizer.from_file(str(BASE)).get_vocab().values()) + 1
    for name, (ignores, steps) in PATTERNS.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        base["model"]["ignore_merges"] = ignores
        base["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
        (folder / "tokenizer.json").write_text(json.dumps(base))
        (folder / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": rows}))
        write_weights(folder / "model.safetensors", rows)
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(base))
        tokenizer.encode_special_tokens = True
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts()]
        (folder / "expected.json").write_text(json.dumps({"texts": texts(), "ids": ids}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
