"""N5 containers [1]_: own small reader; an absent block means zero.

References
----------
.. [1] N5 API specification, version 2 (saalfeldlab/n5).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.geometry import to_nanometres
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.n5_source import N5Source
from clemkit.volumes.readers.voxel_size import complete
from clemkit.volumes.source import arrange

__all__ = ["multiscale_levels", "n5_attributes", "n5_dataset", "read_n5"]


def read_n5(path: Path, selection: Selection) -> Found:
    """Read the header of an N5 container, group or data set.

    A folder with ``s0``, ``s1``, … is a multi-resolution image. A BigDataViewer container is
    read through its XML file where that lies beside it, because only that has the unit.

    Raises
    ------
    FormatError
        The folder holds no readable data set.
    NotFoundError
        There is no such data set or level; or there are several and none was chosen.
    """
    from clemkit.volumes.readers.bdv import find_xml, read_bdv

    xml = find_xml(path)
    if selection.dataset is None and xml is not None and (path / "setup0").is_dir():
        found = read_bdv(xml, selection)
        return replace(found, info=replace(found.info, path=path))
    names = _images(path)
    wanted = selection.dataset.strip("/") if selection.dataset else None
    if wanted is not None and not (path / wanted / "attributes.json").exists():
        raise NotFoundError(
            f"{path}: data set {wanted!r}: expected one of: {', '.join(names) or 'none'}"
        )
    if not names:
        raise FormatError(path, "expected an N5 data set; found none")
    chosen = names[0] if wanted is None else wanted
    found = n5_dataset(path / chosen, selection)
    several = len(names) > 1 and wanted is None
    remark = f"several data sets ({', '.join(names)}); this is {chosen}; choose one"
    info = replace(
        found.info,
        path=path,
        datasets=tuple(names) if len(names) > 1 else (),
        warnings=(*found.info.warnings, *([remark] if several else [])),
    )

    def source(time: int) -> Any:
        if several:
            raise NotFoundError(
                f"{path}: expected a choice of data set; found several: {', '.join(names)}; "
                f"name one (--dataset), or open {path}/{chosen}"
            )
        return found.source(time)

    return Found(info=info, source=source)


def n5_attributes(folder: Path) -> dict[str, Any]:
    """Read ``attributes.json``, which may begin with a C comment.

    Raises
    ------
    FormatError
        It is no JSON object.
    """
    path = folder / "attributes.json"
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8-sig")
    text = re.sub(r"\A(\s*/\*.*?\*/)+", "", text, flags=re.DOTALL)
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(path, f"expected JSON; found: {error}") from error
    if not isinstance(values, dict):
        raise FormatError(path, "expected a JSON object; found something else")
    return values


def multiscale_levels(folder: Path) -> list[Path]:
    """Return ``s0``, ``s1``, … below a folder; the folder itself where it is a data set."""
    if "dimensions" in n5_attributes(folder):
        return [folder]
    levels: list[Path] = []
    while (folder / f"s{len(levels)}" / "attributes.json").exists():
        levels.append(folder / f"s{len(levels)}")
    return levels


def _images(root: Path, prefix: str = "", depth: int = 0) -> list[str]:
    """Return the names of data sets and multi-resolution groups, outermost first."""
    if multiscale_levels(root):
        return [prefix]
    if depth > 8:
        return []
    names: list[str] = []
    for child in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.isdecimal()):
        names += _images(child, f"{prefix}/{child.name}".lstrip("/"), depth + 1)
    return names


def n5_dataset(folder: Path, selection: Selection) -> Found:
    """Describe one data set or multi-resolution group."""
    levels = multiscale_levels(folder)
    if not levels:
        raise FormatError(folder, "expected an N5 data set; found no dimensions")
    if not 0 <= selection.level < len(levels):
        raise NotFoundError(f"{folder}: level {selection.level}: expected 0 to {len(levels) - 1}")
    here = levels[selection.level]
    attributes = n5_attributes(here)
    group = n5_attributes(folder)
    source = N5Source(here, attributes)
    axes = _axes(folder, source.shape, attributes)
    extent = dict(zip(axes, source.shape, strict=True))
    extent.setdefault("z", 1)
    order = "".join(a for a in "tczyx" if a in extent)
    sizes, origin, unit, warnings = _sizes(attributes, group, axes, len(levels) > 1)
    voxel, remarks = complete(sizes, extent["z"])
    shapes = [
        tuple(dict(zip(axes, reversed(n5_attributes(one)["dimensions"]), strict=True)).get(a, 1)
              for a in order)
        for one in levels
    ]  # fmt: skip
    info = VolumeInfo(
        path=folder,
        format="n5",
        shape=tuple(extent[a] for a in order),
        axes=order,
        dtype=str(source.dtype.newbyteorder("=")),
        voxel_size_zyx_nm=voxel,
        origin_zyx_nm=origin,
        unit=unit,
        levels=tuple(shapes) if len(levels) > 1 else (),
        metadata=json_ready({"attributes": attributes, "group": group}),
        warnings=(*warnings, *remarks),
    )
    return Found(info=info, source=lambda time: arrange(source, axes, time))


def _axes(folder: Path, shape: tuple[int, ...], attributes: Mapping[str, Any]) -> str:
    stated = attributes.get("axes")
    if isinstance(stated, list) and len(stated) == len(shape):
        joined = "".join(str(a).lower() for a in reversed(stated))  # N5 counts from the fastest
        if set(joined) <= set("tczyx") and {"y", "x"} <= set(joined):
            return joined
    if len(shape) in (2, 3):
        return "zyx"[-len(shape) :]
    raise AxisError(f"{folder}: expected named axes for {len(shape)} axes {shape}; found none")


def _sizes(
    attributes: Mapping[str, Any], group: Mapping[str, Any], axes: str, many: bool
) -> tuple[dict[str, float], tuple[float, float, float], str | None, list[str]]:
    """Read the size attributes in use: ``pixelResolution``, ``resolution`` with ``units``."""
    spatial = [a for a in reversed(axes) if a in "zyx"]  # N5 order: x, y, z
    values, units, shared = None, None, False
    for where in (attributes, group):
        pixel = where.get("pixelResolution")
        if isinstance(pixel, Mapping) and "dimensions" in pixel:
            values, units = pixel["dimensions"], pixel.get("unit")
        elif isinstance(where.get("resolution"), list):
            values, units = where["resolution"], where.get("units", where.get("unit"))
        if values is not None:
            shared = where is group and many
            break
    none: tuple[float, float, float] = (0.0, 0.0, 0.0)
    if values is None:
        return {}, none, None, []
    if not units:
        return {}, none, None, [f"resolution {values} has no unit: no size"]
    names = [units] * len(values) if isinstance(units, str) else list(units)
    factors = attributes.get("downsamplingFactors", [1] * len(values)) if shared else None
    sizes: dict[str, float] = {}
    place = {"z": 0.0, "y": 0.0, "x": 0.0}
    warnings: list[str] = []
    for i, (axis, value, unit) in enumerate(zip(spatial, values, names, strict=False)):
        try:
            size = to_nanometres(float(value), str(unit))
        except UnitError as error:
            warnings.append(f"{axis} has no usable size: {error}")
            continue
        if size > 0:
            factor = float(np.asarray(factors, float)[i]) if factors is not None else 1.0
            sizes[axis], place[axis] = size * factor, size * (factor - 1) / 2
    return sizes, (place["z"], place["y"], place["x"]), str(names[0]), warnings
