"""MetaImage (.mha, .mhd), read without ITK."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clemkit.errors import FormatError, NotFoundError
from clemkit.volumes.readers.info import Found, Selection
from clemkit.volumes.readers.oriented import OrientedHeader, oriented_volume, packed_voxels

__all__ = ["read_metaimage"]

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_LIMIT = 1 << 16


def read_metaimage(path: Path, selection: Selection) -> Found:
    """Read the header of a MetaImage.

    The format states no unit unless ``DistanceUnits`` is written, so most files need a voxel
    size from the caller; their origin is then scaled along.

    Raises
    ------
    FormatError
        The header is incomplete or the voxels are stored in a way that is not supported.
    NotFoundError
        The file with the voxels is absent.
    """
    values, end = _header(path)
    try:
        count = int(values["NDims"])
        shape = tuple(int(n) for n in values["DimSize"].split())
        kind = values["ElementType"].upper().removesuffix("_ARRAY")
        where = values["ElementDataFile"]
    except (KeyError, ValueError) as error:
        raise FormatError(path, f"expected a MetaImage header; wrong or absent: {error}") from error
    if count not in (2, 3) or len(shape) != count:
        raise FormatError(path, f"expected 2 or 3 axes; found NDims {count}, DimSize {shape}")
    if kind not in _TYPES:
        raise FormatError(path, f"expected a numeric element type; found {kind}")
    samples = int(values.get("ElementNumberOfChannels", "1"))
    big = values.get("BinaryDataByteOrderMSB", values.get("ElementByteOrderMSB", "False"))
    dtype = np.dtype((">" if big.lower() == "true" else "<") + _TYPES[kind])
    packed = values.get("CompressedData", "False").lower() == "true"
    if where == "LOCAL":
        data, offset = path, end
    else:
        data, offset = path.parent / where, max(int(values.get("HeaderSize", "0")), 0)
    if where.startswith("LIST") or "%" in where:
        raise FormatError(path, f"expected one file of voxels; found {where!r}; convert it first")
    if not data.exists():
        raise NotFoundError(f"{path}: expected its voxels in {data}; found nothing there")
    numbers = np.array([float(v) for v in values.get("TransformMatrix", "").split()] or [0.0])
    direction = np.eye(3)
    if numbers.size == count * count:
        direction[:count, :count] = numbers.reshape(count, count).T
    spacing = values.get("ElementSpacing", values.get("ElementSize", ""))
    header = OrientedHeader(
        format="metaimage",
        shape_xyz=shape,
        dtype=dtype,
        spacing_xyz=tuple(float(v) for v in spacing.split()) or (0.0,) * count,
        origin_xyz=tuple(
            float(v) for v in values.get("Offset", values.get("Position", "")).split()
        ) or (0.0,) * count,
        direction=direction,
        unit=values.get("DistanceUnits"),
        samples=samples,
        metadata={"header": values},
    )  # fmt: skip
    axes = "zyx"[-count:] + ("c" if samples > 1 else "")
    full = (*reversed(shape), *([samples] if samples > 1 else []))
    raw = packed_voxels(data, offset, "gzip" if packed else "raw", full, dtype)
    return oriented_volume(path, header, raw, axes)


def _header(path: Path) -> tuple[dict[str, str], int]:
    values: dict[str, str] = {}
    with path.open("rb") as stream:
        while stream.tell() < _LIMIT and (line := stream.readline(4096)):
            key, equals, value = line.decode("latin-1").partition("=")
            if not equals:
                break
            values[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                return values, stream.tell()
    raise FormatError(path, "expected a MetaImage header ending in ElementDataFile; found none")
