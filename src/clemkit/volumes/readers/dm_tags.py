"""The tag tree of Gatan dm3 and dm4 files.

The vendor publishes no specification; this follows what users of the format have described, and
is tested on files written by another program.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from clemkit.errors import FormatError

__all__ = ["StoredArray", "read_tags"]

_SCALARS = {
    2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1", 11: "i8",
    12: "u8",
}  # fmt: skip
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_GROUP, _DATA = 20, 21
_KEEP = 1 << 16  # bytes of an array that is read at once; larger ones stay in the file
_DEEP = 64


@dataclass(frozen=True, slots=True)
class StoredArray:
    """Where a large array lies in the file."""

    offset: int
    count: int
    dtype: np.dtype[Any]


def read_tags(path: Path) -> dict[str, Any]:
    """Read all tags of a dm3 or dm4 file; unnamed entries are numbered within their group.

    Raises
    ------
    FormatError
        The file is truncated or no dm3 or dm4 file.
    """
    with path.open("rb") as stream:
        try:
            return _Parser(stream, path).root()
        except (struct.error, ValueError, KeyError, OverflowError, MemoryError) as error:
            raise FormatError(
                path, f"expected a whole dm3 or dm4 file; found a damaged tag: {error}"
            ) from error


class _Parser:
    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream, self.path = stream, path
        self.size = path.stat().st_size
        version = self.number(">I")
        if version not in (3, 4):
            raise FormatError(path, f"expected version 3 or 4 of the Gatan format; found {version}")
        self.word = ">Q" if version == 4 else ">I"
        self.is_four = version == 4
        self.number(self.word)
        self.order = "<" if self.number(">I") == 1 else ">"

    def number(self, code: str) -> int:
        return int(struct.unpack(code, self.stream.read(struct.calcsize(code)))[0])

    def root(self) -> dict[str, Any]:
        return self.group(0)

    def group(self, depth: int) -> dict[str, Any]:
        if depth > _DEEP:
            raise ValueError("tags are nested too deeply")
        self.stream.read(2)  # sorted, open
        tags: dict[str, Any] = {}
        for index in range(self.number(self.word)):
            kind = self.number(">B")
            name = self.stream.read(self.number(">H")).decode("latin-1") or str(index)
            if self.is_four:
                self.number(self.word)  # length of the entry
            if kind == _GROUP:
                tags[name] = self.group(depth + 1)
            elif kind == _DATA:
                tags[name] = self.entry()
            else:
                raise ValueError(f"entry kind {kind} of {name!r}")
        return tags

    def entry(self) -> Any:
        if self.stream.read(4) != b"%%%%":
            raise ValueError("the %%%% mark is missing")
        length = self.number(self.word)
        if length > 4096:
            raise ValueError(f"a type description of {length} words")
        words = [self.number(self.word) for _ in range(length)]
        return self.value(words)

    def value(self, words: list[int]) -> Any:
        code = words[0]
        if code in _SCALARS:
            dtype = np.dtype(self.order + _SCALARS[code])
            return np.frombuffer(self.take(dtype.itemsize), dtype)[0].item()
        if code == _STRING:
            return self.take(2 * words[1]).decode("utf-16-le" if self.order == "<" else "utf-16-be")
        if code == _STRUCT:
            return [self.value([kind]) for kind in words[4::2]]
        if code == _ARRAY:
            return self.array(words)
        raise ValueError(f"type code {code}")

    def array(self, words: list[int]) -> Any:
        count = words[-1]
        if words[1] == _STRUCT:
            fields = [np.dtype(self.order + _SCALARS[k]) for k in words[5:-1:2]]
            dtype = np.dtype([(f"f{i}", one) for i, one in enumerate(fields)])
        else:
            dtype = np.dtype(self.order + _SCALARS[words[1]])
        offset = self.stream.tell()
        needed = count * dtype.itemsize
        if offset + needed > self.size:
            raise FormatError(
                self.path,
                f"the file is truncated: expected {offset + needed} bytes; found {self.size}",
            )
        stored = StoredArray(offset, count, dtype)
        if words[1] != 4 or needed > _KEEP:  # only 16-bit arrays are texts
            self.stream.seek(needed, 1)
            return stored
        text = self.take(needed).decode(
            "utf-16-le" if self.order == "<" else "utf-16-be", "replace"
        )
        return _TextOrArray(text, stored)

    def take(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise ValueError("the file ends inside a tag")
        return data


class _TextOrArray(str):
    """A short 16-bit array: a text, as nearly always, that still knows where it is stored."""

    stored: StoredArray

    def __new__(cls, text: str, stored: StoredArray) -> _TextOrArray:
        made = super().__new__(cls, text)
        made.stored = stored
        return made
