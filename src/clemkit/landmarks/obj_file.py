"""Wavefront OBJ meshes: vertex lines get other coordinates, all else stays as it was."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from clemkit.errors import FormatError
from clemkit.geometry import FloatArray

__all__ = ["read_obj_points", "replace_obj_points"]

# x y z, then perhaps w or colours, which are kept
_VERTEX = re.compile(rb"^([ \t]*v[ \t]+)([^\s#]+)([ \t]+)([^\s#]+)([ \t]+)([^\s#]+)", re.MULTILINE)
_ANY_VERTEX = re.compile(rb"^[ \t]*v[ \t].*$", re.MULTILINE)


def read_obj_points(data: bytes, path: str | Path) -> FloatArray:
    """Return vertices ``(N, 3)``, x, y, z, in the file's unit.

    Raises
    ------
    FormatError
        A vertex line does not have three numbers.
    """
    matches = list(_VERTEX.finditer(data))
    try:
        points = [[float(m[2]), float(m[4]), float(m[6])] for m in matches]
    except ValueError as error:
        raise FormatError(path, f"expected vertices v x y z; {error}") from None
    if len(_ANY_VERTEX.findall(data)) != len(matches):
        raise FormatError(path, "expected three coordinates on every vertex line; found fewer")
    return np.asarray(points, dtype=np.float64).reshape(-1, 3)


def replace_obj_points(data: bytes, xyz: FloatArray) -> bytes:
    """Return the file with other vertices, in file order."""
    rows = iter(xyz)

    def vertex(match: re.Match[bytes]) -> bytes:
        x, y, z = (repr(float(v)).encode() for v in next(rows))
        return match[1] + x + match[3] + y + match[5] + z

    return _VERTEX.sub(vertex, data)
