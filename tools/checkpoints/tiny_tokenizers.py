"""Small tokenizer files of the generator's checkpoints: byte-level BPE and SentencePiece.

Every byte is a token, so any text can be written in them. Standard library only. What
real tokenizers contain beyond that is not shown here: they are tested with real files.
"""

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
PAIRS = [("t", "h"), ("th", "e"), ("i", "n"), ("a", "n"), ("an", "d"), ("o", "r"), ("e", "r"), ("r", "e")]
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_alphabet():
    """GPT-2's printable stand-ins of the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + place) for place in range(len(hidden))]


def added(token, text):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token, "content": text, **flags}


def byte_level(arch):
    """262 + 8 tokens; the pre-tokenizer is the architecture's usual one."""
    pieces = byte_alphabet() + ["".join(pair) for pair in PAIRS]
    vocabulary = {piece: token for token, piece in enumerate(pieces)}
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    llama = arch in ("llama", "mistral")
    split = {"type": "Split", "pattern": {"Regex": LLAMA3 if llama else QWEN2}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": llama,
        "vocab": vocabulary,
        "merges": [" ".join(pair) for pair in PAIRS],
    }
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(len(pieces) + place, text) for place, text in enumerate(specials)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": model,
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "bos_token": "<|endoftext|>",
        "eos_token": "<|im_end|>",
        "chat_template": TEMPLATE,
    }
    return tokenizer, config, {"bos_token_id": len(pieces), "eos_token_id": len(pieces) + 2}


def sentence_piece(arch):
    """<unk>, <s>, </s>, 256 bytes, letters and merged pieces; words begin with U+2581."""
    letters = ["\u2581"] + [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + letters
    pieces += ["".join(pair) for pair in PAIRS]
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": "<unk>",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": True,
        "ignore_merges": False,
        "vocab": {piece: token for token, piece in enumerate(pieces)},
        "merges": [list(pair) for pair in PAIRS],
    }
    # llama.cpp looks for this one in whatever is named phi-3.
    more = [added(len(pieces), "<|endoftext|>")] if arch == "phi3" else []
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    back = {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    begin = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added(token, pieces[token]) for token in range(3)] + more,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, spaces]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, text],
            "pair": [begin, text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]},
        "model": model,
    }
    config = {
        "tokenizer_class": "LlamaTokenizerFast",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False},
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "legacy": False,
    }
    return tokenizer, config, {"bos_token_id": 1, "eos_token_id": 2}


TOKENIZERS = {"bpe": byte_level, "spm": sentence_piece}


def token_count(tokenizer):
    ids = list(tokenizer["model"]["vocab"].values()) + [each["id"] for each in tokenizer["added_tokens"]]
    return max(ids) + 1
