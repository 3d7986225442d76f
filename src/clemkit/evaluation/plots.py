"""A quick picture of two volumes, for a terminal session or a log folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from clemkit.errors import ArgumentError
from clemkit.evaluation.figures import overlay_figure, report_centre
from clemkit.evaluation.report_data import ReportImages
from clemkit.geometry import Grid

__all__ = ["write_preview"]


def write_preview(
    path: str | Path,
    fixed: NDArray[Any],
    moving: NDArray[Any],
    grid: Grid,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a PNG: fixed magenta, moving green, in three orthogonal planes with scale bars.

    Parameters
    ----------
    path : path
        File to write.
    fixed, moving : (z, y, x) array
        Volumes on *grid*.
    grid : Grid
        Where the voxels are.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ArgumentError
        A shape is not that of the grid, or the file exists and *overwrite* is off.
    MissingExtraError
        matplotlib is not installed.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise ArgumentError(f"{target}: expected no file there; found one; pass overwrite")
    images = ReportImages(grid=grid, fixed=fixed, after=moving)
    png = overlay_figure(images, "after", "blend", report_centre(images))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(png)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
