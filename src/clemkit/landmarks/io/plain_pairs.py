"""Pairs without a header: moving x, y, z, fixed x, y, z, with or without a name in front."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clemkit.errors import FormatError, Problem
from clemkit.geometry import Space
from clemkit.landmarks.io.delimited_text import is_number, parse_numbers, read_rows
from clemkit.landmarks.io.pairs_file import PairsFile, make_pairs, resolve_unit

__all__ = ["looks_like_plain_pairs", "read_plain_pairs"]


def looks_like_plain_pairs(rows: list[tuple[int, list[str]]]) -> bool:
    """Whether the first row has six numbers, perhaps after a name."""
    cells = rows[0][1]
    return len(cells) in (6, 7) and all(is_number(cell) for cell in cells[-6:])


def read_plain_pairs(
    path: str | Path,
    *,
    unit: str | None,
    fixed_unit: str | None = None,
    moving_space: Space,
    fixed_space: Space,
) -> PairsFile:
    """Read rows of six numbers in BigWarp's order, with a finding that says so.

    Raises
    ------
    FormatError
        A row has other columns.
    UnitError
        No unit was passed.
    """
    rows = read_rows(path)
    width = len(rows[0][1])
    names: list[str] = []
    values = []
    for line, cells in rows:
        if len(cells) != width:
            raise FormatError(path, f"line {line}: expected {width} columns; found {len(cells)}")
        names.append(cells[0] if width == 7 else f"Pt-{len(names)}")
        values.append(parse_numbers(cells[-6:], path, line, empty=np.inf))
    table = np.asarray(values)
    units = resolve_unit(None, unit, path), resolve_unit(None, fixed_unit or unit, path)
    finding = Problem(
        ("columns",),
        "landmarks.assumed-columns",
        "warning",
        "the file has no header; columns were taken as moving x, y, z, then fixed x, y, z",
    )
    return make_pairs(
        names,
        table[:, :3],
        table[:, 3:],
        units=units,
        spaces=(moving_space, fixed_space),
        path=path,
        format="plain-pairs",
        findings=(finding,),
    )
