"""Tables with named columns: one set (``z_nm,y_nm,x_nm``) or pairs (``x_left … z_right``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clemkit.errors import AxisError, FormatError, Problem
from clemkit.geometry import FloatArray, Space, nanometres_per
from clemkit.landmarks.io.column_names import CoordinateGroup, coordinate_groups, name_column
from clemkit.landmarks.io.delimited_text import parse_numbers, read_rows, write_rows
from clemkit.landmarks.io.pairs_file import (
    PairsFile,
    PointsFile,
    make_pairs,
    make_points,
    resolve_unit,
)
from clemkit.landmarks.landmark_set import LandmarkPairs, LandmarkSet
from clemkit.transforms.io.atomic_write import atomic_path

__all__ = ["read_named_pairs", "read_named_points", "write_named_pairs", "write_named_points"]


def read_named_points(path: str | Path, *, unit: str | None = None, space: Space) -> PointsFile:
    """Read one set of points from a table with columns x, y, z.

    Columns ``sigma_z_nm`` and so on become uncertainties; other columns are ignored.

    Raises
    ------
    AxisError
        The columns do not give exactly one set of x, y, z.
    UnitError
        Neither the names nor the caller state a unit.
    """
    header, body = _table(path)
    groups = [g for g in coordinate_groups(header) if not g.sigma]
    if len(groups) != 1:
        raise AxisError(
            f"{path}: expected one set of columns z_nm, y_nm, x_nm; found "
            f"{len(groups)} sets in {header}"
        )
    group = groups[0]
    chosen = resolve_unit(group.unit, unit, path)
    points, findings = make_points(
        _names(header, body), _columns(path, body, group), unit=chosen, space=space, path=path
    )
    for sigma in coordinate_groups(header):
        if sigma.sigma and sigma.side == group.side and None not in sigma.columns_xyz:
            scale = nanometres_per(sigma.unit or chosen)
            values = _columns(path, body, sigma)[:, ::-1] * scale
            points = replace(points, sigma_zyx_nm=values)
    return PointsFile(points=points, format="named-csv", findings=(*_flat(group), *findings))


def read_named_pairs(
    path: str | Path,
    *,
    unit: str | None = None,
    fixed_unit: str | None = None,
    moving_space: Space,
    fixed_space: Space,
) -> PairsFile:
    """Read pairs from a table with two sets of columns x, y, z.

    Which set is moving is decided by the words moving/fixed or source/target in the names, then by
    the names of the two spaces; else the first set is moving, as in BigWarp, with a finding.

    Raises
    ------
    AxisError
        The columns do not give exactly two sets of x, y, z.
    UnitError
        Neither the names nor the caller state a unit.
    """
    header, body = _table(path)
    groups = [g for g in coordinate_groups(header) if not g.sigma]
    if len(groups) != 2:
        raise AxisError(
            f"{path}: expected two sets of columns x, y, z (moving and fixed); found "
            f"{len(groups)} in {header}"
        )
    moving, fixed, findings = _sides(groups, moving_space, fixed_space)
    units = (
        resolve_unit(moving.unit, unit, path),
        resolve_unit(fixed.unit, fixed_unit or unit, path),
    )
    return make_pairs(
        _names(header, body),
        _columns(path, body, moving, missing=np.inf),
        _columns(path, body, fixed, missing=np.inf),
        units=units,
        spaces=(moving_space, fixed_space),
        path=path,
        format="named-csv",
        findings=(*_flat(moving), *findings),
    )


def _sides(
    groups: Sequence[CoordinateGroup], moving_space: Space, fixed_space: Space
) -> tuple[CoordinateGroup, CoordinateGroup, tuple[Problem, ...]]:
    first, second = groups
    names = {moving_space.name.lower(): "moving", fixed_space.name.lower(): "fixed"}
    roles = [g.role or names.get(g.side, "") for g in groups]
    if roles[0] == "fixed" or roles[1] == "moving":
        return second, first, ()
    if "moving" in roles or "fixed" in roles:
        return first, second, ()
    finding = Problem(
        ("columns",),
        "landmarks.assumed-sides",
        "warning",
        f"the columns do not say which set is moving; {first.side!r} was taken as moving and "
        f"{second.side!r} as fixed",
        "name them moving_x … fixed_z to be sure",
    )
    return first, second, (finding,)


def _flat(group: CoordinateGroup) -> tuple[Problem, ...]:
    if group.columns_xyz[2] is not None:
        return ()
    return (
        Problem(("columns",), "landmarks.two-dimensional", "warning", "no z column; z is set to 0"),
    )


def _table(path: str | Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    rows = read_rows(path)
    header = rows[0][1]
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise FormatError(
                path, f"line {line}: expected {len(header)} columns; found {len(cells)}"
            )
    return header, rows[1:]


def _names(header: Sequence[str], body: Sequence[tuple[int, list[str]]]) -> list[str]:
    column = name_column(header)
    if column is None:
        used = {c for g in coordinate_groups(header) for c in g.columns_xyz}
        # an unnamed first column of words is a name; of numbers it may be anything
        column = 0 if 0 not in used and header[0].strip().lower() not in ("index", "") else None
    if column is None:
        return [f"Pt-{k}" for k in range(len(body))]
    return [cells[column] for _, cells in body]


def _columns(
    path: str | Path,
    body: Sequence[tuple[int, list[str]]],
    group: CoordinateGroup,
    missing: float | None = None,
) -> FloatArray:
    values = np.zeros((len(body), 3))
    for row, (line, cells) in enumerate(body):
        for axis, column in enumerate(group.columns_xyz):
            if column is not None:
                values[row, axis] = parse_numbers([cells[column]], path, line, empty=missing)[0]
    return values


def write_named_points(
    path: str | Path,
    points: LandmarkSet,
    *,
    unit: str = "nm",
    columns: dict[str, Sequence[object]] | None = None,
    overwrite: bool = False,
) -> None:
    """Write ``id,z_nm,y_nm,x_nm`` with sigma columns where known, and further *columns*.

    Raises
    ------
    ArgumentError
        The file exists and may not be replaced.
    """
    per = nanometres_per(unit)
    header: list[object] = ["id", *(f"{a}_{unit}" for a in "zyx")]
    blocks = [points.points_zyx_nm / per]
    if points.sigma_zyx_nm is not None:
        header += [f"sigma_{a}_{unit}" for a in "zyx"]
        blocks.append(points.sigma_zyx_nm / per)
    table = np.concatenate(blocks, axis=1)
    extra = columns or {}
    rows: list[list[object]] = [[*header, *extra]]
    for k, name in enumerate(points.ids):
        rows.append([name, *(float(v) for v in table[k]), *(extra[c][k] for c in extra)])
    with atomic_path(path, overwrite=overwrite) as temporary:
        write_rows(temporary, rows)


def write_named_pairs(
    path: str | Path, pairs: LandmarkPairs, *, unit: str = "nm", overwrite: bool = False
) -> None:
    """Write ``id,moving_z_nm … fixed_x_nm``.

    Raises
    ------
    ArgumentError
        The file exists and may not be replaced.
    """
    per = nanometres_per(unit)
    table = np.hstack([pairs.moving.points_zyx_nm, pairs.fixed.points_zyx_nm]) / per
    header = [f"{side}_{a}_{unit}" for side in ("moving", "fixed") for a in "zyx"]
    rows: list[list[object]] = [["id", *header]]
    rows += [[n, *(float(v) for v in r)] for n, r in zip(pairs.ids, table, strict=True)]
    with atomic_path(path, overwrite=overwrite) as temporary:
        write_rows(temporary, rows)
