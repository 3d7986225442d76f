"""BigWarp landmark tables: name, active, moving x, y, z, fixed x, y, z.

Three dimensions have 8 columns, two have 6; newer tables insert an integer id as third column
(9 or 7). There is no unit in the file. A position not yet set is ``Infinity``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clemkit.errors import FormatError
from clemkit.geometry import Space, nanometres_per
from clemkit.landmarks.io.delimited_text import parse_numbers, read_rows, write_rows
from clemkit.landmarks.io.pairs_file import PairsFile, make_pairs, resolve_unit
from clemkit.landmarks.landmark_set import LandmarkPairs
from clemkit.transforms.io.atomic_write import atomic_path

__all__ = ["looks_like_bigwarp_csv", "read_bigwarp_csv", "write_bigwarp_csv"]

_ACTIVE = {"true": True, "false": False}
# columns -> (first coordinate column, dimensions)
_LAYOUTS = {8: (2, 3), 9: (3, 3), 6: (2, 2), 7: (3, 2)}


def looks_like_bigwarp_csv(rows: list[tuple[int, list[str]]]) -> bool:
    """Whether parsed rows have BigWarp's columns, perhaps under a header."""
    return any(len(cells) in _LAYOUTS and cells[1].lower() in _ACTIVE for _, cells in rows[:2])


def read_bigwarp_csv(
    path: str | Path,
    *,
    unit: str | None,
    fixed_unit: str | None = None,
    moving_space: Space,
    fixed_space: Space,
) -> PairsFile:
    """Read a BigWarp landmark table.

    Parameters
    ----------
    path : path
        The file.
    unit : str or None
        Length unit of the moving columns, and of the fixed ones unless *fixed_unit* is given.
    fixed_unit : str, optional
        Length unit of the fixed columns where it differs.
    moving_space, fixed_space : Space
        Frames of columns 3-5 and 6-8.

    Raises
    ------
    FormatError
        A row has other columns, or none is usable.
    UnitError
        No unit was passed.
    """
    rows = read_rows(path)
    if rows[0][1][1:2] and rows[0][1][1].lower() not in _ACTIVE:
        rows = rows[1:]  # a header
    names, moving, fixed, inactive = [], [], [], 0
    width = len(rows[0][1]) if rows else 0
    for line, cells in rows:
        if len(cells) not in _LAYOUTS or len(cells) != width or cells[1].lower() not in _ACTIVE:
            raise FormatError(
                path,
                f"line {line}: expected name, true or false, then moving and fixed coordinates "
                f"(8 columns, or 6 in 2D) as in the rows before; "
                f"found {len(cells)} columns: {cells[:3]}",
            )
        start, size = _LAYOUTS[len(cells)]
        if not _ACTIVE[cells[1].lower()]:
            inactive += 1
            continue
        values = parse_numbers(cells[start:], path, line, empty=np.inf)
        pad = [0.0] * (3 - size)
        names.append(cells[0])
        moving.append(values[:size] + pad)
        fixed.append(values[size:] + pad)
    units = resolve_unit(None, unit, path), resolve_unit(None, fixed_unit or unit, path)
    return make_pairs(
        names,
        moving,
        fixed,
        units=units,
        spaces=(moving_space, fixed_space),
        path=path,
        format="bigwarp-csv",
        inactive_count=inactive,
    )


def write_bigwarp_csv(
    path: str | Path, pairs: LandmarkPairs, *, unit: str = "um", overwrite: bool = False
) -> None:
    """Write pairs as BigWarp reads them: 8 quoted columns, x, y, z, in *unit*.

    Raises
    ------
    ArgumentError
        The file exists and may not be replaced.
    """
    per = nanometres_per(unit)
    moving = pairs.moving.points_zyx_nm[:, ::-1] / per
    fixed = pairs.fixed.points_zyx_nm[:, ::-1] / per
    rows = [
        [name, "true", *(float(v) for v in m), *(float(v) for v in f)]
        for name, m, f in zip(pairs.ids, moving, fixed, strict=True)
    ]
    with atomic_path(path, overwrite=overwrite) as temporary:
        write_rows(temporary, rows, quote=True)
