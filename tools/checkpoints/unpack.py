"""Reads quantized linear layers of a Hugging Face directory: the judge's side, in numpy.

Shares no code with the loader (C++) or with the generator (layouts.py). It trusts its input:
refusing bad checkpoints is the loader's business. Groups(quants [out, in], zeros and scales
[out, groups]) mean weight = scale * (quant - zero).
"""

import json
import pathlib
from dataclasses import dataclass

import numpy as np

DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<u4", "I16": "<u2", "I8": "i1", "U8": "u1"}


@dataclass
class Groups:
    quants: np.ndarray
    zeros: np.ndarray
    scales: np.ndarray  # float32
    bits: int
    stored: str  # dtype of the scales

    @property
    def size(self):
        return self.quants.shape[1] // self.scales.shape[1]

    def weights(self):
        """Float32 [out, in]: one rounding, of the product."""
        whole = self.quants.astype(np.int32) - np.repeat(self.zeros.astype(np.int32), self.size, 1)
        return whole.astype(np.float32) * np.repeat(self.scales, self.size, 1)


class Checkpoint:
    """All tensors of a directory, memory-mapped, and its config."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.config = json.loads((self.folder / "config.json").read_text())
        self.places = {}
        for file in sorted(self.folder.glob("*.safetensors")):
            size = int.from_bytes(file.open("rb").read(8), "little")
            with file.open("rb") as opened:
                opened.seek(8)
                header = json.loads(opened.read(size))
            for name, told in header.items():
                if name != "__metadata__":
                    self.places[name] = (file, 8 + size + told["data_offsets"][0], told["dtype"], told["shape"])

    def dtype(self, name):
        return self.places[name][2]

    def raw(self, name):
        file, at, dtype, shape = self.places[name]
        return np.memmap(file, DTYPES[dtype], "r", at, tuple(shape) or (1,))

    def floats(self, name):
        numbers = self.raw(name)
        if self.dtype(name) == "BF16":
            return (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers.astype(np.float32)

    def modules(self):
        """Quantized modules."""
        ends = (".qweight", ".weight_packed", ".weight_scale")
        return sorted({name.rsplit(".", 1)[0] for name in self.places if name.endswith(ends)})

    def quantization(self):
        return self.config["quantization_config"]

    def groups(self, module):
        method = self.quantization()["quant_method"]
        if method == "compressed-tensors":
            return self.compressed(module)
        if method == "gptq":
            return self.gptq(module)
        return self.awq(module)

    def scales(self, name):
        return self.floats(name)

    def awq(self, module):
        dtype = self.dtype(f"{module}.scales")
        if self.dtype(f"{module}.qweight") == "I16":
            quants, zeros, scales = self.awq_fast(module)
        elif self.quantization().get("version", "gemm").lower() == "gemv":
            quants, zeros, scales = self.awq_gemv(module)
        else:
            quants = gemm_lanes(self.raw(f"{module}.qweight")).T
            zeros = gemm_lanes(self.raw(f"{module}.qzeros")).T
            scales = self.floats(f"{module}.scales").T
        return Groups(quants, zeros, np.ascontiguousarray(scales), 4, dtype)

    def group_count(self, columns):
        config = self.quantization()
        size = config.get("group_size", config.get("q_group_size"))
        return 1 if size == -1 else columns // size

    def awq_gemv(self, module):
        quants = lanes(self.raw(f"{module}.qweight"), 4)
        count = self.group_count(quants.shape[1])
        zeros = lanes(self.raw(f"{module}.qzeros"), 4)[:, :count]
        return quants, zeros, self.floats(f"{module}.scales")[:, :count]

    def awq_fast(self, module):
        packed = self.raw(f"{module}.qweight")
        blocks, columns = packed.shape
        # 16-bit word w of a tile of 64 columns: nibbles are four neighbours of [4 rows][64] in
        # the kernel's order, which per 32 columns is (pair 4, parity 2, quarter 4).
        nibbles = (packed[:, :, None] >> np.arange(0, 16, 4, dtype=np.uint16)) & 15
        tiles = nibbles.reshape(blocks, columns // 64, 4, 2, 4, 2, 4)  # row, half, pair, parity, quarter
        natural = tiles.transpose(0, 2, 1, 3, 6, 4, 5)  # block, row, tile, half, quarter, pair, parity
        quants = natural.reshape(blocks * 4, columns)
        count = self.group_count(columns)
        scales = self.floats(f"{module}.scales")[:count]
        name = f"{module}.scaled_zeros" if f"{module}.scaled_zeros" in self.places else f"{module}.qzeros"
        offsets = self.floats(name)[:count]
        zeros = np.rint(-offsets / np.where(scales == 0, 1, scales))
        return quants, zeros.T.astype(np.int32), scales.T

    def gptq(self, module):
        quants = lanes(np.ascontiguousarray(self.raw(f"{module}.qweight").T), 4)
        zeros = lanes(self.raw(f"{module}.qzeros"), 4).T.astype(np.int32)
        if self.quantization().get("checkpoint_format", "gptq") != "gptq_v2":
            zeros = zeros + 1
        scales = np.ascontiguousarray(self.floats(f"{module}.scales").T)
        return Groups(quants, zeros, scales, 4, self.dtype(f"{module}.scales"))

    def compressed(self, module):
        scales = self.floats(f"{module}.weight_scale")
        dtype = self.dtype(f"{module}.weight_scale")
        if f"{module}.weight_packed" not in self.places:  # int-quantized
            quants = self.raw(f"{module}.weight").astype(np.int16) + 128
            return Groups(quants.astype(np.uint8), np.full(scales.shape, 128), scales, 8, dtype)
        packed = self.raw(f"{module}.weight_packed")
        rows, columns = (int(each) for each in self.raw(f"{module}.weight_shape").view(np.int32 if self.dtype(f"{module}.weight_shape") == "I32" else np.int64))
        bits = next(bits for bits in (4, 8) if packed.shape[1] == -(-columns * bits // 32))
        quants = lanes(packed, bits)[:, :columns]
        zeros = np.full(scales.shape, 1 << (bits - 1))
        if f"{module}.weight_zero_point" in self.places:
            words = np.ascontiguousarray(self.raw(f"{module}.weight_zero_point").T)
            zeros = lanes(words, bits).T[:rows]
        return Groups(quants, zeros, scales, bits, dtype)


def lanes(words, bits):
    """32-bit words along the last axis, lowest bits first."""
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    spread = (words[..., None] >> shifts) & np.uint32((1 << bits) - 1)
    return spread.reshape(*words.shape[:-1], -1).astype(np.uint8)


def gemm_lanes(words):
    """AutoAWQ's gemm order: output column 8w + j lies at bit 4 * [0, 4, 1, 5, 2, 6, 3, 7][j]."""
    straight = lanes(words, 4).reshape(*words.shape, 8)
    return straight[..., [0, 4, 1, 5, 2, 6, 3, 7]].reshape(words.shape[0], -1)
