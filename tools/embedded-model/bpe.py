"""The byte-level BPE tokenizer of the embedded model: trained here, used by the
trainer, and written into the GGUF so that the engine splits text the same way.
It follows the GPT-2 pattern exactly, which llama.cpp also applies for the
pre-tokenizer "trillion" (the one that adds no clean-up of spaces). It trains on
word counts, breaks ties by the pair itself, and so is the same everywhere."""

import re
from collections import Counter, defaultdict

PRE_TOKENIZER = "trillion"
PATTERN = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
SPECIALS = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
BEGIN, END = 0, 1


def byte_letters() -> dict[int, str]:
    """Each byte as a printable letter, GPT-2's way: printable bytes stand for themselves."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters.update({byte: chr(256 + place) for place, byte in enumerate(hidden)})
    return letters


LETTERS = byte_letters()
BYTES = {letter: byte for byte, letter in LETTERS.items()}


def spell(word: str) -> tuple[str, ...]:
    return tuple(LETTERS[byte] for byte in word.encode())


def join(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """The symbols with every occurrence of the pair made one."""
    joined, at = [], 0
    while at < len(symbols):
        if symbols[at:at + 2] == pair:
            joined.append(symbols[at] + symbols[at + 1])
            at += 2
        else:
            joined.append(symbols[at])
            at += 1
    return tuple(joined)


def learn_merges(texts: list[str], merges: int) -> list[tuple[str, str]]:
    """The most frequent pairs, merged one after another."""
    counts = Counter(word for text in texts for word in PATTERN.findall(text))
    words = {word: spell(word) for word in counts}
    pairs: Counter = Counter()
    homes = defaultdict(set)
    for word, symbols in words.items():
        for pair in zip(symbols, symbols[1:]):
            pairs[pair] += counts[word]
            homes[pair].add(word)
    learnt = []
    for _ in range(merges):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learnt.append(best)
        for word in sorted(homes[best]):
            old, new = words[word], join(words[word], best)
            for pair in zip(old, old[1:]):
                pairs[pair] -= counts[word]
            for pair in zip(new, new[1:]):
                pairs[pair] += counts[word]
                homes[pair].add(word)
            words[word] = new
        del pairs[best]
    return learnt


class Tokenizer:
    """Text to token ids and back; special tokens are added by the caller, never by text."""

    def __init__(self, merges: list[tuple[str, str]]):
        self.merges = merges
        self.tokens = SPECIALS + [LETTERS[byte] for byte in range(256)] + ["".join(pair) for pair in merges]
        self.ids = {token: place for place, token in enumerate(self.tokens)}
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        return [token for word in PATTERN.findall(text) for token in self.encode_word(word)]

    def encode_word(self, word: str) -> list[int]:
        if word not in self.known:
            symbols = spell(word)
            while len(symbols) > 1:
                best = min(zip(symbols, symbols[1:]), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                symbols = join(symbols, best)
            self.known[word] = [self.ids[symbol] for symbol in symbols]
        return self.known[word]

    def decode(self, ids: list[int]) -> str:
        letters = "".join("" if token < len(SPECIALS) else self.tokens[token] for token in ids)
        return bytes(BYTES[letter] for letter in letters).decode(errors="replace")
