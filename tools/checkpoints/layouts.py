"""How the makers lay a quantized linear layer out in safetensors: one function per format.

The generator's side: Python's standard library only, so that tests can run it anywhere. It
shares no code with unpack.py, which reads these layouts back. Layouts: shared facts of each
format's own packing routine; checked against files that the real makers wrote (README.md).
Each function takes a Linear and returns {suffix: (dtype, shape, bytes)}.
"""

import struct
from dataclasses import dataclass

GEMM_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
PADDING_UNITS = {32: 4, 64: 2}


@dataclass
class Linear:
    """weight[row][column] = scale * (quant - zero); groups run along the columns."""

    rows: int
    columns: int
    group: int
    quants: list  # bytes of each row
    zeros: list  # [row][group]
    scales: list  # [row][group], floats that `scale_type` holds exactly
    scale_type: str = "F16"
    symmetric: bool = False

    @property
    def groups(self):
        return self.columns // self.group


def number_bytes(values, dtype):
    """Floats as little-endian F32, F16 or BF16 (cut off: callers pass what bf16 holds)."""
    if dtype == "BF16":
        wide = struct.pack(f"<{len(values)}f", *values)
        cut = bytearray(len(values) * 2)
        cut[0::2], cut[1::2] = wide[2::4], wide[3::4]
        return bytes(cut)
    return struct.pack(f"<{len(values)}{'e' if dtype == 'F16' else 'f'}", *values)


def nibbles(values):
    """4-bit values in natural order, the first in the low half."""
    return bytes(low | high << 4 for low, high in zip(values[0::2], values[1::2]))


def gemm_nibbles(values):
    """Eight values a word, in the order of AutoAWQ's gemm kernel."""
    lanes = [values[place::8] for place in GEMM_ORDER]
    out = bytearray(len(values) // 2)
    for byte in range(4):
        out[byte::4] = bytes(low | high << 4 for low, high in zip(lanes[2 * byte], lanes[2 * byte + 1]))
    return bytes(out)


def transposed(rows, width):
    """Bytes of each column."""
    flat = b"".join(rows)
    return [flat[column::width] for column in range(width)]


def columns_of(table, width):
    return [[row[column] for row in table] for column in range(width)]


def awq_gemm(m):
    quants = b"".join(gemm_nibbles(column) for column in transposed(m.quants, m.columns))
    zeros = b"".join(gemm_nibbles(bytes(column)) for column in columns_of(m.zeros, m.groups))
    scales = [value for column in columns_of(m.scales, m.groups) for value in column]
    return {
        "qweight": ("I32", [m.columns, m.rows // 8], quants),
        "qzeros": ("I32", [m.groups, m.rows // 8], zeros),
        "scales": (m.scale_type, [m.groups, m.rows], number_bytes(scales, m.scale_type)),
    }


def padded_words(m):
    """Words of zeros a row: groups in eights, padded to a multiple that depends on the group."""
    unit = PADDING_UNITS.get(m.group, 1)
    words = -(-m.groups // 8)
    return -(-words // unit) * unit


def awq_gemv(m):
    width = padded_words(m)
    zeros = b"".join(nibbles(bytes(row) + bytes(8 * width - m.groups)) for row in m.zeros)
    scales = [value for row in m.scales for value in row + [0.0] * (8 * width - m.groups)]
    return {
        "qweight": ("I32", [m.rows, m.columns // 8], b"".join(map(nibbles, m.quants))),
        "qzeros": ("I32", [m.rows, width], zeros),
        "scales": (m.scale_type, [m.rows, 8 * width], number_bytes(scales, m.scale_type)),
    }


def fast_place(row, column):
    """Where the value of (row of 4, column of 64) lies among the 256 nibbles of its tile."""
    chunk, lane = divmod(column, 32)
    major, pair, odd = lane // 8, lane % 8 // 2, lane % 2
    return row * 64 + chunk * 32 + pair * 8 + odd * 4 + major


FAST_SOURCES = sorted(
    ((row, column) for row in range(4) for column in range(64)), key=lambda at: fast_place(*at)
)


def fast_quants(m):
    out = []
    for top in range(0, m.rows, 4):
        four = m.quants[top : top + 4]
        for left in range(0, m.columns, 64):
            out.append(nibbles(bytes(four[row][left + column] for row, column in FAST_SOURCES)))
    return b"".join(out)


def awq_fast(m, zeros_name):
    width = 8 * padded_words(m)
    padding = [0.0] * ((width - m.groups) * m.rows)
    columns, zero_columns = columns_of(m.scales, m.groups), columns_of(m.zeros, m.groups)
    scales = [value for column in columns for value in column]
    scaled = [-scale * zero for s, z in zip(columns, zero_columns) for scale, zero in zip(s, z)]
    rounded = number_bytes if m.scale_type != "BF16" else nearest_bf16
    return {
        "qweight": ("I16", [m.rows // 4, m.columns], fast_quants(m)),
        "scales": (m.scale_type, [width, m.rows], number_bytes(scales + padding, m.scale_type)),
        zeros_name: (m.scale_type, [width, m.rows], rounded(scaled + padding, m.scale_type)),
    }


def nearest_bf16(values, _dtype):
    words = (struct.unpack("<I", struct.pack("<f", value))[0] for value in values)
    rounded = [(word + 0x7FFF + (word >> 16 & 1)) >> 16 for word in words]
    return struct.pack(f"<{len(rounded)}H", *rounded)


def gptq(m, version, with_index):
    pairs = transposed(m.quants, m.columns)
    words = bytearray()
    for top in range(0, m.columns, 8):
        eight = pairs[top : top + 8]
        word_bytes = bytearray(4 * m.rows)
        for byte in range(4):
            word_bytes[byte::4] = bytes(
                low | high << 4 for low, high in zip(eight[2 * byte], eight[2 * byte + 1])
            )
        words += word_bytes
    stored = 1 if version == 1 else 0
    zeros = b"".join(
        nibbles(bytes(zero - stored for zero in column)) for column in columns_of(m.zeros, m.groups)
    )
    scales = [value for column in columns_of(m.scales, m.groups) for value in column]
    tensors = {
        "qweight": ("I32", [m.columns // 8, m.rows], bytes(words)),
        "qzeros": ("I32", [m.groups, m.rows // 8], zeros),
        "scales": (m.scale_type, [m.groups, m.rows], number_bytes(scales, m.scale_type)),
    }
    if with_index:
        index = [column // m.group for column in range(m.columns)]
        tensors["g_idx"] = ("I32", [m.columns], struct.pack(f"<{m.columns}i", *index))
    return tensors


def compressed_tensors(m, bits):
    pack = nibbles if bits == 4 else bytes
    scales = [value for row in m.scales for value in row]
    tensors = {
        "weight_packed": ("I32", [m.rows, m.columns * bits // 32], b"".join(map(pack, m.quants))),
        "weight_scale": (m.scale_type, [m.rows, m.groups], number_bytes(scales, m.scale_type)),
        "weight_shape": ("I64", [2], struct.pack("<2q", m.rows, m.columns)),
    }
    if not m.symmetric:
        tensors["weight_zero_point"] = ct_zeros(m, bits)
    return tensors


def ct_zeros(m, bits):
    """Packed along the rows: word (r, group) holds rows r * 32/bits and on."""
    in_word = 32 // bits
    words = []
    for top in range(0, m.rows, in_word):
        for group in range(m.groups):
            lanes = [m.zeros[row][group] for row in range(top, min(top + in_word, m.rows))]
            words.append(sum(zero << bits * lane for lane, zero in enumerate(lanes)))
    return ("I32", [-(-m.rows // in_word), m.groups], struct.pack(f"<{len(words)}I", *words))


def int8_rows(m):
    """W8A8: one scale a row, signed bytes. `quants` hold value + 128."""
    flip = bytes((value - 128) & 255 for value in range(256))
    scales = [row[0] for row in m.scales]
    return {
        "weight": ("I8", [m.rows, m.columns], b"".join(row.translate(flip) for row in m.quants)),
        "weight_scale": (m.scale_type, [m.rows, 1], number_bytes(scales, m.scale_type)),
    }


LAYOUTS = {
    "awq-gemm": awq_gemm,
    "awq-gemv": awq_gemv,
    "awq-gemv-fast": lambda m: awq_fast(m, "qzeros"),
    "llm-awq": lambda m: awq_fast(m, "scaled_zeros"),
    "gptq-v1": lambda m: gptq(m, 1, True),
    "gptq-v1-no-index": lambda m: gptq(m, 1, False),
    "gptq-v2": lambda m: gptq(m, 2, True),
    "ct-w4a16": lambda m: compressed_tensors(m, 4),
    "ct-w8a16": lambda m: compressed_tensors(m, 8),
    "ct-w8a8": int8_rows,
}
