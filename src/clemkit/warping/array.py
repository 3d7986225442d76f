"""Warp an array in memory."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Box, Grid
from clemkit.transforms import Transform
from clemkit.warping.execute import execute_plan
from clemkit.warping.plan import plan_warp

__all__ = ["warp_array"]


def warp_array(
    data: np.ndarray[Any, Any],
    input_grid: Grid,
    output_grid: Grid,
    pull_back: Transform,
    *,
    order: Literal[0, 1] = 1,
    fill: float = 0,
    workers: int = 1,
    tolerance_voxels: float = 0.05,
) -> np.ndarray[Any, Any]:
    """Sample an array on another grid through a transform.

    Parameters
    ----------
    data : (z, y, x) or (c, z, y, x) array
        Input voxels.
    input_grid, output_grid : Grid
        Where input and output voxels are.
    pull_back : Transform
        Maps points of the output's space to the input's. To bring a moving image onto the fixed
        grid, pass fixed → moving.
    order : {1, 0}
        Linear interpolation, or the nearest voxel for labels. Whole numbers are rounded, half up.
    fill : number
        Value of voxels that map more than half a voxel beyond the outermost input centres.
    workers : int
        Threads; never changes the result.
    tolerance_voxels : float
        Bound of the map's interpolation error, input voxels.

    Returns
    -------
    (z, y, x) or (c, z, y, x) array
        On *output_grid*, with the input's type.

    Raises
    ------
    SpaceMismatchError
        The transform does not go from the output's space to the input's.
    ArgumentError
        Shapes disagree, or the voxel type cannot be interpolated.

    Examples
    --------
    >>> from clemkit.geometry import Space
    >>> from clemkit.transforms import Affine
    >>> em, lm = Space("em"), Space("lm")
    >>> data = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    >>> grid = Grid(space=lm, shape_zyx=(2, 3, 4), voxel_size_zyx_nm=(50, 8, 10))
    >>> out = Grid(space=em, shape_zyx=(1, 1, 3), voxel_size_zyx_nm=(50, 8, 5))
    >>> warp_array(data, grid, out, Affine.identity(em, lm))[0, 0].tolist()
    [0, 1, 1]
    """
    if data.ndim not in (3, 4) or data.shape[-3:] != input_grid.shape_zyx:
        raise ArgumentError(
            f"data: expected z, y, x shape {input_grid.shape_zyx} as the grid says; "
            f"found {data.shape}"
        )
    stack = data if data.ndim == 4 else data[None]
    out = np.empty((len(stack), *output_grid.shape_zyx), dtype=data.dtype)
    plan = plan_warp(
        pull_back,
        input_grid,
        output_grid,
        write_unit_zyx=(64, 64, 64),
        block_voxels=1 << 21,
        tolerance_voxels=tolerance_voxels,
    )

    def read(box: Box, channel: int) -> np.ndarray[Any, Any]:
        return stack[channel][box.slices]

    def write(box: Box, channel: int, values: np.ndarray[Any, Any]) -> None:
        out[channel][box.slices] = values

    execute_plan(
        plan, read, write, dtype=data.dtype, channels=len(stack), order=order, fill=fill,
        workers=workers,
    )  # fmt: skip
    return out if data.ndim == 4 else out[0]
