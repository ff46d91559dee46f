"""ggml blocks of grouped weights, in numpy: the judge's own packing (see repack.py).

Each function returns the bytes of a matrix, rows first. Q4_K is not packed here: the judge
only measures how far the loader's blocks are from the weights.
"""

import numpy as np


def halves(values):
    with np.errstate(over="raise"):
        return np.ascontiguousarray(values, np.float32).astype("<f2")


def per_block(values, groups):
    """One value a block of 32."""
    return np.repeat(values, groups.size // 32, 1)


def joined(*parts):
    """Byte fields of each block side by side."""
    return np.concatenate([np.ascontiguousarray(part).view(np.uint8).reshape(*part.shape[:2], -1) for part in parts], 2).tobytes()


def packed_nibbles(low):
    """Elements j and j + 16 of a block share a byte."""
    blocks = low.reshape(low.shape[0], -1, 2, 16)
    return (blocks[:, :, 0] | blocks[:, :, 1] << 4).astype(np.uint8)


def q4_0(groups):
    assert groups.bits == 4 and (groups.zeros == 8).all()
    scale = per_block(halves(groups.scales), groups)
    return joined(scale[..., None], packed_nibbles(groups.quants))


def q4_1(groups):
    assert groups.bits == 4
    scale = per_block(halves(groups.scales), groups)
    offset = (-groups.zeros.astype(np.int32)).astype(np.float32) * groups.scales
    return joined(scale[..., None], per_block(halves(offset), groups)[..., None], packed_nibbles(groups.quants))


def from_zero(groups):
    """quant - zero, [rows][blocks][32]."""
    whole = groups.quants.astype(np.int16) - np.repeat(groups.zeros.astype(np.int16), groups.size, 1)
    return whole.reshape(whole.shape[0], -1, 32)


def q5_0(groups):
    assert groups.bits == 4
    five = (from_zero(groups) + 16).astype(np.uint32)
    assert five.max() < 32
    high = ((five >> 4) << np.arange(32, dtype=np.uint32)).sum(2, dtype=np.uint32)
    scale = per_block(halves(groups.scales), groups)
    low = (five & 15).astype(np.uint8).reshape(five.shape[0], -1)
    return joined(scale[..., None], high.astype("<u4")[..., None], packed_nibbles(low))


def q8_0(groups):
    whole = from_zero(groups)
    assert -128 <= whole.min() and whole.max() <= 127
    scale = per_block(halves(groups.scales), groups)
    return joined(scale[..., None], whole.astype(np.int8))


def f32(groups):
    return groups.weights().astype("<f4").tobytes()


PACKERS = {"f32": f32, "q4_0": q4_0, "q4_1": q4_1, "q5_0": q5_0, "q8_0": q8_0}


def possible(groups):
    """The types that hold these weights."""
    if groups.bits == 8:
        return ["f32", "q8_0"]
    return [name for name in PACKERS if name != "q4_0" or (groups.zeros == 8).all()]


def plain(values, name):
    """Float32 as F32, F16 or BF16; nearest, ties to even."""
    if name == "f32":
        return values.astype("<f4").tobytes()
    if name == "f16":
        return halves(values).tobytes()
    words = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((words + 0x7FFF + (words >> 16 & 1)) >> 16).astype("<u2").tobytes()
