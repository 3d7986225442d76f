"""SWC skeletons: the three coordinates of each node are replaced, all else stays as it was."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from clemkit.errors import FormatError
from clemkit.geometry import FloatArray

__all__ = ["read_swc_points", "replace_swc_points"]

# id, type, x, y, z, radius, parent; everything between the numbers is kept
_NODE = re.compile(rb"^(\s*\S+\s+\S+\s+)(\S+)(\s+)(\S+)(\s+)(\S+)(.*)$", re.DOTALL)


def read_swc_points(data: bytes, path: str | Path) -> FloatArray:
    """Return node positions ``(N, 3)``, x, y, z, in the file's unit.

    Raises
    ------
    FormatError
        A line is not a node.
    """
    points = []
    for number, line in enumerate(_lines(data), start=1):
        if not _is_node(line):
            continue
        match = _NODE.match(line)
        try:
            if match is None:
                raise ValueError
            points.append([float(match[2]), float(match[4]), float(match[6])])
        except ValueError:
            raise FormatError(
                path,
                f"line {number}: expected id, type, x, y, z, radius, parent; "
                f"found {line[:60].decode('latin-1')!r}",
            ) from None
    return np.asarray(points, dtype=np.float64).reshape(-1, 3)


def replace_swc_points(data: bytes, xyz: FloatArray) -> bytes:
    """Return the file with other node positions, in file order; radii are left alone."""
    rows = iter(xyz)
    out = []
    for line in _lines(data):
        match = _NODE.match(line) if _is_node(line) else None
        if match is None:
            out.append(line)
            continue
        x, y, z = (repr(float(v)).encode() for v in next(rows))
        out.append(match[1] + x + match[3] + y + match[5] + z + match[7])
    return b"".join(out)


def _lines(data: bytes) -> list[bytes]:
    # line ends stay on their lines; a lone CR ends a line too
    return re.findall(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", data)


def _is_node(line: bytes) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith(b"#")
