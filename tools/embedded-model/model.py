"""The embedded model in PyTorch: a Llama (RMSNorm, rotary positions on
neighbouring pairs, grouped-query attention, SwiGLU, tied embeddings) with the
layout llama.cpp expects, so that no weight needs permuting on its way out."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Shape:
    """Widths are multiples of 256: every block of every quantization fits."""
    vocabulary: int = 1280
    context: int = 1024
    layers: int = 4
    embedding: int = 256
    feed_forward: int = 512
    heads: int = 4
    kv_heads: int = 2
    rope_base: float = 10000.0
    norm_epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.embedding // self.heads


class Norm(nn.Module):
    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        return F.rms_norm(x.float(), self.weight.shape, self.weight, self.epsilon)


def rope_tables(shape: Shape):
    pair = torch.arange(0, shape.head, 2, dtype=torch.float64)
    angles = torch.outer(torch.arange(shape.context, dtype=torch.float64), shape.rope_base ** (-pair / shape.head))
    return angles.cos().float(), angles.sin().float()


def rotate(x, cosine, sine):
    """x: [batch, heads, positions, head]; turns the pairs (0,1), (2,3), ..."""
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
    return turned.flatten(-2).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        kv_width = shape.kv_heads * shape.head
        self.query = nn.Linear(shape.embedding, shape.embedding, bias=False)
        self.key = nn.Linear(shape.embedding, kv_width, bias=False)
        self.value = nn.Linear(shape.embedding, kv_width, bias=False)
        self.output = nn.Linear(shape.embedding, shape.embedding, bias=False)

    def forward(self, x, cosine, sine):
        def split(projected):
            return projected.unflatten(-1, (-1, self.shape.head)).transpose(1, 2)
        query, key = (rotate(split(part(x)), cosine, sine) for part in (self.query, self.key))
        value = split(self.value(x))
        groups = self.shape.heads // self.shape.kv_heads
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(mixed.transpose(1, 2).flatten(-2))


class Layer(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.attention_norm = Norm(shape.embedding, shape.norm_epsilon)
        self.attention = Attention(shape)
        self.feed_norm = Norm(shape.embedding, shape.norm_epsilon)
        self.gate = nn.Linear(shape.embedding, shape.feed_forward, bias=False)
        self.up = nn.Linear(shape.embedding, shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, shape.embedding, bias=False)

    def forward(self, x, cosine, sine):
        x = x + self.attention(self.attention_norm(x), cosine, sine)
        normed = self.feed_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


class Llama(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.embedding)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.embedding, shape.norm_epsilon)
        for name, tensor in self.named_parameters():
            if tensor.dim() == 2:
                residual = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(tensor, std=0.02 / (2 * shape.layers) ** 0.5 if residual else 0.02)
        cosine, sine = rope_tables(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(self, tokens):
        """tokens: [batch, positions] -> logits: [batch, positions, vocabulary]"""
        positions = tokens.shape[1]
        cosine, sine = self.cosine[:positions], self.sine[:positions]
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cosine, sine)
        return F.linear(self.norm(x), self.embedding.weight)
