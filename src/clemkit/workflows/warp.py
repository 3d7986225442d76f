"""Apply a registration: to volumes, to tables of points, to meshes and skeletons."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.errors import ArgumentError, ClemkitWarning, UnitError
from clemkit.provenance import Progress, Step, digest_path, no_progress
from clemkit.workflows.open_registration import Direction, check_direction, open_registration
from clemkit.workflows.warp_geometry import warp_geometry
from clemkit.workflows.warp_table import warp_points

if TYPE_CHECKING:
    from clemkit.geometry import Grid, Space
    from clemkit.volumes import Volume

__all__ = ["warp_geometry", "warp_points", "warp_volume_file"]

_MOST_WORKERS = 16


def warp_volume_file(
    registration: str | Path,
    volume: str | Path,
    output: str | Path,
    *,
    like: str | Path | None = None,
    labels: bool = False,
    direction: str = "moving-to-fixed",
    voxel_size_zyx_nm: Sequence[float] | None = None,
    channel: int | str | None = None,
    workers: int | None = 1,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Resample a volume file through a registration, in bounded memory.

    Parameters
    ----------
    registration : path
        Folder that ``clemkit register`` wrote.
    volume : path
        Volume in the moving frame, or in the fixed frame for ``"fixed-to-moving"``. A volume of
        the registered shape gets the registered voxel size and origin unless you pass one.
    output : path
        Folder to make, ``NAME.ome.zarr``; ``OUTPUT.provenance.json`` goes beside it.
    like : path, optional
        Volume whose grid the output gets; the grid of the registered volume where absent.
    labels : bool
        Values are identities: nearest voxel, type kept.
    direction : {"moving-to-fixed", "fixed-to-moving"}
        Moving volume onto the fixed grid, or the fixed volume into the moving frame with the
        certified inverse.
    voxel_size_zyx_nm : sequence of float, optional
        Voxel size of *volume*, overriding the file's.
    channel : int or str, optional
        Only this channel.
    workers : int, optional
        Threads; None takes one per processor, at most 16. Never changes a byte.
    overwrite : bool
        Replace an existing output, once the new one is complete.
    dry_run : bool
        Plan, write nothing.
    progress : Progress
        Told how far it is.

    Returns
    -------
    dict
        JSON-ready: ``output``, ``direction``, ``shape``, ``dtype``, ``voxel_size_zyx_nm``,
        ``origin_zyx_nm``, ``interpolation``, ``status``, ``inverse_error_nm``, ``plan`` (for a dry
        run), ``report`` (after the work).

    Raises
    ------
    NotFoundError
        No registration or volume there.
    ArgumentError
        The output exists or does not end in ``.zarr``, the registration failed, or no output grid
        is known.
    UnitError
        The volume's voxel size is unknown.
    DataError
        The disk is full; nothing is left behind.
    """
    from clemkit.volumes.writers.atomic import check_free
    from clemkit.warping import plan_volume, warp_volume
    from clemkit.warping.execute import check_voxels

    started = datetime.now(UTC).isoformat(timespec="seconds")
    way = check_direction(direction)
    target = Path(output)
    if not target.name.endswith(".zarr"):
        raise ArgumentError(f"{output}: expected a name that ends in .ome.zarr")
    check_free(target, overwrite)
    registered = open_registration(registration)
    # images are pulled: to move an image one way, points go the other way
    pull_back = registered.map_points(_opposite(way))
    moving = _open(
        volume,
        registered.source_grid(way),
        pull_back.target,
        labels=labels,
        voxel_size_zyx_nm=voxel_size_zyx_nm,
        channel=channel,
    )
    grid = _output_grid(like, registered.target_grid(way), pull_back.source, way)
    role = "labels" if labels else moving.role
    check_voxels(moving.dtype, 0 if role != "intensity" else 1, 0)
    threads = min(os.cpu_count() or 1, _MOST_WORKERS) if workers is None else workers
    record = target.with_name(f"{target.name}.provenance.json")
    inverse_error = getattr(pull_back, "max_error_nm", None)
    channels = moving.channel_count
    result: dict[str, Any] = {
        "output": str(output),
        "direction": way,
        "shape": [int(n) for n in (*moving.data.shape[:-3], *grid.shape_zyx)],
        "dtype": str(moving.dtype),
        "voxel_size_zyx_nm": list(grid.voxel_size_zyx_nm),
        "origin_zyx_nm": list(grid.origin_zyx_nm),
        "interpolation": "nearest" if role != "intensity" else "linear",
        "status": registered.status,
        "inverse_error_nm": None if inverse_error is None else float(inverse_error),
        "provenance": str(record),
        "dry_run": dry_run,
    }
    if dry_run:
        plan = plan_volume(moving, grid, pull_back, progress=progress)
        result["plan"] = plan.summary(moving.dtype.itemsize, threads, channels)
        return result
    report = warp_volume(
        moving,
        grid,
        pull_back,
        target,
        labels=labels,
        workers=threads,
        overwrite=overwrite,
        progress=progress,
    )
    result["report"] = asdict(report)
    references = [Path(volume), *([Path(like)] if like is not None else []), *registered.inputs]
    Step(
        activity="warping",
        inputs=tuple(digest_path(p) for p in references),
        outputs=(digest_path(target),),
        parameters={
            "direction": way,
            "labels": labels,
            "interpolation": result["interpolation"],
            "channel": channel,
            "input_voxel_size_zyx_nm": list(moving.grid.voxel_size_zyx_nm),
            "input_origin_zyx_nm": list(moving.grid.origin_zyx_nm),
            "output_voxel_size_zyx_nm": list(grid.voxel_size_zyx_nm),
            "output_origin_zyx_nm": list(grid.origin_zyx_nm),
            "map_error_voxels": report.map_error_voxels,
            "inverse_error_nm": result["inverse_error_nm"],
            "workers": threads,
        },
        started=started,
    ).write(record)
    return result


def _opposite(direction: Direction) -> Direction:
    return "moving-to-fixed" if direction == "fixed-to-moving" else "fixed-to-moving"


def _open(
    path: str | Path,
    registered: Grid | None,
    space: Space,
    *,
    labels: bool = False,
    voxel_size_zyx_nm: Sequence[float] | None = None,
    channel: int | str | None = None,
) -> Volume:
    """Open a volume; one of the registered shape lies where the registration had it."""
    from clemkit.volumes import open_volume

    def opened(voxel: Sequence[float] | None) -> Volume:
        return open_volume(
            path,
            voxel_size_zyx_nm=voxel,
            space=space,
            role="labels" if labels else "intensity",
            channel=channel,
        )

    if voxel_size_zyx_nm is not None:
        return opened(voxel_size_zyx_nm)
    try:
        volume = opened(None)
    except UnitError:
        if registered is None:
            raise
        volume = opened(registered.voxel_size_zyx_nm)
        if volume.grid.shape_zyx != registered.shape_zyx:
            raise
    if registered is None or volume.grid.shape_zyx != registered.shape_zyx:
        return volume
    if volume.grid != registered:
        warnings.warn(
            f"{path}: the file gives voxels of {volume.grid.voxel_size_zyx_nm} nm at "
            f"{volume.grid.origin_zyx_nm} nm; the registration used "
            f"{registered.voxel_size_zyx_nm} nm at {registered.origin_zyx_nm} nm for this shape, "
            "and so does this warp",
            ClemkitWarning,
            stacklevel=3,
        )
    return replace(volume, grid=registered)


def _output_grid(
    like: str | Path | None, registered: Grid | None, space: Space, direction: Direction
) -> Grid:
    if like is not None:
        return _open(like, registered, space).grid
    if registered is None:
        side = "moving" if direction == "fixed-to-moving" else "fixed"
        raise ArgumentError(
            f"warp: the registration knows no {side} volume (landmarks alone were registered); "
            "pass --like VOLUME for the grid of the output"
        )
    return registered
