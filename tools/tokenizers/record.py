"""Records what Hugging Face's `tokenizers` makes of the texts, for the tests of tokenizers:
python tools/tokenizers/record.py NAME... (none: all fetched). Each record is
test/fixtures/tokenizers/NAME.json. Needs `tokenizers` (0.23.3 was used)."""

import json
import sys
from pathlib import Path

import tokenizers
from texts import texts

ROOT = Path(__file__).resolve().parents[2]
FETCHED = ROOT / ".build" / "tokenizers"
RECORDS = ROOT / "test" / "fixtures" / "tokenizers"


def rows_of(tokenizer) -> int:
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def looks_special(text: str) -> bool:
    """llama.cpp's converter takes these for special tokens whatever the file calls them."""
    return (
        text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
        or (text.startswith("<|") and text.endswith("|>"))
        or (text.startswith("<｜") and text.endswith("｜>"))
        or (text.startswith("<unused") and text.endswith(">"))
    )


def load(folder: Path):
    """The tokenizer, and one to which special tokens in a text are text."""
    file = json.loads((folder / "tokenizer.json").read_text())
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(file))
    for token in file["added_tokens"]:
        token["special"] = token["special"] or looks_special(token["content"])
    plain = tokenizers.Tokenizer.from_str(json.dumps(file))
    plain.encode_special_tokens = True
    return tokenizer, plain


def begins(folder: Path, tokenizer) -> list[int]:
    """add_bos_token of a tokenizer_config.json whose tokenizer.json has no post-processor for it."""
    config = json.loads((folder / "tokenizer_config.json").read_text())
    if not config.get("add_bos_token") or tokenizer.encode("").ids:
        return []
    bos = config["bos_token"]
    return [tokenizer.token_to_id(bos if isinstance(bos, str) else bos["content"])]


def record(name: str) -> dict:
    folder = FETCHED / name
    tokenizer, plain = load(folder)
    first = begins(folder, tokenizer)
    return {
        "made": f"tools/tokenizers/record.py, tokenizers {tokenizers.__version__}",
        "architecture": "gemma3" if name == "gemma3" else "llama",
        "rows": 262144 if name == "gemma3" else rows_of(tokenizer),
        "ids": {
            "special": [first + tokenizer.encode(text).ids for text in texts()],
            "plain": [plain.encode(text, add_special_tokens=False).ids for text in texts()],
        },
    }


def main() -> None:
    RECORDS.mkdir(parents=True, exist_ok=True)
    (RECORDS / "texts.json").write_text(json.dumps(texts(), ensure_ascii=True, indent=0) + "\n")
    names = sys.argv[1:] or sorted(folder.name for folder in FETCHED.iterdir())
    for name in names:
        made = record(name)
        lines = json.dumps(made, separators=(",", ":")).replace("],[", "],\n[")
        (RECORDS / f"{name}.json").write_text(lines + "\n")
        print(name, made["rows"], len(made["ids"]["plain"]))


main()
