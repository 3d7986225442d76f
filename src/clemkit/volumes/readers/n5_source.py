"""Blocks of an N5 data set."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import FormatError
from clemkit.volumes.source import AnyArray, BlockCache, index_ranges

__all__ = ["N5Source"]

_TYPES = (
    *(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)),
    "float32",
    "float64",
)


class N5Source:
    """An n-dimensional N5 data set, slowest axis first (the reverse of N5's own order).

    Parameters
    ----------
    folder : Path
        The data set.
    attributes : mapping
        Its ``attributes.json``.
    """

    def __init__(self, folder: Path, attributes: Mapping[str, Any]) -> None:
        try:
            self.shape = tuple(int(n) for n in reversed(attributes["dimensions"]))
            self._block = tuple(int(n) for n in reversed(attributes["blockSize"]))
            kind = str(attributes["dataType"])
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(folder, f"expected N5 data set attributes; found: {error}") from error
        if kind not in _TYPES:
            raise FormatError(folder, f"expected a numeric data type; found {kind!r}")
        self.dtype = np.dtype(kind)
        self._folder, self._attributes = folder, attributes
        compression = attributes.get("compression", attributes.get("compressionType", "raw"))
        self._codec = {"type": compression} if isinstance(compression, str) else dict(compression)
        self._cache = BlockCache()

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self._folder, dict(self._attributes))

    def __getitem__(self, key: Any, /) -> AnyArray:
        ranges, dropped = index_ranges(key, self.shape)
        lo, hi = [r.start for r in ranges], [max(r.stop, r.start) for r in ranges]
        out = np.zeros([b - a for a, b in zip(lo, hi, strict=True)], self.dtype)
        if out.size:
            self._fill(out, lo, hi)
        steps = tuple(slice(None, None, r.step) for r in ranges)
        return out[steps][tuple(0 if a in dropped else slice(None) for a in range(len(lo)))]

    def _fill(self, out: AnyArray, lo: list[int], hi: list[int]) -> None:
        numbers = [range(a // n, -(-b // n)) for a, b, n in zip(lo, hi, self._block, strict=True)]
        for number in product(*numbers):
            block = self._cache.get(number, lambda number=number: self._read(number))  # type: ignore[misc]
            if not block.size:
                continue
            start = [i * n for i, n in zip(number, self._block, strict=True)]
            first = [max(a, s) for a, s in zip(lo, start, strict=True)]
            last = [min(b, s + n) for b, s, n in zip(hi, start, block.shape, strict=True)]
            if any(b <= a for a, b in zip(first, last, strict=True)):
                continue
            target = tuple(slice(a - o, b - o) for a, b, o in zip(first, last, lo, strict=True))
            source = tuple(slice(a - s, b - s) for a, b, s in zip(first, last, start, strict=True))
            out[target] = block[source]

    def _read(self, number: tuple[int, ...]) -> AnyArray:
        path = self._folder.joinpath(*(str(i) for i in reversed(number)))
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return np.zeros((0,) * len(number), self.dtype)
        try:
            mode, count = struct.unpack_from(">HH", data)
            extent = struct.unpack_from(f">{count}I", data, 4)
            offset = 4 + 4 * count + (4 if mode == 1 else 0)
            if mode not in (0, 1) or count != len(self.shape):
                raise ValueError(f"block mode {mode} with {count} axes")
            values = np.frombuffer(
                _decompress(data[offset:], self._codec), self.dtype.newbyteorder(">")
            )
            block = values.reshape(extent[::-1])
        except FormatError:
            raise
        except Exception as error:  # every codec raises its own kinds
            raise FormatError(path, f"the block is damaged: {error}") from error
        return block.astype(self.dtype)


def _decompress(data: bytes, codec: Mapping[str, Any]) -> Any:
    kind = str(codec.get("type", "raw")).lower()
    if kind == "raw":
        return data
    if kind == "gzip":
        import zlib

        return zlib.decompress(data, 47)  # gzip or zlib by its header: useZlib need not be trusted
    if kind == "bzip2":
        import bz2

        return bz2.decompress(data)
    if kind == "xz":
        import lzma

        return lzma.decompress(data)
    if kind in ("zstd", "blosc"):
        import numcodecs  # type: ignore[import-untyped]

        return numcodecs.get_codec({"id": kind}).decode(data)
    if kind == "lz4":
        return _lz4_blocks(data)
    raise ValueError(f"compression {kind!r} is not supported; re-save it as gzip")


def _lz4_blocks(data: bytes) -> bytes:
    """Decode the framing of lz4-java: magic, token, two lengths and a checksum per block."""
    import numcodecs

    codec = numcodecs.get_codec({"id": "lz4"})
    parts, at = [], 0
    while at < len(data):
        if data[at : at + 8] != b"LZ4Block":
            raise ValueError("expected an LZ4Block")
        token = data[at + 8]
        packed, plain, _ = struct.unpack_from("<iii", data, at + 9)
        at += 21
        if plain == 0:
            break
        payload = data[at : at + packed]
        raw = token & 0xF0 == 0x10
        parts.append(payload if raw else codec.decode(struct.pack("<I", plain) + payload))
        at += packed
    return b"".join(bytes(part) for part in parts)
