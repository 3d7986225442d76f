"""STL meshes, ASCII and binary: corners get other coordinates, normals are made anew.

A normal belongs to the corners of its triangle, so it must follow them; all other bytes stay.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from clemkit.errors import FormatError
from clemkit.geometry import FloatArray

__all__ = ["read_stl_points", "replace_stl_points"]

_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEAD = 84  # 80 bytes of text and the number of triangles
_NUMBERS = rb"(\S+)(\s+)(\S+)(\s+)(\S+)"
_VERTEX = re.compile(rb"(\bvertex\s+)" + _NUMBERS)
_NORMAL = re.compile(rb"(\bfacet\s+normal\s+)" + _NUMBERS)


def read_stl_points(data: bytes, path: str | Path) -> FloatArray:
    """Return triangle corners ``(3 F, 3)``, x, y, z, in the file's unit.

    Raises
    ------
    FormatError
        Neither ASCII nor binary STL, or cut off.
    """
    if _is_binary(data):
        return np.asarray(_facets(data)["corners"].reshape(-1, 3), dtype=np.float64)
    if not data.lstrip().startswith(b"solid"):
        raise FormatError(
            path, "expected ASCII STL, or binary STL of the length that its count says; the file "
            "may be cut off"
        )  # fmt: skip
    try:
        points = [[float(m[2]), float(m[4]), float(m[6])] for m in _VERTEX.finditer(data)]
    except ValueError as error:
        raise FormatError(path, f"expected numbers after vertex; {error}") from None
    if len(points) % 3 or len(_NORMAL.findall(data)) * 3 != len(points):
        raise FormatError(path, "expected three vertices per facet; the file may be cut off")
    return np.asarray(points, dtype=np.float64).reshape(-1, 3)


def replace_stl_points(data: bytes, xyz: FloatArray) -> bytes:
    """Return the file with other corners, in file order."""
    corners = np.asarray(xyz, dtype=np.float64).reshape(-1, 3, 3)
    normals = _normals(corners)
    if _is_binary(data):
        facets = _facets(data).copy()
        facets["corners"], facets["normal"] = corners, normals
        return data[:_HEAD] + facets.tobytes() + data[_HEAD + facets.nbytes :]
    out = _VERTEX.sub(_writer(corners.reshape(-1, 3)), data)
    return _NORMAL.sub(_writer(normals), out)


def _writer(rows: FloatArray):  # type: ignore[no-untyped-def]  # a closure for re.sub
    left = iter(rows)

    def write(match: re.Match[bytes]) -> bytes:
        x, y, z = (repr(float(v)).encode() for v in next(left))
        return match[1] + x + match[3] + y + match[5] + z

    return write


def _normals(corners: FloatArray) -> FloatArray:
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(cross, axis=1, keepdims=True)
    return np.asarray(cross / np.where(length > 0, length, 1.0) + 0.0)  # no negative zero


def _is_binary(data: bytes) -> bool:
    # some binary files begin with "solid", so the length decides
    if len(data) < _HEAD:
        return False
    count = int(np.frombuffer(data, "<u4", 1, 80)[0])
    return len(data) >= _HEAD + count * _FACET.itemsize and (
        not data.lstrip().startswith(b"solid") or len(data) == _HEAD + count * _FACET.itemsize
    )


def _facets(data: bytes) -> np.ndarray:
    count = int(np.frombuffer(data, "<u4", 1, 80)[0])
    return np.frombuffer(data, _FACET, count, _HEAD)
