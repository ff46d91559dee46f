"""Samples stories and answers from a training checkpoint, one JSON line each, for
judge.mjs to count the sentences that the grammar accepts.

    python sample.py --work FOLDER [--count N] [--temperature T] | node judge.mjs"""

import argparse
import json
from pathlib import Path

import torch

from bpe import BEGIN, END, SPECIALS, Tokenizer
from model import Llama, Shape

STORIES = ["Once upon a time", "One sunny morning, a little fox named", "Mia was", "Long ago,",
           "The old bear", "Tom and Lily walked", "One day,", "There once was a dragon", "\"Hello,\" said"]
CHATS = ["Tell me a story about a fox.", "Tell me a story about a brave dragon named Mia.", "Who are you?", "Hello!",
         "What does a bear eat?", "Where do owls live?", "Can a snail fly?", "Why does it rain?", "Thank you!",
         "What is the capital of France?", "Write a poem about the sea.", "I am sad.", "What can you do?",
         "Tell me a story.", "What is a lantern?", "Who lives in the forest?", "hi", "tell me something about mice"]


def prompt(tokenizer: Tokenizer, text: str, chat: bool) -> list[int]:
    if not chat:
        return [BEGIN, *tokenizer.encode(text)]
    user, assistant = SPECIALS.index("<|user|>"), SPECIALS.index("<|assistant|>")
    return [BEGIN, user, *tokenizer.encode(text), END, assistant]


@torch.no_grad()
def continue_from(model: Llama, ids: list[int], temperature: float, chance: torch.Generator, most: int) -> list[int]:
    """The tokens after `ids`, until the end token or `most` of them."""
    made: list[int] = []
    while len(made) < most:
        logits = model(torch.tensor([ids + made]))[0, -1]
        token = int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=chance))
        if token == END:
            break
        made.append(token)
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", type=int, default=18, help="samples of each kind")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--most", type=int, default=250)
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer([tuple(pair) for pair in json.loads((options.work / "merges.json").read_text())])
    model = Llama(Shape())
    model.load_state_dict(torch.load(options.work / "checkpoint.pt")["model"])
    model.eval()
    chance = torch.Generator().manual_seed(7)
    for kind, prompts in (("story", STORIES), ("chat", CHATS)):
        for place in range(options.count):
            text = prompts[place % len(prompts)]
            ids = prompt(tokenizer, text, kind == "chat")
            made = tokenizer.decode(continue_from(model, ids, options.temperature, chance, options.most))
            said = made if kind == "chat" else text + made
            print(json.dumps({"kind": kind, "prompt": text, "text": said}), flush=True)


if __name__ == "__main__":
    main()
