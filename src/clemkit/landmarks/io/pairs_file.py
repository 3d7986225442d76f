"""What a landmark file gave: its pairs or points, its format, and what was odd about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import FormatError, Problem, UnitError
from clemkit.geometry import FloatArray, Space, nanometres_per
from clemkit.landmarks.landmark_set import LandmarkPairs, LandmarkSet

__all__ = ["PairsFile", "PointsFile", "make_pairs", "make_points", "resolve_unit", "unique_names"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairsFile:
    """Landmark pairs as read from a file.

    Attributes
    ----------
    pairs : LandmarkPairs
        The usable pairs, nanometres.
    format : str
        Short name of the file format.
    moving_unit, fixed_unit : str
        Length units of the file's numbers.
    inactive_count, missing_count : int
        Rows switched off by their author, and rows without one of the two positions.
    findings : tuple of Problem
        What the user should know.
    """

    pairs: LandmarkPairs
    format: str
    moving_unit: str
    fixed_unit: str
    inactive_count: int = 0
    missing_count: int = 0
    findings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointsFile:
    """Points of one space as read from a file.

    Attributes
    ----------
    points : LandmarkSet
        Points, nanometres.
    format : str
        Short name of the file format.
    findings : tuple of Problem
        What the user should know.
    """

    points: LandmarkSet
    format: str
    findings: tuple[Problem, ...] = ()


def resolve_unit(stated: str | None, unit: str | None, path: str | Path) -> str:
    """Return the unit that the file and the caller agree on.

    Raises
    ------
    UnitError
        Neither says it, or they disagree.
    """
    if stated is None and unit is None:
        raise UnitError(
            f"{path}: expected a length unit; found none, since this format states none; "
            "pass --units nm, um or mm"
        )
    if stated is not None and unit is not None and nanometres_per(stated) != nanometres_per(unit):
        raise UnitError(
            f"{path}: expected unit {unit!r} as passed; found {stated!r} in the file; "
            "leave --units out to use the file's"
        )
    chosen = stated if stated is not None else unit
    nanometres_per(str(chosen))
    return str(chosen)


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """Return unique names: a repeat gets a number, an empty one its row; with a finding."""
    total = Counter(names)
    taken = {name for name in names if name}
    seen: Counter[str] = Counter()
    result = []
    for row, name in enumerate(names):
        stem = name or f"row-{row + 1}"
        seen[name] += 1
        if name and seen[name] == 1:
            result.append(name)
            continue
        candidate, k = (stem if not name else f"{stem} ({seen[name]})"), seen[name]
        while candidate in taken:
            k += 1
            candidate = f"{stem} ({k})"
        taken.add(candidate)
        result.append(candidate)
    repeated = sorted(name for name, count in total.items() if name and count > 1)
    findings: tuple[Problem, ...] = ()
    if repeated:
        findings = (
            Problem(
                ("names",),
                "landmarks.repeated-name",
                "warning",
                f"expected unique landmark names; found {len(repeated)} repeated, for example "
                f"{repeated[0]!r}",
                "a number was added to the repeats",
            ),
        )
    return tuple(result), findings


def make_points(
    names: Sequence[str],
    xyz: ArrayLike,
    *,
    unit: str,
    space: Space,
    path: str | Path,
) -> tuple[LandmarkSet, tuple[Problem, ...]]:
    """Return a set from positions ``(N, 3)`` in x, y, z and a unit.

    Raises
    ------
    FormatError
        No point, or a position that is not finite.
    """
    points = _zyx_nm(xyz, unit)
    if len(points) == 0:
        raise FormatError(path, "expected at least one point; found none")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise FormatError(
            path, f"expected finite coordinates; found NaN or infinity in point {bad[0] + 1}"
        )
    ids, findings = unique_names(names)
    return LandmarkSet(space=space, ids=ids, points_zyx_nm=points), findings


def make_pairs(
    names: Sequence[str],
    moving_xyz: ArrayLike,
    fixed_xyz: ArrayLike,
    *,
    units: tuple[str, str],
    spaces: tuple[Space, Space],
    path: str | Path,
    format: str,
    inactive_count: int = 0,
    findings: Sequence[Problem] = (),
) -> PairsFile:
    """Return pairs from positions ``(N, 3)`` in x, y, z; ``units`` and ``spaces``: moving, fixed.

    Rows with a position that is not finite are dropped and counted.

    Raises
    ------
    FormatError
        No usable pair is left.
    """
    moving, fixed = _zyx_nm(moving_xyz, units[0]), _zyx_nm(fixed_xyz, units[1])
    good = np.asarray(np.isfinite(np.hstack([moving, fixed])).all(axis=1))
    missing = int(len(good) - good.sum())
    found = list(findings)
    if inactive_count:
        found.append(
            Problem(
                ("rows",),
                "landmarks.inactive",
                "warning",
                f"{inactive_count} of {len(good) + inactive_count} rows are inactive and were "
                "left out",
            )
        )
    if missing:
        found.append(
            Problem(
                ("rows",),
                "landmarks.missing-point",
                "warning",
                f"{missing} of {len(good)} active rows lack one of their two positions and were "
                "left out",
            )
        )
    if not good.any():
        raise FormatError(
            path,
            f"expected at least one active landmark with both positions; found "
            f"{inactive_count} inactive and {missing} incomplete rows",
        )
    ids, repeats = unique_names([name for name, keep in zip(names, good, strict=True) if keep])
    return PairsFile(
        pairs=LandmarkPairs(
            moving=LandmarkSet(space=spaces[0], ids=ids, points_zyx_nm=moving[good]),
            fixed=LandmarkSet(space=spaces[1], ids=ids, points_zyx_nm=fixed[good]),
        ),
        format=format,
        moving_unit=units[0],
        fixed_unit=units[1],
        inactive_count=inactive_count,
        missing_count=missing,
        findings=(*found, *repeats),
    )


def _zyx_nm(xyz: ArrayLike, unit: str) -> FloatArray:
    points = np.asarray(xyz, dtype=np.float64).reshape(-1, 3)
    return points[:, ::-1] * nanometres_per(unit)
