"""OME-Zarr 0.4 and 0.5, from zarr version 2 and 3 stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import AxisError, FormatError, NotFoundError, UnitError
from clemkit.geometry import to_nanometres
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.voxel_size import complete
from clemkit.volumes.source import arrange

__all__ = ["read_ome_zarr"]


def read_ome_zarr(path: Path, selection: Selection) -> Found:
    """Read the header of an OME-Zarr image.

    Scale and translation of the chosen level are applied first, then those of the whole
    multiscale image, as the specification orders them.

    Raises
    ------
    FormatError
        The folder holds no readable image.
    NotFoundError
        There is no such series or level.
    """
    group = _open_group(path)
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)
    images = ome.get("multiscales") if isinstance(ome, Mapping) else None
    if not images:
        return _not_an_image(path, group, ome, selection)
    image = images[_number(path, images, selection.series)]
    version = str(ome.get("version") or image.get("version") or "0.4")
    axes, units = _axes(path, image, version)
    datasets = image.get("datasets") or []
    if not 0 <= selection.level < len(datasets):
        raise NotFoundError(f"{path}: level {selection.level}: expected 0 to {len(datasets) - 1}")
    arrays = [_array(path, group, str(d.get("path"))) for d in datasets]
    array = arrays[selection.level]
    if array.ndim != len(axes):
        raise FormatError(path, f"expected {len(axes)} axes ({axes}); found shape {array.shape}")
    scale, shift, stated = _scale_and_shift(
        path,
        axes,
        datasets[selection.level].get("coordinateTransformations") or [],
        image.get("coordinateTransformations") or [],
    )
    sizes, origin, warnings = _in_nanometres(axes, units, scale, shift, stated)
    shape, full_axes = _full(axes, array.shape)
    voxel, remarks = complete(sizes, shape[full_axes.index("z")])
    own = attributes.get("clemkit") or {}
    channels = _channels(ome, own, shape[full_axes.index("c")] if "c" in full_axes else 1)
    metadata = {
        "name": image.get("name"),
        "version": version,
        "zarr_format": group.metadata.zarr_format,
        "chunks": list(array.chunks),
        "clemkit": own,
        "omero": ome.get("omero"),
    }
    info = VolumeInfo(
        path=path,
        format=f"ome-zarr-{version}",
        shape=shape,
        axes=full_axes,
        dtype=str(array.dtype.newbyteorder("=")),
        voxel_size_zyx_nm=voxel,
        origin_zyx_nm=origin,
        unit=next((units[a] for a in "xyz" if units.get(a)), None),
        channels=channels,
        series=_names(images) if len(images) > 1 else (),
        levels=tuple(_full(axes, one.shape)[0] for one in arrays),
        metadata=json_ready({k: v for k, v in metadata.items() if v}),
        warnings=(*warnings, *remarks),
    )
    return Found(info=info, source=lambda time: arrange(array, axes, time))


def _open_group(path: Path) -> Any:
    import zarr

    try:
        return zarr.open_group(path, mode="r")
    except Exception as error:  # zarr raises many kinds for a damaged store
        raise FormatError(path, f"expected an OME-Zarr image; found: {error}") from error


def _not_an_image(path: Path, group: Any, ome: Any, selection: Selection) -> Found:
    """Follow the first image of a collection, or say what the folder is."""
    wanted = str(selection.series if selection.series is not None else 0)
    if isinstance(ome, Mapping) and "bioformats2raw.layout" in ome and (path / wanted).is_dir():
        inner = Selection(time=selection.time, level=selection.level)
        return read_ome_zarr(path / wanted, inner)
    kind = "a plate" if isinstance(ome, Mapping) and "plate" in ome else "no multiscale image"
    members = ", ".join(sorted(p.name for p in path.iterdir() if p.is_dir())[:12])
    raise FormatError(
        path,
        f"expected a multiscale image; found {kind}; open one of its members: {members or 'none'}",
    )


def _names(images: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(one.get("name") or f"image {i}") for i, one in enumerate(images))


def _number(path: Path, images: Sequence[Mapping[str, Any]], wanted: int | str | None) -> int:
    names = _names(images)
    if wanted is None:
        return 0
    if wanted in names:
        return names.index(str(wanted))
    if str(wanted).isdecimal() and int(wanted) < len(images):
        return int(wanted)
    raise NotFoundError(f"{path}: series {wanted!r}: expected one of: {', '.join(names)}")


def _axes(path: Path, image: Mapping[str, Any], version: str) -> tuple[str, dict[str, str]]:
    described = image.get("axes")
    if not described:
        raise FormatError(path, f"expected named axes; found none (OME-Zarr {version})")
    names = [a if isinstance(a, str) else str(a.get("name")) for a in described]
    units = {
        str(a["name"]): str(a["unit"]) for a in described if isinstance(a, Mapping) and "unit" in a
    }
    odd = [n for n in names if n not in ("t", "c", "z", "y", "x")]
    if odd or "y" not in names or "x" not in names:
        raise AxisError(f"{path}: expected axes out of t, c, z, y, x; found {names}")
    return "".join(names), units


def _array(path: Path, group: Any, name: str) -> Any:
    try:
        return group[name]
    except Exception as error:  # missing or damaged metadata of one level
        raise FormatError(path / name, f"expected a zarr array; found: {error}") from error


def _scale_and_shift(
    path: Path, axes: str, *stages: Sequence[Mapping[str, Any]]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], bool]:
    scale, shift = np.ones(len(axes)), np.zeros(len(axes))
    stated = False
    for stage in stages:
        for one in stage:
            kind = one.get("type")
            values = one.get(str(kind))
            if kind == "identity":
                continue
            if kind not in ("scale", "translation") or not isinstance(values, list):
                raise FormatError(path, f"expected scale and translation; found {dict(one)}")
            if len(values) != len(axes):
                raise FormatError(path, f"expected {len(axes)} values in {kind}; found {values}")
            if kind == "scale":
                scale, shift, stated = scale * values, shift * values, True
            else:
                shift = shift + values
    return scale, shift, stated


def _in_nanometres(
    axes: str, units: Mapping[str, str], scale: Any, shift: Any, stated: bool
) -> tuple[dict[str, float], tuple[float, float, float], list[str]]:
    sizes: dict[str, float] = {}
    origin = {"z": 0.0, "y": 0.0, "x": 0.0}
    warnings: list[str] = []
    for i, axis in enumerate(axes):
        if axis not in "zyx" or not stated:
            continue
        unit = units.get(axis)
        if unit is None:
            warnings.append(f"axis {axis} has a scale of {scale[i]:g} but no unit: no size")
            continue
        try:
            factor = to_nanometres(1.0, unit)
        except UnitError as error:
            warnings.append(f"axis {axis} has no usable size: {error}")
            continue
        if scale[i] > 0:
            sizes[axis] = float(scale[i]) * factor
            origin[axis] = float(shift[i]) * factor
        else:
            warnings.append(f"axis {axis} has a scale of {scale[i]:g}: no size")
    return sizes, (origin["z"], origin["y"], origin["x"]), warnings


def _channels(ome: Mapping[str, Any], own: Mapping[str, Any], count: int) -> tuple[str, ...]:
    described = (ome.get("omero") or {}).get("channels") or []
    names = tuple(str(c.get("label", "")) for c in described if isinstance(c, Mapping))
    if len(names) != count or not all(names):
        names = tuple(own.get("channels") or ())
    return names if len(names) == count else ()


def _full(axes: str, shape: Sequence[int]) -> tuple[tuple[int, ...], str]:
    extent = dict(zip(axes, (int(n) for n in shape), strict=True))
    extent.setdefault("z", 1)
    if extent.get("t") == 1:
        del extent["t"]
    order = "".join(a for a in "tczyx" if a in extent)
    return tuple(extent[a] for a in order), order
