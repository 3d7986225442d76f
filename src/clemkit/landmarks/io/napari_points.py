"""napari points layers as CSV: ``index,axis-0,axis-1,axis-2``.

napari saves data coordinates, which are voxel indices unless the layer was made in world units;
so pass the grid of the image, or the unit if they are lengths. Axes are z, y, x.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clemkit.errors import AxisError, FormatError
from clemkit.geometry import Grid, Space, nanometres_per
from clemkit.landmarks.io.delimited_text import parse_numbers, read_rows, write_rows
from clemkit.landmarks.io.pairs_file import PointsFile, make_points, resolve_unit
from clemkit.landmarks.landmark_set import LandmarkSet
from clemkit.transforms.io.atomic_write import atomic_path

__all__ = ["looks_like_napari_points", "read_napari_points", "write_napari_points"]


def looks_like_napari_points(header: list[str]) -> bool:
    """Whether a header has napari's axis columns."""
    return "axis-0" in header and "axis-1" in header


def read_napari_points(
    path: str | Path, *, unit: str | None = None, space: Space, grid: Grid | None = None
) -> PointsFile:
    """Read a napari points CSV.

    Parameters
    ----------
    path : path
        The file.
    unit : str or None
        Length unit of the coordinates, unless *grid* is given.
    space : Space
        Frame of the points.
    grid : Grid, optional
        Turns voxel indices into positions.

    Raises
    ------
    AxisError
        Not two or three axes.
    UnitError
        Neither unit nor grid.
    """
    rows = read_rows(path)
    header = rows[0][1]
    axes = [k for k, title in enumerate(header) if title.startswith("axis-")]
    if len(axes) not in (2, 3):
        raise AxisError(
            f"{path}: expected axis-0 to axis-2 (z, y, x); found {len(axes)} axes; "
            "choose one time point or channel in napari first"
        )
    values = []
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise FormatError(
                path, f"line {line}: expected {len(header)} columns; found {len(cells)}"
            )
        numbers = parse_numbers([cells[k] for k in axes], path, line)
        values.append([0.0] * (3 - len(axes)) + numbers)
    zyx = np.asarray(values, dtype=np.float64).reshape(-1, 3)
    factor_unit = "nm" if grid is not None else resolve_unit(None, unit, path)
    if grid is not None:
        zyx = grid.to_physical(zyx)
    column = header.index("index") if "index" in header else None
    names = [f"Pt-{cells[column] if column is not None else k}" for k, (_, cells) in
             enumerate(rows[1:])]  # fmt: skip
    points, findings = make_points(names, zyx[:, ::-1], unit=factor_unit, space=space, path=path)
    return PointsFile(points=points, format="napari-points", findings=findings)


def write_napari_points(
    path: str | Path,
    points: LandmarkSet,
    *,
    unit: str = "um",
    grid: Grid | None = None,
    overwrite: bool = False,
) -> None:
    """Write a napari points CSV in *unit*, or in voxel indices of *grid* if that is given.

    Raises
    ------
    ArgumentError
        The file exists and may not be replaced.
    """
    zyx = points.points_zyx_nm / nanometres_per(unit)
    if grid is not None:
        zyx = grid.to_index(points.points_zyx_nm)
    rows: list[list[object]] = [["index", "axis-0", "axis-1", "axis-2"]]
    rows += [[k, *(float(v) for v in row)] for k, row in enumerate(zyx)]
    with atomic_path(path, overwrite=overwrite) as temporary:
        write_rows(temporary, rows)
