"""Gatan dm3 and dm4 images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.geometry import to_nanometres
from clemkit.volumes.readers.dm_tags import StoredArray, read_tags
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.voxel_size import complete
from clemkit.volumes.source import RawSource, arrange

__all__ = ["read_dm"]

_VOXELS = {
    1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8", 14: "u1", 39: "i8",
    40: "u8",
}  # fmt: skip


def read_dm(path: Path, selection: Selection) -> Found:
    """Read the header of a dm3 or dm4 file.

    Raises
    ------
    FormatError
        The file is damaged or has no image of a supported voxel type.
    AxisError
        The data are a spectrum or have more than three axes.
    """
    tags = read_tags(path)
    images = [one for one in _mapping(tags, "ImageList").values() if _is_image(one)]
    if not images:
        raise FormatError(path, "expected an image; found none")
    image = images[_number(path, images, selection.series)]
    data = image["ImageData"]
    shape = tuple(int(n) for n in data["Dimensions"].values())[::-1]
    if len(shape) not in (2, 3):
        raise AxisError(f"{path}: expected 2 or 3 axes; found {len(shape)} {shape}")
    code = int(data.get("DataType", 0))
    if code not in _VOXELS:
        raise FormatError(path, f"expected integer or real voxels; found data type {code}")
    stored = _stored(data["Data"])
    order = ">" if stored.dtype.byteorder == ">" else "<"
    raw = RawSource(path, shape, np.dtype(order + _VOXELS[code]), stored.offset)
    if raw.nbytes != stored.count * stored.dtype.itemsize:
        raise FormatError(path, f"expected voxels of shape {shape}; found {stored.count} values")
    sizes, origin, units, warnings = _calibration(data, len(shape))
    full = (1,) * (3 - len(shape)) + shape
    voxel, remarks = complete(sizes, full[0])
    info = VolumeInfo(
        path=path,
        format=path.suffix.lower().lstrip("."),
        shape=full,
        axes="zyx",
        dtype=str(raw.dtype.newbyteorder("=")),
        voxel_size_zyx_nm=voxel,
        origin_zyx_nm=origin if voxel else (0.0, 0.0, 0.0),
        unit=next((u for u in units if u), None),
        series=tuple(str(i) for i in range(len(images))) if len(images) > 1 else (),
        metadata=json_ready(
            {
                "name": image.get("Name", ""),
                "units_xyz": units,
                "tags": _readable(image.get("ImageTags", {})),
            }
        ),
        warnings=(*warnings, *remarks),
    )
    axes = "zyx"[-len(shape) :]
    return Found(info=info, source=lambda time: arrange(raw, axes, time))


def _mapping(tags: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = tags.get(name)
    return value if isinstance(value, Mapping) else {}


def _is_image(one: Any) -> bool:
    if not isinstance(one, Mapping):
        return False
    data = _mapping(one, "ImageData")
    return "Data" in data and "Dimensions" in data


def _number(path: Path, images: list[Any], wanted: int | str | None) -> int:
    if wanted is None:
        return len(images) - 1  # the thumbnail, where there is one, comes first
    if str(wanted).isdecimal() and int(wanted) < len(images):
        return int(wanted)
    raise NotFoundError(f"{path}: series {wanted!r}: expected 0 to {len(images) - 1}")


def _stored(value: Any) -> StoredArray:
    return value if isinstance(value, StoredArray) else value.stored


def _calibration(
    data: Mapping[str, Any], count: int
) -> tuple[dict[str, float], tuple[float, float, float], list[str], list[str]]:
    """Return sizes and origin in nm; a position is (index - Origin) * Scale."""
    entries = list(_mapping(_mapping(data, "Calibrations"), "Dimension").values())
    sizes: dict[str, float] = {}
    place = {"z": 0.0, "y": 0.0, "x": 0.0}
    units: list[str] = []
    warnings: list[str] = []
    for axis, entry in zip("xyz"[:count], entries, strict=False):
        unit = "".join(str(entry.get("Units", "")).split())  # also "µ m"
        units.append(unit)
        scale = float(entry.get("Scale", 0))
        try:
            size = to_nanometres(scale, unit)
        except UnitError:
            warnings.append(f"{axis} size {scale:g} {unit!r} is not a length: no size")
            continue
        if size > 0:
            sizes[axis] = size
            place[axis] = -float(entry.get("Origin", 0)) * size + 0.0
        else:
            warnings.append(f"{axis} size {scale:g} {unit} means that it is missing")
    return sizes, (place["z"], place["y"], place["x"]), units, warnings


def _readable(tags: Any) -> Any:
    if isinstance(tags, Mapping):
        return {key: _readable(value) for key, value in tags.items()}
    if isinstance(tags, StoredArray):
        return f"{tags.count} values"
    return str(tags) if isinstance(tags, str) else tags
