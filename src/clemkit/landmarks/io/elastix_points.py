"""Elastix and transformix point files: ``point`` or ``index``, a count, then x y z per line.

``point`` files hold physical positions, in the unit of the images (millimetres in ITK's habit, but
the file does not say); ``index`` files hold voxel indices and need the grid. A pair set is two
files. transformix maps points fixed to moving.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clemkit.errors import ArgumentError, FormatError
from clemkit.geometry import Grid, Space, nanometres_per
from clemkit.landmarks.io.delimited_text import parse_numbers, read_text
from clemkit.landmarks.io.pairs_file import PointsFile, make_points, resolve_unit
from clemkit.landmarks.landmark_set import LandmarkSet
from clemkit.transforms.io.atomic_write import atomic_path

__all__ = ["looks_like_elastix_points", "read_elastix_points", "write_elastix_points"]

_KINDS = ("point", "index")


def looks_like_elastix_points(text: str) -> bool:
    """Whether the text begins with ``point`` or ``index`` and a count."""
    words = text.split(maxsplit=2)
    return len(words) >= 2 and words[0].lower() in _KINDS and words[1].isdigit()


def read_elastix_points(
    path: str | Path,
    *,
    unit: str | None = None,
    space: Space | None = None,
    grid: Grid | None = None,
) -> PointsFile:
    """Read an elastix point file.

    Parameters
    ----------
    path : path
        The file.
    unit : str or None
        Length unit of a ``point`` file.
    space : Space, optional
        Frame of the points; taken from *grid* if that is given.
    grid : Grid, optional
        Turns the indices of an ``index`` file into positions.

    Raises
    ------
    FormatError
        The count or a line does not fit.
    UnitError
        A ``point`` file without a unit.
    ArgumentError
        An ``index`` file without a grid.
    """
    lines = [
        (number, line.split())
        for number, line in enumerate(read_text(path).split("\n"), start=1)
        if line.strip()
    ]
    kind = lines[0][1][0].lower() if lines else ""
    if kind not in _KINDS or len(lines) < 2 or not lines[1][1][0].isdigit():
        raise FormatError(path, "expected 'point' or 'index', then the number of points")
    count, body = int(lines[1][1][0]), lines[2:]
    if len(body) != count:
        raise FormatError(path, f"expected {count} points as its second line says; "
                                f"found {len(body)}; the file may be cut off")  # fmt: skip
    xyz = []
    for number, cells in body:
        if len(cells) not in (2, 3):
            raise FormatError(path, f"line {number}: expected x y z; found {len(cells)} numbers")
        xyz.append(parse_numbers(cells, path, number) + [0.0] * (3 - len(cells)))
    names = [f"Pt-{k}" for k in range(count)]
    if kind == "index":
        if grid is None:
            raise ArgumentError(
                f"{path}: an elastix index file holds voxel indices; expected the grid of its "
                "image; found none; pass the volume"
            )
        points = grid.to_physical(np.asarray(xyz, dtype=np.float64).reshape(-1, 3)[:, ::-1])
        chosen, factor_unit = points[:, ::-1], "nm"
        space = grid.space if space is None else space
    else:
        chosen, factor_unit = np.asarray(xyz, dtype=np.float64), resolve_unit(None, unit, path)
    if space is None:
        raise ArgumentError(f"{path}: expected the space of the points; found none")
    points_set, findings = make_points(names, chosen, unit=factor_unit, space=space, path=path)
    return PointsFile(points=points_set, format=f"elastix-{kind}", findings=findings)


def write_elastix_points(
    path: str | Path, points: LandmarkSet, *, unit: str = "mm", overwrite: bool = False
) -> None:
    """Write a ``point`` file, x y z, in *unit*.

    Raises
    ------
    ArgumentError
        The file exists and may not be replaced.
    """
    xyz = points.points_zyx_nm[:, ::-1] / nanometres_per(unit)
    lines = ["point", str(len(points)), *(" ".join(repr(float(v)) for v in row) for row in xyz)]
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")
