"""NRRD (.nrrd, .nhdr) [1]_, read without ITK.

References
----------
.. [1] Definition of the NRRD format, teem project.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from clemkit.errors import AxisError, FormatError, NotFoundError
from clemkit.geometry import FloatArray
from clemkit.volumes.readers.info import Found, Selection
from clemkit.volumes.readers.oriented import OrientedHeader, oriented_volume, packed_voxels

__all__ = ["read_nrrd"]

_TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "uchar": "u1", "unsigned char": "u1",
    "uint8": "u1", "uint8_t": "u1", "short": "i2", "short int": "i2", "signed short": "i2",
    "int16": "i2", "int16_t": "i2", "ushort": "u2", "unsigned short": "u2", "uint16": "u2",
    "unsigned short int": "u2", "uint16_t": "u2", "int": "i4", "signed int": "i4", "int32": "i4",
    "int32_t": "i4", "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "int64": "i8", "int64_t": "i8", "ulonglong": "u8",
    "unsigned long long": "u8", "uint64": "u8", "uint64_t": "u8", "float": "f4", "double": "f8",
}  # fmt: skip
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
_SPATIAL = ("domain", "space", "???", "none", "")
_LIMIT = 1 << 20


def read_nrrd(path: Path, selection: Selection) -> Found:
    """Read the header of an NRRD file; a unit counts only where the file writes one.

    Raises
    ------
    FormatError
        The header is incomplete or the voxels are stored in a way that is not supported.
    AxisError
        The axes are not two or three spatial ones and at most one of samples.
    NotFoundError
        The file with the voxels is absent.
    """
    fields, end = _header(path)
    try:
        sizes = tuple(int(n) for n in fields["sizes"].split())
        kind = fields["type"].lower()
        encoding = fields["encoding"].lower()
    except (KeyError, ValueError) as error:
        raise FormatError(path, f"expected an NRRD header; missing or wrong: {error}") from error
    if kind not in _TYPES:
        raise FormatError(path, f"expected a numeric type; found {kind!r}")
    dtype = np.dtype(
        (">" if fields.get("endian", "little").lower() == "big" else "<") + _TYPES[kind]
    )
    vectors = _vectors(fields.get("space directions", ""))
    spatial = _spatial(path, fields, vectors, len(sizes))
    spacing, direction = _geometry(fields, vectors, spatial)
    count = len(spatial)
    samples = 1
    names = dict(zip(spatial, "xyz", strict=False))
    for axis, n in enumerate(sizes):
        if axis not in spatial:
            names[axis], samples = "c", n
    where = fields.get("data file", fields.get("datafile"))
    data, offset = (path, end) if where is None else (path.parent / where, 0)
    if not data.exists():
        raise NotFoundError(f"{path}: expected its voxels in {data}; found nothing there")
    for name in ("byte skip", "byteskip", "line skip", "lineskip"):
        if int(fields.get(name, "0")) != 0:
            raise FormatError(path, f"expected no {name}; found {fields[name]}; save it again")
    origin = _vectors(fields.get("space origin", ""))
    header = OrientedHeader(
        format="nrrd",
        shape_xyz=tuple(sizes[a] for a in spatial),
        dtype=dtype,
        spacing_xyz=spacing,
        origin_xyz=tuple(origin[0][:count]) if origin and origin[0] else (0.0,) * count,
        direction=_frame(fields) @ direction,
        unit=_unit(path, fields, spatial),
        samples=samples,
        metadata={"header": fields},
    )
    axes = "".join(names[a] for a in reversed(range(len(sizes))))
    shape = tuple(reversed(sizes))
    raw = packed_voxels(data, offset, _ENCODINGS.get(encoding, encoding), shape, dtype)
    return oriented_volume(path, header, raw, axes)


def _header(path: Path) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    with path.open("rb") as stream:
        if not stream.readline(64).startswith(b"NRRD000"):
            raise FormatError(path, "expected an NRRD file; found no NRRD000x line")
        while stream.tell() < _LIMIT:
            line = stream.readline(1 << 16)
            text = line.decode("latin-1").strip()
            if not text:  # a blank line ends the header, or the file does
                return fields, stream.tell()
            if text.startswith("#"):
                continue
            for mark in (":=", ":"):
                key, found, value = text.partition(mark)
                if found:
                    fields[key.strip().lower() if mark == ":" else key.strip()] = value.strip()
                    break
    raise FormatError(path, "expected an NRRD header that ends; found none")


def _vectors(text: str) -> list[list[float] | None]:
    parts = re.findall(r"\([^)]*\)|none", text)
    return [None if p == "none" else [float(v) for v in p.strip("()").split(",")] for p in parts]


def _spatial(
    path: Path, fields: dict[str, str], vectors: list[list[float] | None], count: int
) -> list[int]:
    if vectors:
        spatial = [i for i, v in enumerate(vectors) if v is not None]
    elif "kinds" in fields:
        spatial = [i for i, k in enumerate(fields["kinds"].split()) if k.lower() in _SPATIAL]
    else:
        spatial = list(range(count))
    if len(spatial) not in (2, 3) or count - len(spatial) > 1:
        raise AxisError(
            f"{path}: expected 2 or 3 spatial axes and at most one of samples; found {count} axes, "
            f"{len(spatial)} spatial"
        )
    return spatial


def _geometry(
    fields: dict[str, str], vectors: list[list[float] | None], spatial: list[int]
) -> tuple[tuple[float, ...], FloatArray]:
    direction = np.eye(3)
    if not vectors:
        texts = fields.get("spacings", "").split()
        values = [float(texts[a]) if a < len(texts) else 0.0 for a in spatial]
        return tuple(v if np.isfinite(v) else 0.0 for v in values), direction
    spacing = []
    for column, axis in enumerate(spatial):
        vector = np.array(vectors[axis], float)
        length = float(np.linalg.norm(vector))
        spacing.append(length)
        if length > 0:
            direction[: len(vector), column] = vector / length
    return tuple(spacing), direction


def _frame(fields: dict[str, str]) -> FloatArray:
    """Return the flips that bring the file's named frame to left, posterior, superior."""
    space = fields.get("space", "").lower()
    long = {"ras": "right-anterior-superior", "las": "left-anterior-superior"}
    for short, name in long.items():
        if space.startswith((short, name)):
            return np.diag([-1.0, -1.0, 1.0]) if short == "ras" else np.diag([1.0, -1.0, 1.0])
    return np.eye(3)


def _unit(path: Path, fields: dict[str, str], spatial: list[int]) -> str | None:
    units = re.findall(r'"([^"]*)"', fields.get("space units", ""))
    if not units:
        quoted = re.findall(r'"([^"]*)"', fields.get("units", ""))
        units = [quoted[a] for a in spatial if a < len(quoted)]
    named = {u.strip() for u in units if u.strip()}
    if len(named) > 1:
        raise FormatError(path, f"expected one unit for all axes; found {sorted(named)}")
    return named.pop() if named else None
