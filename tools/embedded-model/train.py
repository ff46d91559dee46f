"""Trains the embedded model from the corpus and writes it as GGUF. Every seed is
fixed and the schedule counts steps, never seconds, so a second run reaches the
same loss within TOLERANCE (the last bits depend on the processor and on the
number of threads). A checkpoint is kept; the same command continues from it.

    python train.py --corpus FILE --work FOLDER --out FOLDER"""

import argparse
import hashlib
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from bpe import BEGIN, END, SPECIALS, Tokenizer, learn_merges
from export import write_models
from model import Llama, Shape

SEED = 1234
STEPS = 1200
BATCH_TOKENS = 2048
SHORT, LONG = 256, 1024
LONG_FROM = 0.9           # the last tenth of the steps sees only long windows
PEAK_RATE = 3e-3
WARMUP = 100
HELD_OUT = 400            # documents at the corpus's end, for the stated loss
TOLERANCE = 0.03          # of the stated loss, in nats per token
QUIET = 0.1               # how much a user's own words count in the loss


def read_corpus(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def texts_of(document: dict) -> list[str]:
    return [document["story"]] if "story" in document else [turn["text"] for turn in document["turns"]]


def encode_document(document: dict, tokenizer: Tokenizer, chance: random.Random) -> tuple[list[int], list[float]]:
    """Token ids and, for each, how much predicting it counts."""
    ids = [BEGIN] if chance.random() < 0.9 else []
    weights = [QUIET] * len(ids)
    if "story" in document:
        text = document["story"]
        if chance.random() < 0.15:
            text = text[text.find(". ", len(text) // 8) + 1:].strip()
        told = [*tokenizer.encode(text), END]
        return ids + told, weights + [1.0] * len(told)
    for turn in document["turns"]:
        said = tokenizer.encode(turn["text"])
        ids += [SPECIALS.index(f"<|{turn['role']}|>"), *said, END]
        loudness = 1.0 if turn["role"] == "assistant" else QUIET
        weights += [QUIET] + [loudness] * (len(said) + 1)
    return ids, weights


def encode_all(documents: list[dict], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All documents end to end: ids, weights and where each document starts."""
    chance = random.Random(SEED)
    ids, weights, starts = [], [], []
    for document in documents:
        starts.append(len(ids))
        more, counts = encode_document(document, tokenizer, chance)
        ids += more
        weights += counts
    return np.array(ids, np.int64), np.array(weights, np.float32), np.array(starts)


class Windows:
    """Random windows of the corpus: half begin at a document, half anywhere."""

    def __init__(self, documents: list[dict], tokenizer: Tokenizer):
        self.ids, self.weights, self.starts = encode_all(documents, tokenizer)

    def batch(self, step: int, length: int):
        chance = np.random.default_rng([SEED, step])
        count = BATCH_TOKENS // length
        last = len(self.ids) - length - 1
        anywhere = chance.integers(0, last, count)
        opening = np.minimum(chance.choice(self.starts, count), last)
        begin = np.where(chance.random(count) < 0.5, opening, anywhere)
        rows = begin[:, None] + np.arange(length + 1)
        ids = torch.from_numpy(self.ids[rows])
        return ids[:, :-1], ids[:, 1:], torch.from_numpy(self.weights[rows[:, 1:]])


def weighted_loss(model: Llama, tokens, targets, weights):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(tokens)
    losses = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


@torch.no_grad()
def held_out_loss(model: Llama, windows: Windows) -> float:
    """Nats per token of stories and answers that no step has seen, at full length."""
    model.eval()
    total, counted = 0.0, 0.0
    for begin in range(0, len(windows.ids) - LONG - 1, LONG):
        tokens = torch.from_numpy(windows.ids[begin:begin + LONG + 1])[None]
        weights = torch.from_numpy(windows.weights[begin + 1:begin + LONG + 1])
        weights = (weights == 1.0).float()
        losses = F.cross_entropy(model(tokens[:, :-1]).float()[0], tokens[0, 1:], reduction="none")
        total += float((losses * weights).sum())
        counted += float(weights.sum())
    model.train()
    return total / counted


def rate(step: int, steps: int) -> float:
    """Warm-up, a plateau, and a straight way down over the last 60 %."""
    if step < WARMUP:
        return PEAK_RATE * (step + 1) / WARMUP
    return PEAK_RATE * min(1.0, (steps - step) / (0.6 * steps))


def length_of(step: int, steps: int) -> int:
    return LONG if step >= LONG_FROM * steps or step % 8 == 7 else SHORT


def optimizer_for(model: Llama) -> torch.optim.Optimizer:
    wide = [tensor for tensor in model.parameters() if tensor.dim() == 2]
    narrow = [tensor for tensor in model.parameters() if tensor.dim() == 1]
    groups = [{"params": wide, "weight_decay": 0.05}, {"params": narrow, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.97))


def save(path: Path, model: Llama, optimizer, step: int) -> None:
    fresh = path.with_suffix(".new")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, fresh)
    fresh.replace(path)


def train(model: Llama, windows: Windows, steps: int, checkpoint: Path) -> None:
    optimizer = optimizer_for(model)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    began = time.monotonic()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        loss = weighted_loss(model, *windows.batch(step, length_of(step, steps)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step} loss {loss.item():.4f} after {time.monotonic() - began:.0f} s", flush=True)
        if step % 200 == 199 or step + 1 == steps:
            save(checkpoint, model, optimizer, step + 1)


def tokenizer_for(documents: list[dict], size: int, path: Path) -> Tokenizer:
    if not path.exists():
        texts = [text for document in documents[:8000] for text in texts_of(document)]
        path.write_text(json.dumps(learn_merges(texts, size - 256 - len(SPECIALS))))
    return Tokenizer([tuple(pair) for pair in json.loads(path.read_text())])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    documents = read_corpus(options.corpus)
    shape = Shape()
    tokenizer = tokenizer_for(documents, shape.vocabulary, options.work / "merges.json")
    windows = Windows(documents[:-HELD_OUT], tokenizer)
    print(f"{len(windows.ids)} tokens, {len(documents)} documents", flush=True)
    model = Llama(shape)
    train(model, windows, options.steps, options.work / "checkpoint.pt")
    loss = held_out_loss(model, Windows(documents[-HELD_OUT:], tokenizer))
    print(f"held-out loss {loss:.4f} nats per token (a second run: within {TOLERANCE})")
    digest = hashlib.sha256(options.corpus.read_bytes()).hexdigest()
    write_models(model, tokenizer, options.out, corpus=digest, loss=loss)


if __name__ == "__main__":
    main()
