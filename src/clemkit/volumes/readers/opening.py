"""The two doors: ``probe`` looks at a file, ``open_volume`` opens it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clemkit.errors import AxisError, NotFoundError, UnitError
from clemkit.geometry import Grid, Space, Triple, as_triple
from clemkit.volumes.labels import as_labels
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo
from clemkit.volumes.readers.registry import find_reader
from clemkit.volumes.source import AxesSource
from clemkit.volumes.volume import Modality, Role, Volume

__all__ = ["open_volume", "probe"]

_log = logging.getLogger(__name__)
_SPACES: dict[str, str] = {"em": "em", "lm": "lm", "xray_ct": "ct"}


def probe(
    path: str | Path,
    *,
    dataset: str | None = None,
    series: int | str | None = None,
    level: int = 0,
) -> VolumeInfo:
    """Read the header of an image file or folder.

    Parameters
    ----------
    path : path
        The file or folder.
    dataset : str, optional
        Data set of an HDF5 or N5 container.
    series : int or str, optional
        Image of a file with several.
    level : int
        Resolution level, 0 is the finest.

    Returns
    -------
    VolumeInfo
        A missing voxel size is None with a warning, not an error.

    Raises
    ------
    NotFoundError
        No such file, data set, series or level.
    FormatError
        The file cannot be read as what it claims to be.
    """
    return _look(path, Selection(series=series, dataset=dataset, level=level)).info


def open_volume(
    path: str | Path,
    *,
    voxel_size_zyx_nm: Sequence[float] | None = None,
    space: Space | None = None,
    modality: Modality = "em",
    role: Role = "intensity",
    channel: int | str | None = None,
    time: int | None = None,
    dataset: str | None = None,
    series: int | str | None = None,
    level: int = 0,
) -> Volume:
    """Open an image lazily: only headers are read now, voxels when they are asked for.

    Parameters
    ----------
    path : path
        OME-TIFF, TIFF, PNG, a folder or ZIP of planes, MRC, HDF5, N5, OME-Zarr, NRRD, NIfTI,
        MetaImage, dm3 or dm4.
    voxel_size_zyx_nm : sequence of float, optional
        Voxel size of the finest level in nanometres; overrides the file.
    space : Space, optional
        Frame of the volume; ``em``, ``lm`` or ``ct`` after the modality where absent.
    modality, role
        See :class:`~clemkit.volumes.Volume`. With a label role, floating-point labels with
        whole values are read as integers.
    channel : int or str, optional
        Open one channel only; the volume is then ``(z, y, x)``. Required for RGB pictures.
    time, dataset, series, level
        Which part of the file.

    Returns
    -------
    Volume

    Raises
    ------
    UnitError
        The file states no voxel size and none was passed.
    AxisError
        A time series without a chosen time point, or an RGB picture without a channel.
    NotFoundError
        No such file, data set, series, level or channel.
    FormatError
        The file cannot be read as what it claims to be.
    """
    found = _look(path, Selection(series=series, dataset=dataset, time=time, level=level))
    info = found.info
    point = _time_point(info, time)
    voxel, origin = _placing(found, voxel_size_zyx_nm)
    if level and voxel_size_zyx_nm is not None:
        finest = _look(path, Selection(series=series, dataset=dataset, time=time))
        voxel, origin = _placing_of_level(finest, info, as_triple(voxel_size_zyx_nm, "voxel"))
    if info.is_rgb and channel is None:
        raise AxisError(
            f"{info.path}: expected one value per voxel; found an RGB picture; "
            f"choose a channel: 0 to {info.extent('c') - 1} or one of {', '.join(info.channels)}"
        )
    for remark in info.warnings:
        if voxel_size_zyx_nm is not None and "size" in remark:
            continue  # the caller has answered it
        _log.warning("%s: %s", info.path, remark)
    source: Any = found.source(point)
    if role != "intensity":
        source = as_labels(source, str(info.path))
    frame = space or Space(_SPACES[modality])
    grid = Grid(
        space=frame,
        shape_zyx=info.shape_zyx,
        voxel_size_zyx_nm=voxel,
        origin_zyx_nm=origin,
    )
    volume = Volume(data=source, grid=grid, modality=modality, role=role, channels=info.channels)
    return volume if channel is None else _one_channel(volume, channel)


def _look(path: str | Path, selection: Selection) -> Found:
    where = Path(path)
    if not where.exists():
        container = next((p for p in where.parents if p.exists()), None)
        if container is None or not container.is_file() or selection.dataset is not None:
            raise NotFoundError(f"{path}: expected an image file or folder; found nothing there")
        # FILE.h5/NAME means data set NAME of FILE.h5
        selection = replace(selection, dataset=where.relative_to(container).as_posix())
        where = container
    return find_reader(where)(where, selection)


def _time_point(info: VolumeInfo, time: int | None) -> int:
    extent = info.extent("t")
    if time is None:
        if extent > 1:
            raise AxisError(
                f"{info.path}: expected a volume; found a time series of {extent} points; "
                "choose a time point (0-based)"
            )
        return 0
    if not 0 <= time < extent:
        raise AxisError(f"{info.path}: time point {time}: expected 0 to {extent - 1}")
    return time


def _placing(found: Found, given: Sequence[float] | None) -> tuple[Triple, Triple]:
    """Return voxel size and origin; what the caller gives wins over the file."""
    info = found.info
    voxel = info.voxel_size_zyx_nm
    if given is not None:
        voxel = as_triple(given, "voxel_size_zyx_nm")
        if min(voxel) <= 0:
            raise UnitError(f"voxel_size_zyx_nm: expected values > 0 nm; found {voxel}")
    if voxel is None:
        reason = next((w for w in info.warnings if "size" in w), "none stated")
        raise UnitError(
            f"{info.path}: expected a voxel size with a unit; found none ({reason}); "
            "pass the voxel size in nm (z,y,x): --voxel-size Z,Y,X"
        )
    if info.voxel_size_zyx_nm is not None:
        return voxel, info.origin_zyx_nm
    z, y, x = (n * v for n, v in zip(found.origin_in_voxels_zyx, voxel, strict=True))
    return voxel, (z, y, x)


def _placing_of_level(finest: Found, level: VolumeInfo, given: Triple) -> tuple[Triple, Triple]:
    """Scale a voxel size given for the finest level to a coarser one of block means."""
    _, origin = _placing(finest, given)
    fine, coarse = finest.info.voxel_size_zyx_nm, level.voxel_size_zyx_nm
    if fine is not None and coarse is not None:
        factors = [c / f for c, f in zip(coarse, fine, strict=True)]
    else:
        pairs = zip(finest.info.shape_zyx, level.shape_zyx, strict=True)
        factors = [float(round(a / b)) for a, b in pairs]
    z, y, x = (v * f for v, f in zip(given, factors, strict=True))
    oz, oy, ox = (o + (f - 1) / 2 * v for o, f, v in zip(origin, factors, given, strict=True))
    return (z, y, x), (oz, oy, ox)


class _ChannelView:
    """One channel of a (c, z, y, x) source."""

    def __init__(self, source: Any, index: int) -> None:
        self.shape = tuple(source.shape[1:])
        self.dtype = source.dtype
        self._source, self._index = source, index

    def __getitem__(self, key: Any, /) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        return self._source[(self._index, *keys)]


def _one_channel(volume: Volume, channel: int | str) -> Volume:
    index = volume.channel_index(channel)
    names = (volume.channels[index],) if volume.channels else ()
    source: Any = volume.data
    if len(volume.data.shape) == 4:
        source = AxesSource(_ChannelView(volume.data, index), "zyx")
    return Volume(
        data=source, grid=volume.grid, modality=volume.modality, role=volume.role, channels=names
    )
