"""Look at a volume file, and convert one to OME-Zarr or OME-TIFF."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError
from clemkit.provenance import Progress, Step, digest_path, no_progress
from clemkit.volumes import VolumeInfo, open_volume, probe, write_ome_tiff, write_ome_zarr
from clemkit.volumes.writers.atomic import check_free

__all__ = ["convert_volume", "volume_info"]

_MOST_WORKERS = 4  # reading and compressing gain little from more


def volume_info(
    path: str | Path, *, dataset: str | None = None, series: int | str | None = None
) -> dict[str, Any]:
    """Return what the header of a volume file says, as plain JSON-ready data.

    Parameters
    ----------
    path : path
        File, folder or store.
    dataset, series
        Which part of it; see :func:`clemkit.volumes.open_volume`.

    Returns
    -------
    dict
        ``shape``, ``axes``, ``dtype``, ``voxel_size_zyx_nm`` (None with a warning where the file
        states none), ``channels``, ``format``, ``metadata``, ``origin_zyx_nm``, ``unit``,
        ``levels``, ``series``, ``datasets``, ``is_rgb``, ``warnings``, ``path``.
    """
    info = probe(path, dataset=dataset, series=series)
    return _as_dict(info)


def _as_dict(info: VolumeInfo) -> dict[str, Any]:
    order = (
        "path", "format", "shape", "axes", "dtype", "voxel_size_zyx_nm", "origin_zyx_nm", "unit",
        "channels", "series", "datasets", "levels", "is_rgb", "metadata", "warnings",
    )  # fmt: skip
    values = asdict(info)
    values["path"] = str(info.path)
    return {name: _plain(values[name]) for name in order}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def convert_volume(
    input: str | Path,
    output: str | Path,
    *,
    voxel_size_zyx_nm: Sequence[float] | None = None,
    channel: int | str | None = None,
    series: int | str | None = None,
    dataset: str | None = None,
    time: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    workers: int | None = 1,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Convert a volume file, streaming it in bounded memory.

    A provenance record is written beside the output as ``OUTPUT.provenance.json``.

    Parameters
    ----------
    input : path
        Anything that :func:`clemkit.volumes.open_volume` reads; may be larger than memory.
    output : path
        Ends in ``.zarr`` (OME-Zarr 0.5) or ``.ome.tif``, ``.tif`` (OME-TIFF).
    voxel_size_zyx_nm : sequence of float, optional
        Voxel size in nanometres; overrides the file, required where that states none.
    channel, series, dataset, time
        Which part of the file.
    overwrite : bool
        Replace an existing output, once the new one is complete.
    dry_run : bool
        Check everything, write nothing.
    workers : int, optional
        Threads; None takes one per processor, at most 4. Never changes a byte.
    progress : Progress
        Told how far it is.

    Returns
    -------
    dict
        ``output``, ``format``, ``shape``, ``dtype``, ``voxel_size_zyx_nm``, ``origin_zyx_nm``,
        ``channels``, ``bytes`` (of the voxels, unpacked), ``warnings``, ``provenance``,
        ``dry_run``.

    Raises
    ------
    ArgumentError
        The output exists, has an unknown suffix, or lies on the input.
    UnitError, AxisError, NotFoundError, FormatError
        The input cannot be opened as asked.
    DataError
        The disk is full; nothing is left behind.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    source, target = Path(input), Path(output)
    kind = _format_of(target)
    if target.exists() and source.exists() and target.resolve() == source.resolve():
        raise ArgumentError(f"{output}: expected another name than the input's")
    record = target.with_name(f"{target.name}.provenance.json")
    check_free(target, overwrite)
    check_free(record, overwrite)
    info = probe(input, dataset=dataset, series=series)
    volume = open_volume(
        input,
        voxel_size_zyx_nm=voxel_size_zyx_nm,
        channel=channel,
        series=series,
        dataset=dataset,
        time=time,
    )
    result = {
        "output": str(output),
        "format": kind,
        "shape": [int(n) for n in volume.data.shape],
        "dtype": str(volume.dtype),
        "voxel_size_zyx_nm": list(volume.grid.voxel_size_zyx_nm),
        "origin_zyx_nm": list(volume.grid.origin_zyx_nm),
        "channels": list(volume.channels),
        "bytes": volume.grid.size * volume.channel_count * volume.dtype.itemsize,
        "warnings": list(info.warnings),
        "provenance": str(record),
        "dry_run": dry_run,
    }
    if dry_run:
        return result
    threads = min(os.cpu_count() or 1, _MOST_WORKERS) if workers is None else workers
    if kind == "ome-zarr-0.5":
        write_ome_zarr(target, volume, overwrite=overwrite, progress=progress, workers=threads)
    else:
        write_ome_tiff(target, volume, overwrite=overwrite, progress=progress)
    Step(
        activity="conversion",
        inputs=(digest_path(info.path),),
        outputs=(digest_path(target),),
        parameters={
            "voxel_size_zyx_nm": list(volume.grid.voxel_size_zyx_nm),
            "voxel_size_given": voxel_size_zyx_nm is not None,
            "channel": channel,
            "series": series,
            "dataset": dataset,
            "time": time,
            "workers": threads,
        },
        started=started,
    ).write(record)
    return result


def _format_of(path: Path) -> str:
    name = path.name.lower()
    if name.endswith(".zarr"):
        return "ome-zarr-0.5"
    if name.endswith((".tif", ".tiff")):
        return "ome-tiff"
    raise ArgumentError(
        f"{path}: expected a name that ends in .ome.zarr or .ome.tif; found {path.suffix!r}"
    )
