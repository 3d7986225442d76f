"""What a reader finds in a file before any voxel is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.geometry import Triple
from clemkit.volumes.volume import ArraySource

__all__ = ["Found", "Selection", "VolumeInfo", "json_ready"]

_TEXT_LIMIT = 4000  # characters of one metadata value; longer ones are cut and marked
_LIST_LIMIT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """The header of an image file in clemkit's conventions.

    Attributes
    ----------
    path : Path
        The file or folder.
    format : str
        ``"ome-tiff"``, ``"tiff"``, ``"mrc"``, ``"ome-zarr-0.5"``, …
    shape : tuple of int
        Extent along *axes*.
    axes : str
        ``"zyx"``, ``"czyx"``, ``"tzyx"`` or ``"tczyx"``; a plane has a z extent of 1.
    dtype : str
        Voxel type, native byte order.
    voxel_size_zyx_nm : tuple of float or None
        Voxel size of the chosen level, nanometres; None when the file does not state it.
    origin_zyx_nm : tuple of float
        Centre of voxel 0, nanometres.
    unit : str or None
        Unit of length as the file spells it.
    channels : tuple of str
        Channel names; empty when unnamed.
    series, datasets : tuple of str
        Images or data sets to choose from; empty when there is only one.
    levels : tuple of tuple of int
        Shapes along *axes* of the resolution levels, finest first.
    is_rgb : bool
        Whether the channels are colour samples of one picture.
    metadata : mapping
        Everything else worth keeping, JSON-ready.
    warnings : tuple of str
        What was repaired, guessed by a documented rule or left out.
    """

    path: Path
    format: str
    shape: tuple[int, ...]
    axes: str
    dtype: str
    voxel_size_zyx_nm: Triple | None
    origin_zyx_nm: Triple = (0.0, 0.0, 0.0)
    unit: str | None = None
    channels: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    levels: tuple[tuple[int, ...], ...] = ()
    is_rgb: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def extent(self, axis: str) -> int:
        """Return the extent along one axis, 1 where the file has no such axis."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    @property
    def shape_zyx(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        z, y, x = self.shape[-3:]
        return z, y, x


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which image of a file the caller wants.

    Attributes
    ----------
    series : int, str or None
        Image of a file with several, by number or name.
    dataset : str or None
        Data set inside an HDF5 or N5 container.
    time : int or None
        Time point; None where there is only one.
    level : int
        Resolution level, 0 is the finest.
    """

    series: int | str | None = None
    dataset: str | None = None
    time: int | None = None
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A header, and how to get at the voxels behind it.

    Attributes
    ----------
    info : VolumeInfo
        The header.
    source : callable
        Takes a time point, returns ``(z, y, x)`` or ``(c, z, y, x)`` voxels, lazily.
    origin_in_voxels_zyx : tuple of float
        Origin in voxels, for files whose lengths have no unit: the voxel size that the caller
        passes then scales the origin too.
    """

    info: VolumeInfo
    source: Callable[[int], ArraySource]
    origin_in_voxels_zyx: Triple = (0.0, 0.0, 0.0)


def json_ready(value: Any) -> Any:
    """Return *value* as plain JSON types; long texts and arrays are shortened and say so."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return json_ready(value.decode("utf-8", "replace").rstrip("\0"))
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, list | tuple | set):
        items = [json_ready(item) for item in list(value)[:_LIST_LIMIT]]
        return [*items, f"… {len(value)} values"] if len(value) > _LIST_LIMIT else items
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    text = str(value)
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]} … {len(text)} characters"
