"""NIfTI-1 and NIfTI-2 single files (.nii, .nii.gz) [1]_, read without ITK.

References
----------
.. [1] NIfTI-1 header definition (nifti1.h); NIfTI-2 header definition (nifti2.h).
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import AxisError, FormatError
from clemkit.geometry import FloatArray
from clemkit.volumes.readers.info import Found, Selection
from clemkit.volumes.readers.oriented import OrientedHeader, oriented_volume, packed_voxels

__all__ = ["read_nifti"]

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8",
    1280: "u8",
}  # fmt: skip
_UNITS = {1: "m", 2: "mm", 3: "um"}
_LONGEST = {"m": 1e-3, "mm": 100.0, "um": 1e5}  # a longer voxel edge is not a measurement
_ONE = {
    "dim": ("i2", (8,), 40), "datatype": ("i2", (), 70), "pixdim": ("f4", (8,), 76),
    "vox_offset": ("f4", (), 108), "scl_slope": ("f4", (), 112), "scl_inter": ("f4", (), 116),
    "xyzt_units": ("u1", (), 123), "descrip": ("S80", (), 148), "qform_code": ("i2", (), 252),
    "sform_code": ("i2", (), 254), "quatern": ("f4", (3,), 256), "qoffset": ("f4", (3,), 268),
    "srow": ("f4", (3, 4), 280),
}  # fmt: skip
_TWO = {
    "dim": ("i8", (8,), 16), "datatype": ("i2", (), 12), "pixdim": ("f8", (8,), 104),
    "vox_offset": ("i8", (), 168), "scl_slope": ("f8", (), 176), "scl_inter": ("f8", (), 184),
    "xyzt_units": ("i4", (), 500), "descrip": ("S80", (), 240), "qform_code": ("i4", (), 344),
    "sform_code": ("i4", (), 348), "quatern": ("f8", (3,), 352), "qoffset": ("f8", (3,), 376),
    "srow": ("f8", (3, 4), 400),
}  # fmt: skip
_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def read_nifti(path: Path, selection: Selection) -> Found:
    """Read the header of a NIfTI file.

    Positions are brought from NIfTI's frame (right, anterior, superior) to that of ITK (left,
    posterior, superior), so that the same image saved as MetaImage lies in the same place.

    Raises
    ------
    FormatError
        The file is no single-file NIfTI image of a supported voxel type.
    AxisError
        There are more axes than x, y, z, t.
    """
    packed = path.name.lower().endswith(".gz")
    header, order = _decode(path, _head(path, packed))
    code = int(header["datatype"])
    if code not in _TYPES:
        raise FormatError(path, f"expected integer or real voxels; found data type {code}")
    count = int(header["dim"][0])
    extents = [max(int(n), 1) for n in header["dim"][1 : count + 1]]
    while len(extents) > 2 and extents[-1] == 1:
        extents.pop()
    if len(extents) not in (2, 3, 4):
        raise AxisError(f"{path}: expected axes x, y, z, t; found extents {extents}")
    warnings: list[str] = []
    unit = _UNITS.get(int(header["xyzt_units"]) & 7)
    spatial = min(len(extents), 3)
    spacing = np.abs(np.array(header["pixdim"][1 : spatial + 1], float))
    if unit is not None and np.any(spacing > _LONGEST[unit]):
        warnings.append(f"a voxel size of {spacing.tolist()} {unit} is implausible: no size")
        spacing = np.zeros_like(spacing)
    elif unit is not None and np.all(spacing == 1):
        warnings.append(f"a voxel size of exactly 1 {unit} is what many programs write by default")
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope not in (0.0, 1.0) or (slope != 0 and inter != 0):
        warnings.append(f"values are stored ones; the file scales them by {slope:g}, {inter:g}")
    direction, origin = _orientation(header)
    dtype = np.dtype(order + _TYPES[code])
    info = OrientedHeader(
        format="nifti",
        shape_xyz=tuple(extents[:spatial]),
        dtype=dtype,
        spacing_xyz=tuple(float(s) for s in spacing),
        origin_xyz=tuple(origin[:spatial]),
        direction=direction,
        unit=unit,
        metadata={
            "description": bytes(header["descrip"]).decode("latin-1").strip("\0 "),
            "scale_slope": slope,
            "scale_intercept": inter,
            "qform_code": int(header["qform_code"]),
            "sform_code": int(header["sform_code"]),
        },
        warnings=tuple(warnings),
    )
    offset = int(header["vox_offset"])
    shape = tuple(reversed(extents))
    raw = _voxels(path, packed, offset, shape, dtype)
    return oriented_volume(path, info, raw, "tzyx"[-len(shape) :])


def _voxels(
    path: Path, packed: bool, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Any:
    if not packed:
        return packed_voxels(path, offset, "raw", shape, dtype)
    from clemkit.volumes.source import RawSource

    whole = packed_voxels(path, 0, "gzip", shape, dtype)
    return RawSource(whole.path, shape, dtype, offset)  # the header is part of the stream


def _head(path: Path, packed: bool) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(4096)
    if not packed:
        return data
    try:
        return zlib.decompressobj(wbits=47).decompress(data, 1024)
    except zlib.error as error:
        raise FormatError(path, f"expected a gzip stream; found: {error}") from error


def _decode(path: Path, data: bytes) -> tuple[Any, str]:
    for order in ("<", ">"):
        size = int(np.frombuffer(data[:4], order + "i4")[0]) if len(data) >= 4 else 0
        table = {348: _ONE, 540: _TWO}.get(size)
        if table is None:
            continue
        magic = data[344:347] if size == 348 else data[4:7]
        if len(data) < size or magic not in (b"n+1", b"n+2"):
            break
        fields = np.dtype(
            {
                "names": list(table),
                "formats": [(order + kind, shape) for kind, shape, _ in table.values()],
                "offsets": [offset for _, _, offset in table.values()],
                "itemsize": size,
            }
        )
        return np.frombuffer(data[:size], fields)[0], order
    raise FormatError(path, "expected a single-file NIfTI header (n+1 or n+2); found none")


def _orientation(header: Any) -> tuple[FloatArray, list[float]]:
    """Return unit direction columns and origin in the left-posterior-superior frame."""
    if int(header["sform_code"]) > 0:
        matrix = np.array(header["srow"][:, :3], float)
        lengths = np.linalg.norm(matrix, axis=0)
        direction = matrix / np.where(lengths > 0, lengths, 1)
        offset = np.array(header["srow"][:, 3], float)
    elif int(header["qform_code"]) > 0:
        direction = _rotation(np.array(header["quatern"], float))
        if float(header["pixdim"][0]) < 0:
            direction[:, 2] *= -1
        offset = np.array(header["qoffset"], float)
    else:
        return np.eye(3), [0.0, 0.0, 0.0]
    return _TO_LPS @ direction, [float(v) + 0.0 for v in _TO_LPS @ offset]


def _rotation(quaternion: FloatArray) -> FloatArray:
    b, c, d = quaternion
    a = np.sqrt(max(1.0 - b * b - c * c - d * d, 0.0))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
