"""PLY meshes, ASCII and binary: x, y, z of the vertex element are replaced, all else stays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clemkit.errors import FormatError
from clemkit.geometry import FloatArray

__all__ = ["read_ply_points", "replace_ply_points"]

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the vertices are."""

    start: int
    count: int
    names: tuple[str, ...]
    dtype: np.dtype[np.void]
    ascii: bool


def read_ply_points(data: bytes, path: str | Path) -> FloatArray:
    """Return vertices ``(N, 3)``, x, y, z, in the file's unit.

    Raises
    ------
    FormatError
        Not a PLY file with vertices x, y, z that come first, or it is cut off.
    """
    layout = _layout(data, path)
    if layout.ascii:
        lines = _vertex_lines(data, layout, path)
        columns = [layout.names.index(a) for a in "xyz"]
        try:
            points = [[float(line.split()[c]) for c in columns] for line in lines]
        except (ValueError, IndexError):
            raise FormatError(path, "expected numbers in every vertex line") from None
        return np.asarray(points, dtype=np.float64).reshape(-1, 3)
    table = _table(data, layout, path)
    return np.stack([table[a].astype(np.float64) for a in "xyz"], axis=1)


def replace_ply_points(data: bytes, xyz: FloatArray, path: str | Path) -> bytes:
    """Return the file with other vertices, in file order and in the file's number type."""
    layout = _layout(data, path)
    if not layout.ascii:
        table = _table(data, layout, path).copy()
        for column, axis in enumerate("xyz"):
            table[axis] = xyz[:, column]
        end = layout.start + table.nbytes
        return data[: layout.start] + table.tobytes() + data[end:]
    lines = _vertex_lines(data, layout, path)
    places = {layout.names.index(a): k for k, a in enumerate("xyz")}
    out = []
    for line, row in zip(lines, xyz, strict=True):
        words = re.split(rb"(\s+)", line)
        first = 2 if words[0] == b"" else 0  # leading blanks
        for place, k in places.items():
            words[first + 2 * place] = repr(float(row[k])).encode()
        out.append(b"".join(words))
    end = layout.start + sum(map(len, lines))
    return data[: layout.start] + b"".join(out) + data[end:]


def _layout(data: bytes, path: str | Path) -> _Layout:
    head = re.match(rb"ply\s.*?end_header[ \t]*(\r\n|\n|\r)", data, re.DOTALL)
    if head is None:
        raise FormatError(path, "expected a PLY header from ply to end_header; found none")
    text = head[0].decode("latin-1")
    style = re.search(r"^format\s+(\S+)", text, re.MULTILINE)
    order = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
    if style is None or style[1] not in order:
        raise FormatError(path, "expected format ascii, binary_little_endian or binary_big_endian")
    elements = re.split(r"^element\s+", text, flags=re.MULTILINE)[1:]
    if not elements or elements[0].split()[0] != "vertex":
        raise FormatError(path, "expected vertex as the first element of the PLY file")
    fields = []
    for line in elements[0].splitlines()[1:]:
        words = line.split()
        if words[:1] != ["property"]:
            continue
        if len(words) != 3 or words[1] not in _TYPES:
            raise FormatError(path, f"expected plain vertex properties; found {line!r}")
        fields.append((words[2], order[style[1]] + _TYPES[words[1]]))
    names = tuple(name for name, _ in fields)
    if not {"x", "y", "z"} <= set(names):
        raise FormatError(path, f"expected vertex properties x, y, z; found {names}")
    return _Layout(
        head.end(), int(elements[0].split()[1]), names, np.dtype(fields), style[1] == "ascii"
    )


def _table(data: bytes, layout: _Layout, path: str | Path) -> np.ndarray:
    need = layout.count * layout.dtype.itemsize
    if len(data) - layout.start < need:
        raise FormatError(
            path, f"expected {need} bytes of vertices; found {len(data) - layout.start}: cut off"
        )
    return np.frombuffer(data, layout.dtype, layout.count, layout.start)


def _vertex_lines(data: bytes, layout: _Layout, path: str | Path) -> list[bytes]:
    lines = re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", data[layout.start :])
    if len(lines) < layout.count:
        raise FormatError(
            path, f"expected {layout.count} vertex lines; found {len(lines)}: cut off"
        )
    return lines[: layout.count]
