"""Warp a volume of any size into an OME-Zarr image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from clemkit.geometry import Box, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.transforms import Transform
from clemkit.volumes import Volume, create_ome_zarr
from clemkit.warping.execute import WarpReport, check_voxels, execute_plan
from clemkit.warping.plan import WarpPlan, plan_warp

__all__ = ["WRITE_UNIT", "plan_volume", "warp_volume"]

WRITE_UNIT = (128, 128, 128)
"""Chunk of the output, voxels."""

_INPUT_BYTES = 64 << 20  # input held by one worker; larger blocks are computed in parts


def plan_volume(
    volume: Volume,
    output_grid: Grid,
    pull_back: Transform,
    *,
    chunks: tuple[int, int, int] = WRITE_UNIT,
    tolerance_voxels: float = 0.05,
    progress: Progress = no_progress,
) -> WarpPlan:
    """Return the plan that :func:`warp_volume` carries out."""
    z, y, x = (min(c, n) for c, n in zip(chunks, output_grid.shape_zyx, strict=True))
    return plan_warp(
        pull_back,
        volume.grid,
        output_grid,
        write_unit_zyx=(z, y, x),
        input_voxels=_INPUT_BYTES // volume.dtype.itemsize,
        tolerance_voxels=tolerance_voxels,
        progress=progress,
    )


def warp_volume(
    volume: Volume,
    output_grid: Grid,
    pull_back: Transform,
    path: str | Path,
    *,
    labels: bool = False,
    fill: float = 0,
    channel: int | None = None,
    chunks: tuple[int, int, int] = WRITE_UNIT,
    workers: int = 1,
    tolerance_voxels: float = 0.05,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> WarpReport:
    """Sample a volume on another grid through a transform, and write it as OME-Zarr 0.5.

    Memory stays flat: blocks of the output are computed one per worker from the input boxes that
    they need. When anything fails nothing is left behind, and an old output stays as it was.

    Parameters
    ----------
    volume : Volume
        Input; may be larger than memory.
    output_grid : Grid
        Where the output voxels are.
    pull_back : Transform
        Maps points of the output's space to the input's.
    path : path
        Folder to make, ``NAME.ome.zarr``.
    labels : bool
        Take the nearest voxel and keep label numbers; so also for volumes whose role is labels or
        mask.
    fill : number
        Value of voxels that see no input.
    channel : int, optional
        Only this channel; all where absent.
    chunks : tuple of int
        Chunk shape of the output.
    workers : int
        Threads; never changes a byte.
    tolerance_voxels : float
        Bound of the map's interpolation error, input voxels.
    overwrite : bool
        Replace an existing output, once the new one is complete.
    progress : Progress
        Told about the stages ``"plan"``, ``"warp"`` and ``"pyramid"``.

    Returns
    -------
    WarpReport

    Raises
    ------
    SpaceMismatchError
        The transform does not go from the output's space to the input's.
    ArgumentError
        The output exists, or the voxel type cannot be interpolated.
    DataError
        The disk is full or the input cannot be read.
    """
    order: Literal[0, 1] = 0 if labels or volume.role != "intensity" else 1
    check_voxels(volume.dtype, order, fill)
    four = len(volume.data.shape) == 4 and channel is None
    names = volume.channels if four else ()
    count = volume.channel_count if four else 1
    plan = plan_volume(
        volume,
        output_grid,
        pull_back,
        chunks=chunks,
        tolerance_voxels=tolerance_voxels,
        progress=progress,
    )
    with create_ome_zarr(
        path,
        output_grid,
        volume.dtype,
        channels=names,
        channel_count=count if four else None,
        role="labels" if labels and volume.role == "intensity" else volume.role,
        chunks=plan.write_unit_zyx,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    ) as array:

        def read(box: Box, number: int) -> np.ndarray[Any, Any]:
            return volume.read(box, channel if channel is not None else number)

        def write(box: Box, number: int, values: np.ndarray[Any, Any]) -> None:
            array[(number, *box.slices) if four else box.slices] = values

        return execute_plan(
            plan,
            read,
            write,
            dtype=volume.dtype,
            channels=count,
            order=order,
            fill=fill,
            workers=workers,
            write_empty=bool(fill != 0),  # the store's own fill is 0
            progress=progress,
        )
